"""tenon as a user runs it, and what its structured log says."""
import hashlib
import json
import os

import asdf
import measure

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(os.environ.get("TENON") or os.path.join(HERE, "..", "build", "tenon"))


class Place:
    """A home, a cache with its store, and a workspace, all below one folder."""

    def __init__(self, folder, store=None, workspace=None):
        self.folder = folder
        self.env = asdf.environment(folder)
        self.store = store or os.path.join(folder, "store")
        self.workspace = workspace or os.path.join(folder, "workspace")
        self.log = os.path.join(folder, "log.jsonl")
        os.makedirs(self.workspace, exist_ok=True)

    def command(self, command, *args):
        line = [BINARY, command, "--directory", self.workspace, "--store", self.store]
        if command in ("build", "eval", "load-list"):
            line += ["--quiet", "--log", self.log]
        return line + list(args)

    def run(self, command, *args, **options):
        if os.path.exists(self.log):
            os.unlink(self.log)
        return measure.run(self.command(command, *args), env=self.env, cwd=self.workspace, **options)

    def must(self, command, *args, **options):
        result = self.run(command, *args, **options)
        if result.code != 0:
            raise SystemExit("tenon %s %s ended with %d:\n%s" % (command, " ".join(args), result.code,
                                                                result.err.decode("utf-8", "replace")[-4000:]))
        if result.strays:
            raise SystemExit("tenon %s %s left processes:\n%s" % (command, " ".join(args), "\n".join(result.strays)))
        return result

    def events(self):
        with open(self.log, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def outputs(self):
        """{path below out/: SHA-256} of every built file."""
        top, found = os.path.join(self.workspace, ".tenon", "out"), {}
        for folder, _, files in os.walk(top):
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    found[os.path.relpath(path, top)] = hashlib.sha256(f.read()).hexdigest()
        return found


class Log:
    """The sums of one log. Seconds."""

    def __init__(self, events):
        self.outcomes, self.labels, self.cpu, self.wall = {}, {}, 0.0, {}
        self.forks, self.step_seconds, self.phases = 0, 0.0, {}
        self.notes, self.cpu_of, begun = [], {}, {}
        self.step_least = {}  # seconds of each distinct step, the quickest time it was carried out
        self.lax = {}  # label -> what it lacked in the image that it declares
        self.host_peak = 0  # bytes that tenon's own process had resident at most
        for e in events:
            kind = e["event"]
            if kind == "action-finish":
                self.outcomes[e["outcome"]] = self.outcomes.get(e["outcome"], 0) + 1
                self.labels.setdefault(e["outcome"], []).append(e["label"])
                cpu = e.get("cpu_ns", 0) / 1e9
                self.cpu += cpu
                self.cpu_of[e["label"]] = self.cpu_of.get(e["label"], 0.0) + cpu
                self.wall[e["label"]] = e.get("wall_ns", 0) / 1e9
                if e.get("lax"):
                    self.lax[e["label"]] = ", ".join(e.get("missed", []))
            elif kind == "build-finish":
                self.host_peak = e.get("memory", 0)
            elif kind == "fork":
                self.forks += 1
            elif kind in ("phase-start", "step-start"):
                begun[kind[:-6], e["id"]] = (e["ns"], e["label"])
            elif kind in ("phase-finish", "step-finish") and (kind[:-7], e["id"]) in begun:
                start, label = begun[kind[:-7], e["id"]]
                seconds = (e["ns"] - start) / 1e9
                if kind == "phase-finish":
                    self.phases[label] = self.phases.get(label, 0.0) + seconds
                else:
                    self.step_seconds += seconds
                    self.step_least[label] = min(seconds, self.step_least.get(label, seconds))
            elif kind == "note":
                self.notes.append(e.get("text", ""))


def plan(place, *targets):
    """The actions of a plan; see `tenon plan --format=json`."""
    return json.loads(place.must("plan", "--format=json", *targets).out)
