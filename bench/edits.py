"""Edits of real systems: what each makes ASDF and tenon compile again, and whether what comes out is what a clean build
gives. The systems are copied; everything else comes from where Debian keeps it."""
import os
import random
import shutil
import subprocess
import time

import asdf
import measure
import sources
import tenon
from report import heading, say, table

SYSTEMS = ["alexandria", "cl-ppcre", "hunchentoot", "ironclad"]
KINDS = ["comment", "docstring", "body", "macro", "function", "inline", "slot"]

COUNT = """(let ((files '()))
  (dolist (system '(%s))
    (dolist (action (asdf/plan::plan-actions (asdf:make-plan nil 'asdf:load-op system)))
      (when (and (typep (car action) 'asdf:compile-op) (typep (cdr action) 'asdf:cl-source-file))
        (pushnew (asdf:component-pathname (cdr action)) files :test #'equal))))
  (format t "~&planned ~D~%%" (length files)))"""


class Field:
    """Copies of the systems in a workspace, built by both."""

    def __init__(self, bench, names):
        self.bench, self.names = bench, names
        self.folder = bench.folder()
        self.workspace = os.path.join(self.folder, "workspace")
        for name in names:
            shutil.copytree(asdf.SOURCES + name, os.path.join(self.workspace, name))
        self.place = tenon.Place(self.folder, workspace=self.workspace)
        self.place.env["CL_SOURCE_REGISTRY"] = (
            '(:source-registry (:tree "%s/") (:also-exclude "cl-asdf") (:tree "%s") :ignore-inherited-configuration)' %
            (self.workspace, asdf.SOURCES))
        self.lax = []

    def build_both(self):
        """From nothing: the state that every edit starts from."""
        if self.place.run("build", *self.names).code != 0:
            self.lax = ["--lax"]
            self.build()
        load = "(progn %s)" % " ".join('(asdf:load-system "%s")' % name for name in self.names)
        subprocess.run(asdf.SBCL + ["--eval", "(require :asdf)", "--eval", load, "--quit"], env=self.place.env,
                       cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=True)
        if self.asdf_plans() != 0:
            raise SystemExit("ASDF would compile again what it has just compiled")
        time.sleep(1.1)  # ASDF compares whole seconds

    def build(self, *targets):
        """(result, log)"""
        result = self.place.must("build", *self.lax, *(targets or self.names))
        return result, tenon.Log(self.place.events())

    def asdf_plans(self):
        """How many files ASDF would compile now, by its own plan."""
        form = COUNT % " ".join('"%s"' % name for name in self.names)
        done = subprocess.run(asdf.SBCL + ["--eval", "(require :asdf)", "--eval", form, "--quit"], env=self.place.env,
                              cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=True)
        return int(done.stdout.decode().rsplit("planned ", 1)[1].split()[0])

    def clean_outputs(self):
        """What a build of the same sources, in the same place, with nothing stored, makes."""
        state = os.path.join(self.workspace, ".tenon")
        kept, store = os.path.join(self.folder, "kept"), os.path.join(self.folder, "clean-store")
        os.rename(state, kept)
        place = tenon.Place(self.folder, store=store, workspace=self.workspace)
        place.env = self.place.env
        place.must("build", *self.lax, *self.names)
        outputs = place.outputs()
        shutil.rmtree(state)
        shutil.rmtree(store)
        os.rename(kept, state)
        return outputs

    def sources(self, name):
        """The compiled files of a system, by tenon's plan."""
        top, found = os.path.join(self.workspace, name) + "/", []
        for action in tenon.plan(self.place, name):
            if action["kind"] == "compile":
                found += [path for path in action["inputs"] if path.startswith(top) and path.endswith(".lisp")]
        return sorted(found)

    def draw(self, rng, name, kind, number):
        """(path, offset, what to insert there) of an edit, each as likely; None: there is nothing of that kind."""
        found = [(path, at, what) for path in self.sources(name)
                 for at, what in sources.candidates(read(path), kind, number)]
        return rng.choice(found) if found else None


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as f:
        f.write(text)


class Edited:
    """The files hold the edits within the block, and are as they were behind it, their times too."""

    def __init__(self, *edits):
        self.edits = sorted(edits, reverse=True)  # the last in each file first, so that offsets stay true
        self.before = {path: (read(path), os.stat(path)) for path, _, _ in edits}

    def __enter__(self):
        for path, at, what in self.edits:
            text = read(path)
            write(path, text[:at] + what + text[at:])

    def __exit__(self, *_):
        for path, (text, stat) in self.before.items():
            write(path, text)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def compare_with_clean(field, where, stale):
    """Notes what differs between the outputs and a clean build's. How many there are."""
    mine, clean = field.place.outputs(), field.clean_outputs()
    stale += ["%s: %s" % (where, path) for path in sorted(set(mine) | set(clean)) if mine.get(path) != clean.get(path)]
    return len(clean)


def part_edits(bench):
    args = bench.args
    field, rng, rows, stale, refused = Field(bench, args.edited), random.Random(args.seed), [], [], []
    field.build_both()
    number = 0
    for kind in args.kinds:
        theirs, ours, fasls, done = [], [], 0, []
        for _ in range(args.edits):
            for name in args.edited:
                number += 1
                edit = field.draw(rng, name, kind, number)
                if not edit:
                    continue
                where = "%s: %s:%d" % (kind, os.path.relpath(edit[0], field.workspace),
                                       read(edit[0]).count("\n", 0, edit[1]) + 1)
                with Edited(edit):
                    planned = field.asdf_plans()
                    result = field.place.run("build", *field.lax, *field.names)
                    if result.code != 0:
                        refused.append("%s: %s" % (where, " ".join(result.err.decode("utf-8", "replace").split())[:300]))
                    else:
                        log = tenon.Log(field.place.events())
                        theirs.append(planned)
                        ours.append(log.outcomes.get("ran", 0))
                        done.append(edit)
                        say("   %s: ASDF %d, tenon %d" % (where, planned, ours[-1]))
                        if args.check == 1:
                            fasls += compare_with_clean(field, where, stale)
                field.build()
        for first in range(0, len(done), args.check) if args.check > 1 else ():
            edits = done[first:first + args.check]
            with Edited(*edits):
                field.build()
                fasls += compare_with_clean(field, "%s, edits %d to %d" % (kind, first + 1, first + len(edits)), stale)
            field.build()
        if ours:
            one = sum(1 for n in ours if n <= 1)
            rows.append([kind, len(ours), measure.counts(theirs), measure.counts(ours),
                         "%.0f %%" % (100.0 * one / len(ours)), sum(theirs), sum(ours), fasls])
    heading("edits: files compiled again, seed %d, %d of a kind in each of %s%s" %
            (args.seed, args.edits, ", ".join(args.edited), ", --lax" if field.lax else ""),
            "tenon build " + " ".join(field.lax + field.names))
    table(["edit", "draws", "ASDF", "tenon", "at most one", "ASDF all", "tenon all", "outputs compared"], rows)
    say("ASDF: the compile operations of its own plan; after %s every output was compared with a clean build's:" %
        ("each edit" if args.check == 1 else "%d edits at once" % args.check))
    say("%d differ" % len(stale))
    for line in stale:
        say("DIFFERS: %s" % line)
    for line in refused:
        say("does not build: %s" % line)
    say()
    bench.drop(field.folder)


def part_body(bench):
    args = bench.args
    names = ["alexandria", "cl-ppcre", "hunchentoot"]
    field, rng = Field(bench, names), random.Random(args.seed)
    field.build_both()
    rows, walls, extras = [], [], []
    for number in range(1, args.bodies + 1):
        edit = field.draw(rng, names[number % len(names)], "body", number)
        with Edited(edit):
            result, log = field.build("hunchentoot")
            own = [a["duration_ns"] / 1e9 for a in tenon.plan(field.place, "hunchentoot") if edit[0] in a["inputs"]]
        ran = log.outcomes.get("ran", 0)
        walls.append(result.wall)
        extras.append(result.wall - own[0])
        rows.append([os.path.relpath(edit[0], field.workspace), ran, "%.3f" % own[0], "%.3f" % result.wall,
                     "%.3f" % extras[-1]])
        field.build("hunchentoot")
    heading("body: a function's body edited, hunchentoot built, seed %d" % args.seed, "tenon build hunchentoot")
    table(["file", "compiled", "its compile s", "whole build s", "beyond s"], rows)
    say("whole build: %s s; beyond the file's own compile: %s s" % (measure.spread(walls), measure.spread(extras)))
    say()
    bench.drop(field.folder)
