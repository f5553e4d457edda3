#!/usr/bin/python3
"""Random edits of random systems: what an incremental build leaves must be what clean builds leave, byte for byte.

    random_edits.py --tenon FILE --work DIR [--seed N] [--edits N] [--systems N] [--keep]

Each system has a few files of definitions that use each other, at run time and at compile time. After each edit the
system is built, and built from nothing in another folder over another store, among headers and among FASLs. The output
is TAP, a line for each edit. The first difference ends the system; with --keep the sources of both sides stay in DIR.
A seed gives the same systems and edits everywhere."""
import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys


class Definition:
    """One top-level form, or a few: TEMPLATE with what may be edited in it.

    In a template, %n is the name, %v a number, %d a docstring's text, %e an expression for run time, %c one that is
    evaluated at compile time, %t a type."""

    def __init__(self, kind, name, rng):
        self.kind, self.name = kind, name
        self.value, self.doc, self.comment = rng.randrange(100), rng.randrange(100), None
        self.uses, self.computes, self.types = [], [], []
        self.optional = False

    def text(self):
        template = KINDS[self.kind][0]
        if callable(template):
            template = template(self)
        out = template.replace("%n", self.name).replace("%v", str(self.value)).replace("%d", "Text %d." % self.doc)
        out = out.replace("%o", " &optional more" if self.optional else "")
        for mark, values, none in (("%e", self.uses, "nil"), ("%c", self.computes, "nil"), ("%t", self.types, "t")):
            for k in range(out.count(mark)):
                out = out.replace(mark, values[k % len(values)] if values else none, 1)
        return (";; Comment %d.\n" % self.comment if self.comment is not None else "") + out + "\n"

    def references(self):
        return " ".join(self.uses + self.computes + self.types)


# kind: template, expressions for run time, for compile time, types. At compile time only what comes from files below
# is used.
KINDS = {
    "function": ("(defun %n (x%o) \"%d\" (list %v x %e %e))", ["(%n 1)", "(funcall #'%n 2)"],
                 ["(%n 1)", "(funcall '%n 2)", "(apply #'%n '(3))"], []),
    "macro": ("(defmacro %n (x) \"%d\" `(list %v ,x ',%c))", ["(%n 1)", "(%n 'a)"], ["(%n 1)"], []),
    "macro-body": ("(defmacro %n (&body body) (let ((g (gensym))) `(let ((,g %v)) (list ,g ,@body))))",
                   ["(%n 1 2)", "(%n)"], ["(%n 1)"], []),
    "inline": ("(declaim (inline %n))\n(defun %n (x) \"%d\" (list %v x))", ["(%n 1)"], ["(%n 1)"], []),
    "compiler-macro": ("(defun %n (x) (list %v x %e))\n(define-compiler-macro %n (x) `(list %v ,x :expanded))",
                       ["(%n 1)"], ["(%n 1)"], []),
    "constant": ("(defconstant %n %v \"%d\")", ["%n", "(+ %n 1)"], ["%n"], []),
    "computed-constant": ("(defconstant %n (if (equal %c %c) %v 1))", ["%n"], ["%n"], []),
    "symbol-macro": ("(define-symbol-macro %n (list %v %e))", ["%n"], ["%n"], []),
    "parameter": ("(defparameter %n (list %v %c) \"%d\")", ["%n"], ["%n"], []),
    "global": ("(sb-ext:defglobal %n (list %v))", ["%n"], ["%n"], []),
    "closure": ("(defparameter %n (lambda (x) (list %v x)))", ["(funcall %n 1)"], ["(funcall %n 1)"], []),
    "quoted-lambda": ("(defmacro %n-q (x) `',x)\n(defparameter %n (list (%n-q (lambda (x) %v))))", ["%n"], ["%n"], []),
    "let-over": ("(let ((n %v)) (defun %n () (list n %e)))", ["(%n)"], ["(%n)"], []),
    "macrolet": ("(macrolet ((local (x) `(list %v ,x)))\n  (defun %n (x) (local x)))", ["(%n 1)"], ["(%n 1)"], []),
    "macrolet-value": ("(macrolet ((local (x) `(list %v ,x)))\n  (defparameter %n (local 1)))", ["%n"], ["%n"], []),
    "symbol-macrolet": ("(symbol-macrolet ((local (list %v)))\n  (defun %n () local))", ["(%n)"], ["(%n)"], []),
    "type": ("(deftype %n () '(integer 0 %v))", ["(typep x '%n)"], ["(typep 50 '%n)"], ["%n"]),
    "type-of": ("(deftype %n (&optional (n %v)) (list 'or 'null (list 'integer 0 n) '%t))", ["(typep x '%n)"],
                ["(typep 50 '(%n))"], ["%n", "(%n 7)"]),
    "structure": ("(defstruct %n (a %v :type t) (b nil :type (or null %t)))", ["(%n-a (make-%n))", "(make-%n :a 1)"],
                  ["(%n-a (make-%n))"], ["%n"]),
    "class": ("(defclass %n () ((a :initform %v :initarg :a :accessor %n-a) (b :initform (list %v) :reader %n-b)))",
              ["(%n-a (make-instance '%n))"], ["(list (%n-a (make-instance '%n)) (%n-b (make-instance '%n)))"], ["%n"]),
    "generic": ("(defgeneric %n (x))\n(defmethod %n (x) (list %v x))\n(defmethod %n ((x integer)) "
                "(list :integer %v (call-next-method)))", ["(%n 1)"], ["(%n 1)", "(%n 'a)"], []),
    "register": ("(eval-when (:compile-toplevel :load-toplevel :execute) (setf (getf *table* :%n) (list %v)))", [],
                 [], []),
    "register-late": ("(push (list :%n %v) *late*)", [], [], []),
    "read-table": ("(defmacro %n () `'(%v ,*table* ,*late*))", ["(%n)"], ["(%n)"], []),
    "sharp-dot": ("(defun %n () '#.(list %v %c))", ["(%n)"], ["(%n)"], []),
    "computing-macro": ("(defmacro %n () `'(%v ,%c ,%c))", ["(%n)"], ["(%n)"], []),
    "setf": ("(defun %n (x) (car x))\n(defun (setf %n) (new x) (setf (car x) (list %v new)))",
             ["(let ((l (list 1))) (setf (%n l) 2) l)"], ["(let ((l (list 1))) (setf (%n l) 2) l)"], []),
    "defsetf": ("(defun %n (x) (car x))\n(defsetf %n (x) (new) `(setf (car ,x) (list %v ,new)))",
                ["(let ((l (list 1))) (setf (%n l) 2) l)"], ["(let ((l (list 1))) (setf (%n l) 2) l)"], []),
    "modify": ("(defun %n-by (x) (list %v x))\n(define-modify-macro %n () %n-by)", ["(let ((y 1)) (%n y) y)"],
               ["(let ((y 1)) (%n y) y)"], []),
    "ftype": ("(declaim (ftype (function (t) (values list &optional)) %n))\n(defun %n (x) (list %v x))", ["(%n 1)"],
              ["(%n 1)"], []),
    "variable-type": ("(declaim (type (integer 0 %v00) %n))\n(defvar %n %v)", ["(+ 1 %n)"], ["%n"], []),
    "policy": ("(declaim (optimize (debug 1) (speed 1)))\n(defun %n (x) (list x %v))", ["(%n 1)"], ["(%n 1)"], []),
    "documentation": ("(defun %n () \"%d\" %v)\n(defmacro %n-doc () (documentation '%n 'function))", ["(%n-doc)"],
                      ["(%n-doc)"], []),
    "names": ("(defparameter %n '(#:a%v b))\n(defmacro %n-names () `',(mapcar #'symbol-name %n))", ["(%n-names)"],
              ["(%n-names)"], []),
    "set-function": ("(setf (symbol-function '%n) (lambda (x) (list %v x)))\n(declaim (ftype function %n))", ["(%n 1)"],
                     ["(%n 1)"], []),
    "set-macro": ("(eval-when (:compile-toplevel :load-toplevel :execute)\n  (setf (macro-function '%n) (lambda (form "
                  "env) (declare (ignore env)) `(list %v ',(rest form)))))", ["(%n 1)"], ["(%n 1)"], []),
    "memo": ("(defvar %n-memo nil)\n(defun %n-compute () (list %v %c))\n(defun %n () (or %n-memo (setf %n-memo "
             "(%n-compute))))", ["(%n)"], ["(%n)"], []),
    "thread": ("(defun %n () (sb-thread:join-thread (sb-thread:make-thread (lambda () (list %v %e)))))", [],
               ["(%n)"], []),
    "compiled": ("(defun %n () (funcall (compile nil '(lambda () (list %v)))))", ["(%n)"], ["(%n)"], []),
    "several": ("(progn (defvar %n (list %v)) (defun %n-get () %n) (defmacro %n-m () `'(%v ,@(%n-get))))",
                ["(%n-get)", "(%n-m)"], ["(%n-m)"], []),
    "load-time": ("(defun %n () (load-time-value (list %v %e)))", ["(%n)"], [], []),
    "reader": ("(eval-when (:compile-toplevel :load-toplevel :execute)\n  (defun %n-read (stream char) (declare (ignore "
               "char)) (list 'quote (list %v (read-char stream)))))\n(defmacro %n-on () '(eval-when "
               "(:compile-toplevel :load-toplevel :execute) (setf *readtable* (copy-readtable)) (set-macro-character "
               "#\\! '%n-read)))", [], ["(second (%n-read (make-string-input-stream \"a\") #\\!))"], []),
    "expander": ("(define-setf-expander %n (x) (let ((g (gensym))) (values nil nil (list g) `(setf (car ,x) (list %v "
                 ",g)) `(car ,x))))", ["(let ((l (list 1))) (setf (%n l) 2) l)"], [], []),
    "optional": ("(defun %n (x &key (y %v) (z %c)) (list x y z %e))", ["(%n 1 :y 2)"], ["(%n 1)"], []),
    "condition": ("(define-condition %n (error) ((a :initarg :a :initform %v :reader %n-a)) (:report (lambda (c s) "
                  "(format s \"~A %v\" (%n-a c)))))", ["(make-condition '%n :a 1)"],
                  ["(princ-to-string (make-condition '%n))"], ["%n"]),
    "filler": ("(defun %n (x) (list (setf (getf *table* x) (list %v x)) %e))", [], ["(%n :a)", "(%n :%n)"], []),
    "late-filler": ("(defun %n (x) (push (list %v x) *late*) (list x))", [], ["(%n :a)"], []),
    "chooser": ("(defvar %n-a (list 1))\n(defvar %n-b (list 1))\n(defun %n () (if (evenp %v) %n-a %n-b))", ["(%n)"],
                ["(setf (car (%n)) 7)", "(list %n-a %n-b)", "(setf (car (%n)) '(%v))"], []),
    "cell": ("(let ((cell (list %v)))\n  (defun %n (&optional x) (if x (setf (car cell) x) (car cell))))", ["(%n)"],
             ["(%n 1)", "(%n)", "(%n '(%v))"], []),
    "same": ("(defun %n (x) (list x (if (< %v 200) 1 2)))", ["(%n 1)"], ["(%n 1)", "(%n '%n)"], []),
    # Functions of a few names, which may be there or not when somebody asks.
    "some-function": (lambda d: "(defun maybe-%d (x) (list %%v x))" % (int(d.name[1:]) % 3), [], [], []),
    "some-setter": (lambda d: "(defun (setf maybe-%d) (new x) (list %%v new x))" % (int(d.name[1:]) % 3), [], [], []),
    "caller": (lambda d: "(defun %%n (x) (list %%v (maybe-%d x)))" % (d.value % 3), ["(%n 1)"], [], []),
    "setting": (lambda d: "(defun %%n (x) (setf (maybe-%d x) %%v))" % (d.value % 3), ["(%n 1)"], [], []),
    "asks": (lambda d: "(defmacro %%n () (if (fboundp 'maybe-%d) ''(%%v) nil))" % (d.value % 3), ["(%n)"], ["(%n)"], []),
    "asks-by-function": (lambda d: "(defun %%n () (if (fboundp 'maybe-%d) (list %%v) nil))" % (d.value % 3), ["(%n)"],
                         ["(%n)"], []),
    "asks-compiled": (lambda d: "(macrolet ((ask () (if (fboundp 'maybe-%d) ''(%%v) nil)))\n  (defun %%n () (ask)))"
                      % (d.value % 3), ["(%n)"], ["(%n)"], []),
    "asks-setter": (lambda d: "(defmacro %%n () (if (fboundp '(setf maybe-%d)) ''(%%v) nil))" % (d.value % 3), ["(%n)"],
                    ["(%n)"], []),
    "tries": (lambda d: "(defmacro %%n () `'(%%v ,(ignore-errors (maybe-%d 1))))" % (d.value % 3), ["(%n)"], ["(%n)"],
              []),
    "counts": ("(defmacro %n () (list 'quote (list %v (loop for s being the present-symbols of :cl-user\n"
               "  count (and (fboundp s) (eql 0 (search \"MAYBE-\" (symbol-name s))))))))", ["(%n)"], ["(%n)"], []),
    "add-method": (lambda d: "(defmethod shown ((x (eql %v))) (list :%n %v %e))", ["(shown %v)"], ["(shown %v)"], []),
}


class File:
    def __init__(self, name):
        self.name, self.definitions, self.below = name, [], []

    def text(self):
        return "(in-package #:cl-user)\n\n" + "\n".join(d.text() for d in self.definitions)


class System:
    """Files, the first of which is below all others."""

    def __init__(self, rng):
        self.rng, self.count, self.files = rng, 0, []
        self.serial = rng.random() < 0.5
        base = File("base")
        base.fixed = ("(eval-when (:compile-toplevel :load-toplevel :execute) (defvar *table* '()))\n"
                      "(defvar *late* '())\n(defgeneric shown (x))\n(defmethod shown (x) x)\n")
        self.files.append(base)
        for _ in range(rng.randrange(2, 6)):
            self.add_file()
        for _ in range(rng.randrange(8, 24)):
            self.add_definition()

    def add_file(self):
        f = File("file-%d" % self.fresh())
        f.fixed = ""
        others = self.files[1:]
        f.below = list(others) if self.serial else [o for o in others if self.rng.random() < 0.4]
        self.files.append(f)

    def fresh(self):
        self.count += 1
        return self.count

    def closure(self, f):
        found = []
        for g in self.files:
            if g is self.files[0] or g in f.below or any(g in self.closure(b) for b in f.below):
                if g is not f:
                    found.append(g)
        return found

    def expressions(self, f, before, column):
        """What may be used in file F behind the definitions BEFORE: of files below it, and of itself at run time."""
        found = []
        for g in self.closure(f):
            found += [e.replace("%n", d.name).replace("%v", str(d.value)) for d in g.definitions
                      for e in KINDS[d.kind][column]]
        if column == 1:
            found += [e.replace("%n", d.name).replace("%v", str(d.value)) for d in before for e in KINDS[d.kind][1]
                      if d.kind in ("function", "macro-body", "inline", "closure", "ftype", "let-over", "optional")]
        return found

    def choose(self, d, f, before):
        def some(column, n):
            found = self.expressions(f, before, column)
            return [self.rng.choice(found) for _ in range(n)] if found else []
        d.uses, d.computes, d.types = some(1, 2), some(2, 2), some(3, 1)

    def add_definition(self):
        f = self.rng.choice(self.files)
        kind = self.rng.choice(sorted(KINDS))
        d = Definition(kind, "n%d" % self.fresh(), self.rng)
        at = self.rng.randrange(len(f.definitions) + 1)
        self.choose(d, f, f.definitions[:at])
        f.definitions.insert(at, d)
        return "new %s %s in %s" % (kind, d.name, f.name)

    def used(self, d):
        import re
        word = re.compile(r"[(' :]" + d.name + r"(?![0-9])|^" + d.name + r"(?![0-9])")
        return any(word.search(o.references()) for g in self.files for o in g.definitions if o is not d)

    def edit(self):
        """One random edit; what it was."""
        rng = self.rng
        f, d = rng.choice([(f, d) for f in self.files for d in f.definitions])
        what = rng.random()
        where = "%s %s in %s" % (d.kind, d.name, f.name)
        if what < 0.45:
            # What names the definition's own number has to be told.
            if d.kind == "add-method":
                return self.edit()
            d.value = (d.value + 1 + rng.randrange(98)) % 100
            return "value of " + where
        if what < 0.53:
            d.doc += 1
            return "docstring of " + where
        if what < 0.60:
            d.comment = rng.randrange(100)
            return "comment before " + where
        if what < 0.72:
            self.choose(d, f, f.definitions[:f.definitions.index(d)])
            return "uses of " + where
        if what < 0.76 and "%o" in str(KINDS[d.kind][0]):
            d.optional = not d.optional
            return "lambda list of " + where
        if what < 0.86:
            return self.add_definition()
        if what < 0.92:
            if not self.used(d):
                f.definitions.remove(d)
                return "without " + where
            return self.edit()
        if what < 0.95 and len(self.files) < 8:
            self.add_file()
            f = self.files[-1]
            d = Definition("function", "n%d" % self.fresh(), rng)
            self.choose(d, f, [])
            f.definitions.append(d)
            return "new file " + f.name
        if what < 0.97 and len(f.definitions) > 1:
            i = rng.randrange(len(f.definitions) - 1)
            a, b = f.definitions[i], f.definitions[i + 1]
            if a.name + " " not in b.references() + " " and a.name not in b.references():
                f.definitions[i], f.definitions[i + 1] = b, a
                return "order of %s and %s in %s" % (a.name, b.name, f.name)
        return self.edit()

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        parts = []
        for f in self.files:
            below = [] if f is self.files[0] else ["base"] + [g.name for g in f.below]
            parts.append('  (:file "%s" :depends-on (%s))' % (f.name, " ".join('"%s"' % b for b in below)))
        contents = {"random.asd": '(asdf:defsystem "random" :components (\n%s))\n' % "\n".join(parts)}
        for f in self.files:
            contents[f.name + ".lisp"] = f.fixed + f.text()
        for name in os.listdir(folder):
            if not name.startswith(".") and name not in contents:
                os.unlink(os.path.join(folder, name))
        for name, text in contents.items():
            path = os.path.join(folder, name)
            if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
                with open(path, "w", encoding="utf-8") as out:
                    out.write(text)


class Runner:
    def __init__(self, args):
        self.tenon, self.work = os.path.abspath(args.tenon), os.path.abspath(args.work)
        self.bare, self.stores = os.path.join(self.work, "bare"), {}
        if not os.path.isdir(self.bare):
            first = os.path.join(self.work, "first")
            os.makedirs(first)
            for name, text in (("first.asd", '(asdf:defsystem "first" :components ((:file "a")))'), ("a.lisp", "")):
                with open(os.path.join(first, name), "w", encoding="utf-8") as out:
                    out.write(text)
            code, text = self.build(first, self.bare, "--no-snapshots")  # the base core first, and no process stays
            if code:
                sys.exit("Bail out! no base core: " + text)
            for name in os.listdir(self.bare):
                if name.startswith("history"):
                    os.unlink(os.path.join(self.bare, name))

    def store(self, name):
        """A new one each time: a process that saves an image may still write to the last one."""
        number = self.stores[name] = self.stores.get(name, 0) + 1
        path = os.path.join(self.work, "%s-%d" % (name, number))
        shutil.rmtree(os.path.join(self.work, "%s-%d" % (name, number - 1)), ignore_errors=True)
        shutil.copytree(self.bare, path, copy_function=os.link)
        return path

    def build(self, folder, store, *more):
        p = subprocess.run([self.tenon, "build", "-q", "-C", folder, "--store=" + store, *more], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return p.returncode, p.stdout.decode("utf-8", "replace")

    def fasls(self, folder):
        out, found = folder + "/.tenon/out/default" + folder, {}
        for name in sorted(os.listdir(out)) if os.path.isdir(out) else []:
            with open(os.path.join(out, name), "rb") as f:
                found[name] = hashlib.sha256(f.read()).hexdigest()
        return found

    def clean(self, system, *more):
        folder = os.path.join(self.work, "clean")
        shutil.rmtree(folder, ignore_errors=True)
        system.write(folder)
        code, text = self.build(folder, self.store("clean-store"), *more)
        return code, text, self.fasls(folder)


def differing(a, b):
    return sorted(n for n in set(a) | set(b) if a.get(n) != b.get(n))


def check(runner, system, folder, store):
    """The problem, empty if all is well, and whether the system builds."""
    code, text = runner.build(folder, store)
    have = {n: d for n, d in runner.fasls(folder).items() if n[:-5] in {f.name for f in system.files}}
    for more in ((), ("--no-headers",)):
        kind = "among FASLs" if more else "among headers"
        want_code, want_text, want = runner.clean(system, *more)
        if code != want_code:
            return "exit code %d, of a clean build %s %d\n%s\n%s" % (code, kind, want_code, text, want_text), False
        if code == 0 and have != want:
            return "%s not as a clean build %s leaves it" % (", ".join(differing(have, want)), kind), True
    return "", code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=10, help="of each system")
    parser.add_argument("--systems", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    runner, count, bad = Runner(args), 0, 0
    for seed in range(args.seed, args.seed + args.systems):
        system = System(random.Random(seed))
        folder, store = os.path.join(runner.work, "edited"), runner.store("store")
        shutil.rmtree(folder, ignore_errors=True)
        for k in range(args.edits + 1):
            what = system.edit() if k else "a first build"
            system.write(folder)
            problem, builds = check(runner, system, folder, store)
            count += 1
            print("%sok %d - seed %d, edit %d: %s%s" % ("not " if problem else "", count, seed, k, what,
                                                        "" if builds or problem else " (fails everywhere)"), flush=True)
            if problem:
                bad += 1
                print("".join("# %s\n" % line for line in problem.splitlines()[:40]), end="", flush=True)
                if args.keep:
                    kept = os.path.join(runner.work, "kept-%d-%d" % (seed, k))
                    shutil.rmtree(kept, ignore_errors=True)
                    shutil.copytree(folder, kept)
                break
    print("1..%d" % count)
    shutil.rmtree(os.path.join(runner.work, "clean"), ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
