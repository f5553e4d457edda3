"""Tests of the SBCL driver, as TAP. Argument: the folder of its sources."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from build import Builder
from host import Host, Keyword, from_text, make_core, plist, to_text

COUNT = 0
FAILED = 0


def ok(passed, name, detail=""):
    global COUNT, FAILED
    COUNT += 1
    FAILED += not passed
    print(f"{'ok' if passed else 'not ok'} {COUNT} - {name}", flush=True)
    if not passed:
        for line in str(detail).splitlines():
            print("# " + line)


def equal(got, wanted, name):
    ok(got == wanted, name, f"got    {got!r}\nwanted {wanted!r}")


class World:
    """A temporary folder with sources, an output folder and a host."""

    def __init__(self, core, top, name):
        self.core, self.top = core, os.path.join(top, name)
        self.source = os.path.join(self.top, "source")
        self.out = os.path.join(self.top, "out")
        self.scratch = os.path.join(self.top, "scratch")
        for folder in (self.source, self.out, self.scratch):
            os.makedirs(folder)
        self.host = Host(core)

    def write(self, name, text):
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def describe(self, *systems, **options):
        registry = f'(:source-registry :ignore-inherited-configuration (:tree "{self.source}/"))'
        return self.host.root.describe(systems=list(systems), registry=registry, out=self.out,
                                       cache=os.path.join(self.top, "cache"), **options)

    def build(self, *systems):
        head, plan = self.describe(*systems)
        if head != "plan":
            raise RuntimeError(f"{head} {plan}")
        builder = Builder(self.host, plan, self.out, tempfile.mkdtemp(dir=self.scratch))
        builder.run()
        return builder

    def close(self):
        self.host.close()


def diagnostics(answer):
    return [plist(diag[1:]) for diag in answer["diagnostics"]]


# -- the protocol ----------------------------------------------------------------------------------

def test_protocol(world):
    root = world.host.root
    ok(root.ask(Keyword("memory"))[1] > 1000000, "memory is told in bytes")
    child = root.fork([Keyword("memory")])
    equal(child.receive()[0], "memory", "a forked child carries out the requests it is given")
    ok(child.pid != root.pid and os.path.exists(f"/proc/{child.pid}"), "it says its own pid")
    equal(os.getpgid(child.pid), child.pid, "it leads a process group")
    child.send([Keyword("exit")])
    equal(child.receive(), None, "exit ends it")
    while True:
        reaped = root.ask(Keyword("reap"))
        if len(reaped) > 1:
            break
    ok([child.pid, 0] in reaped[1:], "its parent reaps it with its status", reaped)
    text = 'a "quoted" \\ back\nslash, žluťoučký 😀'
    answer = root.steps(world.out, [Keyword("load"), text])
    ok(answer[0] == "steps-failed" and text in to_text(answer).replace('\\"', '"').replace(
        "\\\\", "\\"), "strings go and come as they are", answer)
    good = world.write("good.lisp", "(list)")
    root.steps(world.out, *[[Keyword("load"), path] for path in (good, text, good)])
    equal(world.host.marks()[-2:], [(root.pid, 0), (root.pid, 1)], "each step is marked before it begins")


def test_threads(world):
    path = world.write("thread.lisp", "(sb-thread:make-thread (lambda () (sleep 1000)))")
    child = world.host.root.fork()
    equal(child.steps(world.out, [Keyword("load"), path])[0], "steps-done", "a step may start a thread")
    answer = child.ask(Keyword("fork"), "word")
    equal(answer[:2], ["fork-failed", "word"], "then the image refuses to fork")
    child.close()


def has_huge_pages():
    folder = "/sys/kernel/mm/transparent_hugepage/"
    try:
        with open(folder + "enabled") as enabled, open(folder + "hpage_pmd_size") as size:
            return "[never]" not in enabled.read() and int(size.read()) == 2 << 20
    except OSError:
        return False


def heap_is_mapped(pid):
    """True if the beginning of the process's heap is mapped from a file, as the core was."""
    with open(f"/proc/{pid}/maps") as maps:
        line = next(line for line in maps if re.match("1[0-9a-f]00000000-", line))
    return "/" in line


def test_huge_pages(world):
    path = world.write("garbage.lisp", "(gc :full t)\n(assert (eql 3 (funcall (compile nil "
                       "'(lambda (list) (reduce #'+ list))) (list 1 2))))\n")
    image = world.host.root.fork()
    before = heap_is_mapped(image.pid)
    for child in [image.fork() for _ in range(10)]:
        child.close()
    equal((before, heap_is_mapped(image.pid)), (True, not has_huge_pages()),
          "a process that forks often gets the core's heap into huge pages")
    child = image.fork()
    equal(child.steps(world.out, [Keyword("load"), path])[0], "steps-done",
          "what is forked from it computes and collects garbage as before")
    equal(image.steps(world.out, [Keyword("load"), path])[0], "steps-done", "and so does itself")
    child.close()
    image.close()


def test_tenure(world):
    """With the collector's own checks of the whole heap, before and after."""
    path = world.write("tenure.lisp", """
(in-package :tenon-driver)
(assert (eq *tenures* (tables-known-p)))
(when *tenures*
  (flet ((word-of-runtime (name)
           (sb-sys:int-sap (sb-sys:find-foreign-symbol-address name))))
    (setf (sb-sys:sap-ref-8 (word-of-runtime "verify_gens") 0) 0
          (sb-sys:sap-ref-32 (word-of-runtime "pre_verify_gen_0") 0) 1))
  (assert (tenure-trial)))
""")
    image = world.host.root.fork()
    equal(image.steps(world.out, [Keyword("load"), path])[0], "steps-done",
          "what is tenured stays whole, and so does what it is changed to hold")
    image.close()


# -- describing ------------------------------------------------------------------------------------

def write_demo(world):
    world.write("demo.asd", """
(defsystem "demo" :version "1.2" :depends-on ("helper" (:require "sb-rotate-byte"))
  :components ((:file "package")
               (:module "src" :depends-on ("package") :serial t
                :components ((:file "macros") (:file "main" :if-feature :sbcl)
                             (:file "never" :if-feature :no-such-lisp)))
               (:static-file "README")))
(defsystem "demo/tests" :depends-on ("demo") :components ((:file "tests")))
""")
    world.write("helper/helper.asd",
                '(defsystem "helper" :components ((:file "helper")))')
    world.write("helper/helper.lisp", '(defpackage :helper (:use :cl) (:export #:help))\n'
                '(in-package :helper)\n(defun help (x) (list x))\n')
    world.write("package.lisp", "(defpackage :demo (:use :cl) (:export #:main))\n")
    world.write("src/macros.lisp", "(in-package :demo)\n(defmacro twice (x) `(* 2 ,x))\n"
                "(defvar *level* 1)\n(defstruct thing a)\n(defconstant +limit+ 10)\n")
    world.write("src/main.lisp",
                "(in-package :demo)\n(defun main (x) (helper:help (twice x)))\n"
                "(defgeneric area (x))\n(defun (setf level) (x) (setf *level* x))\n")
    world.write("tests.lisp", "(in-package :demo)\n(assert (equal (main 2) '(4)))\n")
    world.write("README", "A demo.")


def test_describe(world):
    write_demo(world)
    head, plan = world.describe("demo")
    equal(head, "plan", "a system is described")
    systems = {s["name"]: s for s in map(plist, plan["systems"])}
    equal(systems["demo"]["depends-on"], ["helper", "sb-rotate-byte"], "with its dependencies")
    equal(systems["demo"]["version"], "1.2", "and its version")
    equal(systems["demo"]["directory"], world.source + "/", "and its folder")
    actions = list(map(plist, plan["actions"]))
    compiles = [a for a in actions if a["kind"] == "compile"]
    equal([a["component"] for a in compiles if a["system"] == "demo"],
          [["package"], ["src", "macros"], ["src", "main"]],
          "its files in ASDF's order, without those of other features")
    source = world.source.lstrip("/")
    equal(compiles[-1]["outputs"], [source + "/src/main.fasl"], "outputs lie below OUT")
    equal(compiles[-1]["inputs"], [world.source + "/src/main.lisp"], "the source is the first input")
    ok(compiles[-1]["user-outputs"][0].endswith(world.source + "/src/main.fasl")
       and "/common-lisp/" in compiles[-1]["user-outputs"][0],
       "user outputs are in the user's cache", compiles[-1])
    loads = [a for a in actions if a["kind"] == "load"]
    equal(loads[-1]["inputs"], ["@" + source + "/src/main.fasl"], "a load reads what was made")
    equal([a["system"] for a in actions if a["kind"] == "require"], ["sb-rotate-byte"],
          "a module of the Lisp is required")
    order = {a["id"]: n for n, a in enumerate(actions)}
    ok(all(order[d] < order[a["id"]] for a in actions for d in a.get("deps", [])),
       "dependencies come first")
    ok(world.source + "/demo.asd" in plan["read"] and world.source + "/helper/" in plan["folders"],
       "what was read and listed is told", plan["read"])
    equal(plan["targets"], [["demo", actions[-1]["id"]]], "the target is the system's load")
    head, plan = world.describe(directory=world.source)
    equal([t[0] for t in plan["targets"]], ["demo"], "a folder's systems, without its tests")


def test_describe_failures(world):
    world.write("lonely.asd", '(defsystem "lonely" :depends-on ("alexandrla"))')
    world.write("alexandria.asd", '(defsystem "alexandria")')
    head, answer = world.describe("lonely")
    equal((head, answer["kind"], answer["name"], answer["required-by"], answer["near"]),
          ("describe-failed", "missing-system", "alexandrla", ["lonely"], ["alexandria"]),
          "a missing system: who asked for it, what is near")
    world.write("ring.asd", '(defsystem "ring" :components ((:file "a" :depends-on ("b"))'
                '(:file "b" :depends-on ("c")) (:file "c" :depends-on ("a"))))')
    head, answer = world.describe("ring")
    equal((answer["kind"], answer["cycle"]), ("cycle", ["a.lisp", "b.lisp", "c.lisp", "a.lisp"]),
          "a cycle of files")
    world.write("x.asd", '(defsystem "x" :depends-on ("y"))')
    world.write("y.asd", '(defsystem "y" :depends-on ("x"))')
    equal(world.describe("x")[1].get("cycle"), ["x", "y", "x"], "a cycle of systems")
    path = world.write("broken.asd", '(defsystem "broken"\n  :components ((:file "a"))\n')
    head, answer = world.describe("broken")
    place = (diagnostics(answer) or [{}])[0]
    equal((answer["kind"], answer.get("name"), place.get("kind"), place.get("file"),
           place.get("line")), ("asd-error", "broken", "reader", path, 1),
          "an .asd without its last bracket: where it opened")
    world.write("boom.asd", '(in-package :asdf-user)\n\n(error "boom at ~A" 7)\n')
    head, answer = world.describe("boom")
    place = diagnostics(answer)[0]
    equal((answer["kind"], answer["message"], place.get("line")), ("asd-error", "boom at 7", 3),
          "an .asd that errors: where")
    world.write("old.asd", '(defsystem "old" :depends-on ((:version "alexandria" "9")))')
    equal(world.describe("old")[1]["kind"], "version", "a version that is not there")


def test_definitions_that_load(world):
    world.write("tool.asd", '(defsystem "tool" :components ((:file "tool")))')
    world.write("tool.lisp", """
(defpackage :tool (:use :cl :asdf) (:export #:text-file)) (in-package :tool)
(defclass text-file (cl-source-file) ((type :initform "txt")))
(defclass make-lisp-op (downward-operation) ())
(defmethod input-files ((o make-lisp-op) (c text-file)) (list (component-pathname c)))
(defmethod output-files ((o make-lisp-op) (c text-file))
  (list (make-pathname :type "lisp" :defaults (component-pathname c))))
(defmethod perform ((o make-lisp-op) (c text-file))
  (with-open-file (in (first (input-files o c)))
    (with-open-file (out (first (output-files o c)) :direction :output :if-exists :supersede)
      (format out "(defparameter cl-user::*text* ~S)" (read-line in)))))
(defmethod component-depends-on ((o compile-op) (c text-file))
  `((make-lisp-op ,c) ,@(call-next-method)))
(defmethod input-files ((o compile-op) (c text-file)) (output-files 'make-lisp-op c))
""")
    world.write("user.asd", '(defsystem "user" :defsystem-depends-on ("tool")'
                ' :components (("tool:text-file" "words")))')
    world.write("words.txt", "some words\n")
    head, plan = world.describe("user")
    asds = {os.path.basename(a["path"]): a for a in map(plist, plan["asds"])}
    actions = {a["id"]: a for a in map(plist, plan["actions"])}
    equal([actions[i]["system"] for i in asds["user.asd"]["needs"]], ["tool"],
          "a definition needs the load of what it loads")
    kinds = [(a["kind"], a["op"].split(":")[-1]) for a in actions.values() if a["system"] == "user"]
    ok(("opaque", "MAKE-LISP-OP") in kinds and ("compile", "COMPILE-OP") in kinds,
       "an operation of its own with outputs is opaque", kinds)
    builder = world.build("user")
    equal(builder.problems, [], "it builds")
    made = os.path.join(world.out, world.source.lstrip("/"), "words.lisp")
    equal(open(made).read(), '(defparameter cl-user::*text* "some words")', "by its own method")


# -- building --------------------------------------------------------------------------------------

def test_build(world):
    write_demo(world)
    builder = world.build("demo/tests")
    equal(builder.problems, [], "a system and its tests are built and loaded, sandboxed")
    fasl = os.path.join(world.out, world.source.lstrip("/"), "src/main.fasl")
    data = open(fasl, "rb").read()
    ok(b'compiled from "demo:src/main.lisp"' in data, "the FASL's header has the logical name")
    ok(world.source.encode() not in data, "it does not know where it was made")
    steps = [[Keyword("load"), world.source + "/helper/helper.lisp"],
             [Keyword("load"), world.source + "/package.lisp"],
             [Keyword("load"), world.source + "/src/macros.lisp"],
             [Keyword("load"), world.source + "/src/main.lisp"]]
    names = [["function", "DEMO", "TWICE"], ["function", "DEMO", "MAIN"], ["package", "DEMO", ""],
             ["variable", "DEMO", "*LEVEL*"], ["variable", "DEMO", "+LIMIT+"],
             ["type", "DEMO", "THING"], ["function", "DEMO", "AREA"],
             ["function", "DEMO", "(SETF LEVEL)"], ["symbol", "DEMO", "MAIN"],
             ["function", "COMMON-LISP", "IF"], ["function", "DEMO", "NOWHERE"]]
    child = world.host.root.fork()
    answer = child.ask(Keyword("definers"), world.out,
                       [[Keyword(k), p, n] for k, p, n in names], *steps)
    found = {tuple(name): (index, kind) for name, index, kind in answer[1:]}
    equal(found, {("function", "DEMO", "TWICE"): (2, "macro"),
                  ("function", "DEMO", "MAIN"): (3, "function"),
                  ("package", "DEMO", ""): (1, "package"),
                  ("variable", "DEMO", "*LEVEL*"): (2, "special"),
                  ("variable", "DEMO", "+LIMIT+"): (2, "constant"),
                  ("type", "DEMO", "THING"): (2, "structure"),
                  ("function", "DEMO", "AREA"): (3, "generic"),
                  ("function", "DEMO", "(SETF LEVEL)"): (3, "function"),
                  ("symbol", "DEMO", "MAIN"): (1, "external"),
                  ("function", "COMMON-LISP", "IF"): (-1, "special-form")},
          "which step defines a name, and as what")
    child.close()


def test_survey(world):
    world.write("s.asd", '(defsystem "s" :serial t :components ((:file "package") (:file "base") (:file "use")))')
    world.write("package.lisp", "(defpackage :s (:use :cl))\n(defpackage :s2 (:use :cl) (:export #:far))\n")
    world.write("base.lisp", "(in-package :s)\n(defmacro twice (x) `(* 2 ,x))\n(defvar *level* 1)\n"
                "(defun later (x) x)\n(defun at-once () 1)\n(defun decoy () 1)\n(defclass thing () ())\n"
                "(define-condition trouble (error) ())\n(declaim (inline half))\n(defun half (x) (/ x 2))\n"
                "(defun (setf place) (x) x)\n(defun expanded (x) x)\n(defun other-lisps () 1)\n(defclass child (not-yet) ())\n")
    world.write("use.lisp", "(in-package :s)\n(defvar *made* (at-once))\n"
                "(defun use (decoy) (list decoy :decoy \"decoy\" (twice *level*) (later 1) (half 3)))\n"
                "(defclass more (thing) ())\n(defun fail () (error 'trouble))\n"
                "(defmacro template (x) `(expanded ,(car x)))\n"
                "(defun change (x) (setf (place) x) 's2:far)\n#+no-such-lisp (other-lisps) ; decoy\n")
    builder = world.build("s")
    equal(builder.problems, [], "a system to survey")
    action = [a for a in builder.actions.values() if a.get("component") == ["use"] and a["kind"] == "compile"][0]
    folder = os.path.join(world.scratch, "survey")
    os.makedirs(folder)
    form = [Keyword("survey")]
    for name, value in dict(op=action["op"], system="s", component=["use"], out=world.out, scratch=folder,
                            logical="s:use.lisp", policy="", seed="s:use.lisp", warnings=Keyword("default"),
                            sandbox=[folder]).items():
        form += [Keyword(name), value]
    child = world.host.root.fork()
    child.steps(world.out, [Keyword("asd"), world.source + "/s.asd", builder.asds[0]["features-before"]],
                *[[Keyword("load"), f"{world.source}/{name}.lisp"] for name in ("package", "base")])
    answer = child.ask(*form)
    equal(child.receive(), None, "a survey is the last thing that a process does")
    child.close()
    survey = plist(answer[1:])
    equal((answer[0], survey["status"], survey["loaded"]), ("surveyed", "ok", True), "a file is surveyed")
    names = {tuple(name) for name in survey["names"]}
    for name in (("function", "S", "TWICE"), ("variable", "S", "*LEVEL*"), ("function", "S", "LATER"),
                 ("function", "S", "AT-ONCE"), ("function", "S", "HALF"), ("type", "S", "THING"),
                 ("function", "S", "(SETF PLACE)"), ("package", "S", ""), ("package", "S2", ""),
                 ("symbol", "S2", "FAR")):
        ok(name in names, f"it looked up {name}", sorted(names))
    for name in (("function", "S", "DECOY"), ("type", "S", "TROUBLE"), ("function", "S", "OTHER-LISPS")):
        ok(name not in names, f"it did not look up {name}", sorted(names))
    mentions = {tuple(name) for name in survey["mentions"]}
    ok(("type", "S", "TROUBLE") in mentions, "a quoted symbol is a mention", sorted(mentions))
    ok(("function", "S", "EXPANDED") in mentions, "so is what a macro expands into", sorted(mentions))
    ok(("function", "S", "OTHER-LISPS") in mentions, "so is what the reader passes over", sorted(mentions))
    ok(("function", "S", "DECOY") not in mentions, "but nothing in comments and strings", sorted(mentions))
    wanted = sorted(names | mentions | {("type", "S", "NOT-YET")})
    child = world.host.root.fork()
    answer = child.ask(Keyword("changers"), world.out, [[Keyword(k), p, n] for k, p, n in wanted],
                       *[[Keyword("load"), f"{world.source}/{name}.lisp"] for name in ("package", "base")])
    child.close()
    equal(answer[1], [], "no step failed")
    changes = {tuple(name): [tuple(change) for change in all] for name, *all in answer[2:]}
    equal({name: changes.get(name) for name in
           (("function", "S", "TWICE"), ("variable", "S", "*LEVEL*"), ("function", "S", "LATER"),
            ("function", "S", "HALF"), ("type", "S", "THING"), ("type", "S", "TROUBLE"), ("package", "S2", ""),
            ("symbol", "S2", "FAR"), ("type", "S", "NOT-YET"), ("type", "S", "MORE"))},
          {("function", "S", "TWICE"): [(1, "macro")], ("variable", "S", "*LEVEL*"): [(1, "special")],
           ("function", "S", "LATER"): [(1, "function")], ("function", "S", "HALF"): [(1, "inline")],
           ("type", "S", "THING"): [(1, "class")], ("type", "S", "TROUBLE"): [(1, "class")],
           ("package", "S2", ""): [(0, "package")], ("symbol", "S2", "FAR"): [(0, "external")],
           ("type", "S", "NOT-YET"): None, ("type", "S", "MORE"): None},
          "which step changed what, and to what")


def test_inlined(world):
    """A header tells how much of others' code goes into its file's: whichever way that became inline."""
    files = {"inline": "(declaim (inline half quarter))\n(defun half (x) (floor x 2))\n(defun quarter (x) (half (half x)))\n",
             "once": "(defun once (x) (list (half x)))\n",
             "nested": "(defun nested (x) (list (quarter x)))\n",
             "none": "(defun none (x half) (list x half #'half))\n"}
    for name, text in files.items():
        world.write(name + ".lisp", "(in-package :cl-user)\n" + text)
    world.write("i.asd", '(defsystem "i" :serial t :components (%s))' % " ".join(f'(:file "{n}")' for n in files))
    builder = world.build("i")
    equal(builder.problems, [], "a system with inline functions")

    def inlined(*steps):
        image = world.host.root.fork()
        image.steps(world.out, [Keyword("asd"), world.source + "/i.asd", builder.asds[0]["features-before"]])
        answers = [image.steps(world.out, step) for step in steps]
        image.close()
        return [plist(answer[3][1:]).get("inlined") for answer in answers]
    compiles = {a["component"][0]: a for a in builder.actions.values() if a["kind"] == "compile"}
    headers = {name: [Keyword("header"), f"i:{name}.lisp", a["op"], "i", a["component"]] for name, a in compiles.items()}
    _, once, nested, none = inlined(*[headers[name] for name in files])
    ok(0 < once and 2 * once < nested, "what is inlined there in turn counts", (once, nested))
    equal(none, 0, "variables and function objects don't")
    equal(inlined([Keyword("load"), world.source + "/inline.lisp"], headers["nested"])[1:], [nested],
          "it does not matter how the function was loaded")


def test_known_header(world):
    """A header that takes too long ends its process, but not where it is known to end."""
    world.write("slow.lisp", "(in-package :cl-user) (defun sum (n) (let ((s 0)) (dotimes (i n s) (incf s i))))"
                             " (defparameter *n* (sum 2200000))\n")
    world.write("k.asd", '(defsystem "k" :components ((:file "slow")))')
    builder = world.build("k")
    equal(builder.problems, [], "a system that computes")
    action = next(a for a in builder.actions.values() if a["kind"] == "compile")
    header = [Keyword("header"), "k:slow.lisp", action["op"], "k", action["component"]]

    def make(*step):
        image = world.host.root.fork()
        image.steps(world.out, [Keyword("asd"), world.source + "/k.asd", builder.asds[0]["features-before"]])
        answer = image.steps(world.out, list(step))
        image.close()
        return answer and answer[0]
    equal(make(*header), None, "it is ended")
    equal(make(*header, "0"), "steps-done", "if it was made before, it is not")


def test_whole(world):
    world.write("odd.asd", """
(defclass odd-system (system) ())
(defmethod operate :before ((o load-op) (s odd-system) &key) (defparameter cl-user::*odd* 1))
(defsystem "odd" :class odd-system :depends-on ("even")
  :components ((:file "one") (:file "two" :depends-on ("one"))))
""")
    world.write("even.asd", '(in-package :asdf-user) (defsystem "even" :components ((:file "even")))')
    world.write("even.lisp", "(defmacro even () 2)")
    world.write("one.lisp", "(defun one () #.cl-user::*odd*)")
    world.write("two.lisp", "(defun two () (list (one) (even)))")
    builder = world.build("odd")
    equal(builder.problems, [], "a system with an OPERATE method of its own is built")
    whole = [a for a in builder.actions.values() if a["kind"] == "whole"]
    equal([len(a["outputs"]) for a in whole], [2], "whole, in one action")
    ok(builder.systems["odd"].get("whole"), "and the reason is told")


def test_nested_definitions(world):
    world.write("outer.asd", '(asdf:find-system "inner")\n(defsystem "outer")')
    world.write("inner.asd", '(defsystem "inner")')
    head, plan = world.describe("outer")
    asds = {os.path.basename(a["path"]): a for a in map(plist, plan["asds"])}
    equal(asds["outer.asd"].get("asds"), [asds["inner.asd"]["id"]],
          "a definition tells which others it loads")


def test_inferred(world):
    world.write("inf.asd", '(defsystem "inf" :class :package-inferred-system :depends-on ("inf/a"))')
    world.write("a.lisp", "(defpackage :inf/a (:use :cl :inf/sub/b))\n(in-package :inf/a)\n"
                "(defun a () (b))\n")
    world.write("sub/b.lisp", "(defpackage :inf/sub/b (:use :cl) (:export #:b))\n"
                "(in-package :inf/sub/b)\n(defun b () 1)\n")
    builder = world.build("inf")
    equal(builder.problems, [], "a package-inferred system is built")
    equal([a["system"] for a in builder.actions.values() if a["kind"] == "compile"],
          ["inf/sub/b", "inf/a"], "file by file")


def test_around_and_features(world):
    world.write("feat.asd", """
(pushnew :feat-added *features*)
(defsystem "feat" :components ((:file "f")))
(defmethod perform :around ((o compile-op) (c (eql (find-component (find-system "feat") "f"))))
  (let ((*features* (cons :feat-around *features*)) (*print-base* 8)) (call-next-method)))
(defmethod perform :after ((o load-op) (c (eql (find-system "feat"))))
  (setf (get :feat :loaded) t))
""")
    world.write("f.lisp", "#-(and feat-added feat-around) (error \"features\")\n"
                "(assert (= 8 (eval-when (:compile-toplevel) *print-base*) 8) () \"base\")\n"
                .replace("(assert (= 8 (eval-when (:compile-toplevel) *print-base*) 8) () \"base\")",
                         "(eval-when (:compile-toplevel) (assert (= *print-base* 8)))"))
    builder = world.build("feat")
    equal(builder.problems, [], "features and around methods of the definition hold in the image")
    effects = [a["op"] for a in builder.actions.values() if a["kind"] == "effect"]
    equal(effects, ["ASDF/LISP-ACTION:LOAD-OP"], "an after method makes the system's load an effect")


def digests(world, builder):
    found = {}
    for answer in builder.answers.values():
        for relative, _ in answer["outputs"]:
            with open(os.path.join(world.out, relative), "rb") as file:
                name = "/" + relative
                found[name[len(world.source):]] = hashlib.sha256(file.read()).hexdigest()
    return found


def test_determinism(first, second):
    text = ("(in-package :cl-user)\n(defmacro m () `(let ((,(gensym)) (,(gentemp))) ,(random 1000000)))\n"
            "(defun f () (m))\n(defparameter *x* '#:loose)\n(defclass c () ((a :initarg :a)))\n"
            "(defmethod print-object ((c c) s) (princ \"c\" s))\n")
    results = []
    for world, time in ((first, 1000000000), (second, 1500000000)):
        world.write("det.asd", '(defsystem "det" :components ((:file "d")))')
        os.utime(world.write("d.lisp", text), (time, time))
        builder = world.build("det")
        equal(builder.problems, [], "a system is built in " + os.path.basename(world.top))
        results.append(digests(world, builder))
    ok(results[0] and results[0] == results[1], "other folder, other time, same bytes", results)
    first.write("here.asd", '(defsystem "here" :components ((:file "h")))')
    first.write("h.lisp", "(defparameter *here* #.(namestring *compile-file-truename*))\n")
    answer = list(first.build("here").answers.values())[0]
    equal(plist(answer["facts"]).get("embeds-path"), True, "an output that knows its place is told of")
    equal(plist(answer["facts"]).get("embeds-out"), None, "it does not know the folder of outputs")
    first.write("there.asd", '(defsystem "there" :components ((:file "t")))')
    first.write("t.lisp", "(defparameter *there* #.(namestring (asdf:apply-output-translations "
                          "(uiop:pathname-directory-pathname *compile-file-truename*))))\n")
    answer = list(first.build("there").answers.values())[0]
    equal(plist(answer["facts"]).get("embeds-out"), True, "one that does is told of")


# -- diagnostics -----------------------------------------------------------------------------------

CASES = [
    ("unbalanced", "(defun ok () 1)\n\n(defun bad (x)\n  (let ((y x))\n    (list y x))\n\n(defun n () 2)\n",
     dict(severity="error", kind="reader", line=3, column=1, form="(defun bad (x)",
          hint="the form is not closed where the next one begins, in line 7")),
    ("extra", "(defun ok () 1))\n", dict(severity="error", kind="reader", line=1, column=16)),
    ("nopackage", "(defun f (x)\n  (nosuch:thing x))\n",
     dict(severity="error", kind="missing-package", name=["package", "NOSUCH", ""], line=2, column=4)),
    ("inpackage", "\n(in-package :nowhere)\n",
     dict(severity="error", kind="missing-package", name=["package", "NOWHERE", ""], line=2)),
    ("nosymbol", "(defun f (x) (cl:thing x))\n",
     dict(severity="error", kind="missing-symbol", name=["symbol", "COMMON-LISP", "THING"],
          line=1, column=15)),
    ("undefined", "(defun f (x)\n  ; a ( comment\n  (let ((y \")\"))\n    (nofun #+sbcl x #-sbcl (no) y)))\n",
     dict(severity="style-warning", kind="undefined-function", line=4, column=5,
          name=["function", "COMMON-LISP-USER", "NOFUN"], context="defun f")),
    ("backquote", "(defun f (x)\n  `(a #\\( ,@(nofun2 x)))\n",
     dict(kind="undefined-function", line=2, column=13)),
    ("variable", "(defun f () *nowhere*)\n",
     dict(severity="warning", kind="undefined-variable",
          name=["variable", "COMMON-LISP-USER", "*NOWHERE*"], line=1)),
    ("type", "(defun f (x) (typep x 'notype))\n",
     dict(severity="style-warning", kind="undefined-type",
          name=["type", "COMMON-LISP-USER", "NOTYPE"], line=1)),
    ("macro", '(defmacro m (x) (error "no ~A" x))\n(defun f ()\n  (progn\n    (m 3)))\n',
     dict(severity="error", kind="compile", line=4, column=5)),
    ("warned", "(defun f (x)\n  (declare (string x))\n  (+ 1 (car x)))\n",
     dict(severity="warning", kind="compile", line=3, column=8)),
    ("encoding", b'(defun f ()\n  "caf\xe9")\n', dict(severity="error", kind="encoding", line=2, column=7)),
    ("exits", "(eval-when (:compile-toplevel)\n  (sb-ext:exit :code 0 :abort t))\n",
     dict(severity="error", kind="other", message="the code called exit while it was being built", line=1)),
    ("heap", "(eval-when (:compile-toplevel)\n  (let (l) (loop (push (make-array 1000000) l))))\n",
     dict(severity="error", kind="heap", line=1)),
    ("stack", "(eval-when (:compile-toplevel)\n  (labels ((f (n) (+ 1 (f n)))) (print (f 1))))\n",
     dict(severity="error", hint="this is most likely a recursion without an end")),
    ("asks", '(eval-when (:compile-toplevel)\n  (y-or-n-p "sure?"))\n',
     dict(severity="error", message="end of file: there is no input")),
    ("breaks", '(eval-when (:compile-toplevel)\n  (break "here"))\n',
     dict(severity="error", message="here", line=1)),
    ("absent", None, dict(severity="error", kind="missing-file")),
]
FAILING = {"unbalanced", "extra", "nopackage", "inpackage", "nosymbol", "macro", "warned", "encoding",
           "exits", "heap", "stack", "asks", "breaks", "absent"}


def act_on(world, image, name, warnings="default", **more):
    folder = tempfile.mkdtemp(dir=world.scratch)
    return image.act(op="ASDF/LISP-ACTION:COMPILE-OP", system="cases", component=[name],
                     out=world.out, scratch=folder, logical=f"cases:{name}.lisp", policy="",
                     seed=name, warnings=Keyword(warnings), sandbox=[folder], **more)


def test_diagnostics(world):
    forbidden = os.path.join(world.top, "forbidden.txt")
    extra = [("writes", f'(eval-when (:compile-toplevel)\n  (with-open-file (o "{forbidden}" '
              ':direction :output) (print 1 o)))\n', None),
             ("relative", '(eval-when (:compile-toplevel)\n  (with-open-file (o "mine.txt" '
              ':direction :output) (print 1 o))\n (uiop:with-temporary-file (:stream s) (print 1 s)))\n', None),
             ("prints", '(eval-when (:compile-toplevel)\n  (dotimes (i 300000) (format t "line ~D~%" i)))\n',
              None),
             ("unused", "(defun f (x) 1)\n", None)]
    world.write("cases.asd", '(defsystem "cases" :components (%s))' % " ".join(
        f'(:file "{name}")' for name, _, _ in CASES + extra))
    for name, text, _ in CASES + extra:
        if text is not None:
            world.write(name + ".lisp", text)
    head, plan = world.describe("cases")
    asd = plist(plan["asds"][0])
    image = world.host.root.fork()
    image.steps(world.out, [Keyword("asd"), asd["path"], asd["features-before"]])
    for name, _, wanted in CASES:
        answer = act_on(world, image, name)
        equal(answer and str(answer["status"]), "failed" if name in FAILING else "ok",
              f"{name}: status")
        matches = [d for d in diagnostics(answer)
                   if all(d.get(key) == value for key, value in wanted.items())]
        ok(len(matches) == 1, f"{name}: the diagnostic", diagnostics(answer))
        ok(all(d["file"] == f"{world.source}/{name}.lisp" for d in matches), f"{name}: its file")
    answer = act_on(world, image, "undefined")
    equal(answer["undefined"], [["function", "COMMON-LISP-USER", "NOFUN"]], "undefined names are listed")
    wanted = [[Keyword("function"), "COMMON-LISP", "CAR"], [Keyword("function"), "COMMON-LISP-USER", "NOFUN"]]
    equal(act_on(world, image, "undefined", names=wanted)["kinds"], [[["function", "COMMON-LISP", "CAR"], "function"]],
          "what the names asked for are in the image")
    answer = act_on(world, image, "writes")
    ok(answer["status"] == "failed" and not os.path.exists(forbidden)
       and any("lies outside the action's outputs" in d.get("hint", "") for d in diagnostics(answer)),
       "a write outside is refused, and the message says so", answer)
    equal(str(act_on(world, image, "relative")["status"]), "ok",
          "the current folder and the temporary one may be written to")
    printed = act_on(world, image, "prints")["output"]
    ok(printed.startswith("line 0\n") and printed.endswith("line 299999\n") and len(printed) < 70000,
       "of what is printed the beginning and the end are kept")
    equal(str(act_on(world, image, "unused", "error")["status"]), "failed",
          "the strict policy fails for style warnings")
    equal(str(act_on(world, image, "warned", "ignore")["status"]), "ok",
          "the lax policy does not fail for warnings")
    image.close()


# -- size ------------------------------------------------------------------------------------------

def test_many_files(world):
    count = 3000
    world.write("many.asd", '(defsystem "many" :components (%s))' % "\n".join(
        f'(:file "f{i}"' + (f' :depends-on ("f{i - 1}" "f{i // 2}"))' if i else ")")
        for i in range(count)))
    for i in range(count):
        world.write(f"f{i}.lisp", "(print 1)")
    head, plan = world.describe("many")
    equal(len([a for a in plan["actions"] if plist(a)["kind"] == "compile"]), count,
          "a chain of 3,000 files is described")


# -- sessions --------------------------------------------------------------------------------------

def run_session(world, core, form, steps, typed=b""):
    path = os.path.join(world.top, "session")
    with open(path, "w", encoding="utf-8") as file:
        file.write(to_text([Keyword("session"), Keyword("out"), world.out, Keyword("steps"), steps,
                            Keyword("form"), form, Keyword("user-init"), None]))
    env = dict(os.environ, TENON_SESSION=path, LC_ALL="C.UTF-8")
    return subprocess.run(["sbcl", "--core", core, "--noinform", "--no-sysinit", "--no-userinit"],
                          env=env, input=typed, capture_output=True, timeout=60)


def test_session(world):
    path = world.write("s.lisp", '(defun greet (x) (format nil "héllo ~A" x))')
    steps = [[Keyword("load"), path]]
    run = run_session(world, world.core, '(greet 1) (values 1 "two")', steps)
    equal((run.returncode, run.stdout.decode()), (0, '"héllo 1"\n1\n"two"\n'),
          "eval prints each value")
    run = run_session(world, world.core, "(car 3)", steps)
    ok(run.returncode == 1 and b"LIST" in run.stderr and b"ackground" not in run.stderr,
       "an error is told and gives code 1", run.stderr)
    run = run_session(world, world.core, None, steps, b"(greet 2)\n(sb-ext:exit :code 5)\n")
    ok(run.returncode == 5 and "héllo 2" in run.stdout.decode(), "the prompt reads and prints", run)
    run = run_session(world, world.core, "1", [[Keyword("load"), "/nowhere.lisp"]])
    ok(run.returncode == 1 and b"/nowhere.lisp" in run.stderr, "a step that fails is told", run.stderr)


def main():
    core_folder = tempfile.mkdtemp(prefix="tenon-driver-")
    try:
        core = os.path.join(core_folder, "base.core")
        printed = make_core(sys.argv[1], core_folder)
        ok("caught WARNING" not in printed and "caught ERROR" not in printed,
           "the driver compiles without warnings", printed[-3000:])
        for test in (test_protocol, test_threads, test_huge_pages, test_tenure, test_describe,
                     test_describe_failures, test_definitions_that_load, test_build, test_survey,
                     test_inlined, test_known_header, test_whole, test_nested_definitions, test_inferred,
                     test_around_and_features, test_diagnostics, test_many_files, test_session):
            world = World(core, core_folder, test.__name__)
            try:
                test(world)
            except Exception as problem:  # the other tests still count
                ok(False, test.__name__, repr(problem))
            world.close()
        worlds = [World(core, core_folder, name) for name in ("first", "a-second-place")]
        test_determinism(*worlds)
        for world in worlds:
            world.close()
    finally:
        shutil.rmtree(core_folder, ignore_errors=True)
    print(f"1..{COUNT}")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
