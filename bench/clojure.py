#!/usr/bin/python3
"""Measures builds of Clojure beside clojure.core/compile in one JVM, Leiningen and tools.build, in one run.

    bench/clojure.py [--rounds N] [--jobs N] [PROJECT...]

PROJECT: see bench/clojure_projects.py; all of them without any. TENON is the program (build/tenon). Each compiles the same
namespaces on the same class path, in turn, so that a busy machine is as busy for all of them:

    one JVM            the namespaces that no other needs, which pull in the rest
    lein compile       :aot of the same namespaces, in the process that Leiningen starts, with its options for the JVM
    tools.build        compile-clj of what the one JVM was asked for, in the process that it starts; Maven fetches it, and
                       what reads deps.edn and resolves libraries is left out
    tenon, first use   nothing at all in the store: the worker is made too
    tenon, cold        the worker is there; libraries that come as source must be compiled
    tenon, libraries   their classes are there as well: a project of which nothing is known

then the critical path of the last, the second build, a comment and a function more in the largest file, a failing namespace built twice, and
whether classes are the same from another folder, one after the other in another order. Medians of whole processes, and
the best in parentheses."""
import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import clojure_projects  # noqa: E402

TOOLS_BUILD = "0.10.5"
OLD = ""
HERE = os.path.dirname(os.path.abspath(__file__))
TENON = os.path.abspath(os.environ.get("TENON", os.path.join(HERE, "..", "build", "tenon")))


def timed(argv, **options):
    start = time.monotonic()
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    return time.monotonic() - start, p.returncode, p.stdout.decode("utf-8", "replace")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Build:
    """One run of tenon, with what its log says."""

    def __init__(self, folder, store, *options):
        # Beside the workspace: a new file in a folder that was looked at is a change.
        log = folder + "-log.json"
        if os.path.exists(log):
            os.remove(log)
        self.seconds, self.code, self.out = timed([TENON, "-C", folder, "build", "//:lib", "-k", "--store=" + store,
                                                   "--log=" + log] + list(options))
        events = []
        if os.path.exists(log):
            with open(log) as f:
                events = [json.loads(line) for line in f]
        self.ran = [e["label"].split("(")[1].rstrip(")") for e in events
                    if e.get("outcome") == "ran" and "(" in e.get("label", "")]
        self.failed = [e for e in events if e["event"] == "action-finish" and e["outcome"] == "failed"]
        paths = [re.match(r"critical path ([0-9.]+) s: (.*)", e.get("text", "")) for e in events if e["event"] == "note"]
        self.path = next((float(m.group(1)) for m in paths if m), 0)
        self.path_length = next((m.group(2).count(" < ") + 1 for m in paths if m), 0)
        # The time in which actions ran: what a start of Java takes before is no namespace's.
        work = [e for e in events if e["event"] == "action-finish" and e.get("wall_ns")]
        self.work = sum(e["wall_ns"] for e in work) / 1e9


def set_aside(path):
    """Out of the way, but not removed: for a minute after thousands of files are, ext4 searches long for each new one."""
    if os.path.exists(path):
        os.rename(path, tempfile.mkdtemp(dir=OLD) + "/old")


def clean(folder):
    for name in ("out", "state"):
        set_aside(os.path.join(folder, ".tenon", name))


def forget(store, libraries):
    """Takes the project's own results out of a store; of the classes of libraries as well."""
    marks = [b"//:lib"] + ([b"classes of Clojure libraries"] if libraries else [])
    for d, _, names in os.walk(os.path.join(store, "ac")):
        for n in names:
            with open(os.path.join(d, n), "rb") as f:
                text = f.read()
            if any(m in text for m in marks):
                os.remove(os.path.join(d, n))


class Project:
    def __init__(self, name, top):
        self.name = name
        self.folder = os.path.join(top, name)
        self.store = os.path.join(top, name + "-store")
        # Where the others work and write.
        self.other = os.path.join(top, name + "-other-tools")
        os.makedirs(self.other)
        self.jars = clojure_projects.make(name, self.folder)
        self.order = []
        self.roots = []

    def one_jvm(self):
        classes, script = os.path.join(self.other, "classes"), os.path.join(self.other, "compile.clj")
        set_aside(classes)
        os.makedirs(classes)
        with open(script, "w") as f:
            f.write("(binding [*compile-path* %s] (doseq [n '[%s]] (when-not (contains? (loaded-libs) n) (println \"root\" n)"
                    " (compile n)))) (shutdown-agents)" % (json.dumps(classes), " ".join(reversed(self.order))))
        path = [classes, os.path.join(self.folder, "src"), os.path.join(self.folder, "resources")] + self.jars
        seconds, code, out = timed(["java", "-cp", ":".join(path), "clojure.main", script])
        self.roots = [line.split()[1] for line in out.splitlines() if line.startswith("root ")]
        return self.checked("one JVM", seconds, code, out, classes)

    def lein(self):
        if not shutil.which("lein"):
            return None
        target = os.path.join(self.other, "target")
        set_aside(target)
        paths = [os.path.join(self.folder, "resources")] + self.jars
        with open(os.path.join(self.other, "project.clj"), "w") as f:
            f.write('(defproject bench "0" :dependencies [] :source-paths [%s] :resource-paths [%s]\n  :aot [%s])\n' %
                    (json.dumps(os.path.join(self.folder, "src")), " ".join(map(json.dumps, paths)),
                     " ".join(reversed(self.order))))
        env = dict(os.environ, LEIN_HOME=os.path.join(self.other, "lein-home"))
        # Without the profile that brings an nREPL from elsewhere.
        seconds, code, out = timed(["lein", "-o", "with-profile", "-base,-dev,-user,-system,-provided", "compile"],
                                   cwd=self.other, env=env)
        return self.checked("lein", seconds, code, out, os.path.join(target, "classes"))

    def tools_build(self, program):
        if not program:
            return None
        classes, script = os.path.join(self.other, "tools-build"), os.path.join(self.other, "build.clj")
        set_aside(classes)
        os.makedirs(classes)
        path = [os.path.join(self.folder, "src"), os.path.join(self.folder, "resources")] + self.jars
        with open(script, "w") as f:
            f.write("(require '[clojure.tools.build.api :as b])\n"
                    "(b/compile-clj {:basis {:libs {} :classpath-roots [%s]} :src-dirs [%s] :class-dir %s :ns-compile '[%s]})\n"
                    "(shutdown-agents)\n" %
                    (" ".join(map(json.dumps, path)), json.dumps(path[0]), json.dumps(classes), " ".join(self.roots)))
        seconds, code, out = timed(["java", "-cp", program, "clojure.main", script], cwd=self.other)
        return self.checked("tools.build", seconds, code, out, classes)

    def checked(self, what, seconds, code, out, classes):
        missing = [n for n in self.order
                   if not os.path.exists(os.path.join(classes, n.replace("-", "_").replace(".", "/") + "__init.class"))]
        if code == 0 and not missing:
            return seconds
        why = next((line for line in out.splitlines() if "xception" in line or "rror" in line), out)
        print("  %s did not compile all: %s" % (what, ("it left out " + missing[0] if code == 0 else why)[:200]))
        return None

    def tenon(self, *options):
        return Build(self.folder, self.store, *options)

    def classes(self, folder):
        top = os.path.join(folder, ".tenon/out/default/lib.classes")
        return {os.path.relpath(os.path.join(d, n), top): digest(os.path.join(d, n)) for d, _, names in os.walk(top) for n in names}


def find_tools_build(top):
    """Its class path; None if Maven can't fetch it."""
    folder = os.path.join(top, "tools-build")
    os.makedirs(folder)
    with open(os.path.join(folder, "pom.xml"), "w") as f:
        f.write("<project><modelVersion>4.0.0</modelVersion><groupId>bench</groupId><artifactId>bench</artifactId>"
                "<version>0</version><dependencies><dependency><groupId>io.github.clojure</groupId>"
                "<artifactId>tools.build</artifactId><version>%s</version></dependency></dependencies></project>" % TOOLS_BUILD)
    argv = ["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=path"]
    code, out = timed(argv, cwd=folder)[1:] if shutil.which("mvn") else (1, "there is no mvn")
    if code:
        print("without tools.build: " + next((line for line in out.splitlines() if "ERROR" in line), out)[:200])
        return None
    with open(os.path.join(folder, "path")) as f:
        return f.read().strip()


def figure(values):
    values = [v for v in values if v is not None]
    return "%6.2f s (%.2f)" % (statistics.median(values), min(values)) if values else "     -"


def ratio(others, ours):
    others = [v for v in others if v is not None]
    if not others:
        return ""
    return "%.1f x (best against best %.1f x)" % (statistics.median(others) / statistics.median(ours), min(others) / min(ours))


def rounds(p, args, tools_build):
    jobs = "-j%d" % args.jobs
    t = {k: [] for k in ("jvm", "lein", "tools", "first", "cold", "libraries", "second")}
    last = None
    for _ in range(args.rounds):
        t["jvm"].append(p.one_jvm())
        set_aside(p.store)
        clean(p.folder)
        t["first"].append(p.tenon(jobs).seconds)
        forget(p.store, True)
        clean(p.folder)
        t["cold"].append(p.tenon(jobs).seconds)
        t["lein"].append(p.lein())
        t["tools"].append(p.tools_build(tools_build))
        forget(p.store, False)
        clean(p.folder)
        last = p.tenon(jobs)
        t["libraries"].append(last.seconds)
        t["second"] += [p.tenon(jobs).seconds for _ in range(10)]
    print("  one JVM, clojure.core/compile  %s" % figure(t["jvm"]))
    print("  lein compile                   %s" % figure(t["lein"]))
    print("  tools.build, compile-clj       %s" % figure(t["tools"]))
    for key, name in (("first", "first use"), ("cold", "cold"), ("libraries", "libraries there")):
        others = [(what, ratio(t[k], t[key])) for k, what in (("jvm", "one JVM"), ("lein", "lein"), ("tools", "tools.build"))]
        print("  tenon %-24s %s   %s" % (jobs + ", " + name, figure(t[key]), "; ".join("%s: %s" % o for o in others if o[1])))
    print("  its critical path: %.2f s, %d namespaces; all of them: %.2f s; the build: %.2f s" %
          (last.path, last.path_length, last.work, last.seconds))
    print("  second build: %.1f ms (best %.1f)" % (statistics.median(t["second"]) * 1000, min(t["second"]) * 1000))


def edits(p, args):
    jobs = "-j%d" % args.jobs
    files = sorted((os.path.getsize(os.path.join(d, n)), os.path.join(d, n))
                   for d, _, names in os.walk(os.path.join(p.folder, "src")) for n in names)
    for what, line in (("a comment", ";; edited"), ("a function more", "(defn added-by-the-benchmark [x] x)")):
        with open(files[-1][1], "a") as f:
            f.write("\n%s\n" % line)
        b = p.tenon(jobs)
        print("  %s in the largest file: %.2f s, %d compiled" % (what, b.seconds, len(b.ran)))
    with open(files[-1][1]) as f:
        text = f.read()
    with open(files[-1][1], "a") as f:
        f.write("\n(this-is-not-defined)\n")
    b = p.tenon(jobs)
    again = [p.tenon(jobs) for _ in range(5)]
    print("  with an error in it: %.2f s, %d failed; again: %.1f ms (best %.1f), %d failed" %
          (b.seconds, len(b.failed), statistics.median(a.seconds for a in again) * 1000, min(a.seconds for a in again) * 1000,
           len(again[0].failed)))
    with open(files[-1][1], "w") as f:
        f.write(text)
    p.tenon(jobs)


def identity(p, top):
    elsewhere = os.path.join(top, "elsewhere", p.name)
    shutil.copytree(p.folder, elsewhere, ignore=shutil.ignore_patterns(".tenon"))
    Build(elsewhere, os.path.join(top, p.name + "-other"), "-j1", "--strategy=serial")
    a, b = p.classes(p.folder), p.classes(elsewhere)
    differ = sorted(k for k in set(a) | set(b) if a.get(k) != b.get(k))
    print("  classes: %d, of other bytes from another folder, serially: %d %s" % (len(a), len(differ), " ".join(differ[:5])))


def measure(name, args, top, tools_build):
    p = Project(name, top)
    # What compiles at all, in the order in which it does.
    b = p.tenon("-j1", "--strategy=serial")
    p.order = b.ran
    if not p.order:
        sys.exit("bench/clojure.py: %s does not build:\n%s" % (name, b.out[-2000:]))
    print("%s: %d namespaces, %d that don't compile here; load %.1f" % (name, len(p.order), len(b.failed), os.getloadavg()[0]))
    sys.stdout.flush()
    rounds(p, args, tools_build)
    sys.stdout.flush()
    edits(p, args)
    identity(p, top)
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="*", metavar="PROJECT", default=clojure_projects.NAMES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    global OLD
    top = tempfile.mkdtemp(prefix="bench-clojure-")
    OLD = os.path.join(top, "old")
    os.mkdir(OLD)
    try:
        print("%d cores, load %.1f" % (len(os.sched_getaffinity(0)), os.getloadavg()[0]))
        tools_build = find_tools_build(top)
        for project in args.projects:
            measure(project, args, top, tools_build)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
