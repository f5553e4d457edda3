#!/usr/bin/python3
"""Makes a synthetic workspace of N units, for tenon and for ninja.

    gen.py --units N [--per-system 1000] [--chain 10] LISP-FOLDER NINJA-FOLDER

LISP-FOLDER gets systems of 1,000 tiny files each; within a system every file depends on the one before it in its chain
of ten (nothing across systems), and all on the system's package file. NINJA-FOLDER gets the same graph as build.ninja:
the same sources, an output for each, a rule that makes it. Only what is needed to measure a build that has nothing to
do; both are filled the same way."""
import argparse
import os


def unit_deps(index, chain):
    """Indexes within the system that a unit depends on: 0 is the package."""
    if index == 0:
        return []
    return [0] if (index - 1) % chain == 0 else [0, index - 1]


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def sizes(units, per_system):
    full, rest = divmod(units, per_system)
    return [per_system] * full + ([rest] if rest else [])


def name_of(index):
    return "package" if index == 0 else "u%04d" % index


def source_of(system, index, deps):
    if index == 0:
        return "(defpackage #:%s (:use #:common-lisp))\n" % system
    body = "(+ x (f%d x))" % deps[1] if len(deps) > 1 else "(1+ x)"
    return "(in-package #:%s)\n(defun f%d (x) %s)\n" % (system, index, body)


def generate_lisp(top, units, per_system=1000, chain=10):
    """Returns the names of the systems."""
    systems = []
    for s, size in enumerate(sizes(units, per_system)):
        system = "syn%03d" % s
        systems.append(system)
        folder = os.path.join(top, system)
        os.makedirs(folder, exist_ok=True)
        lines = ['(asdf:defsystem "%s"\n  :components (' % system]
        for i in range(size):
            deps = unit_deps(i, chain)
            on = " :depends-on (%s)" % " ".join('"%s"' % name_of(d) for d in deps) if deps else ""
            lines.append('(:file "%s"%s)\n               ' % (name_of(i), on))
            write(os.path.join(folder, name_of(i) + ".lisp"), source_of(system, i, deps))
        write(os.path.join(folder, system + ".asd"), "".join(lines).rstrip() + "))\n")
    write(os.path.join(top, "all.asd"),
          '(asdf:defsystem "all"\n  :depends-on (%s))\n' % " ".join('"%s"' % s for s in systems))
    return systems


def generate_ninja(top, units, per_system=1000, chain=10):
    out = ["rule compile\n  command = cat $in > $out\n\n"]
    for s, size in enumerate(sizes(units, per_system)):
        system = "syn%03d" % s
        os.makedirs(os.path.join(top, system), exist_ok=True)
        for i in range(size):
            deps = unit_deps(i, chain)
            source = "%s/%s.lisp" % (system, name_of(i))
            write(os.path.join(top, source), source_of(system, i, deps))
            on = " | " + " ".join("out/%s/%s.fasl" % (system, name_of(d)) for d in deps) if deps else ""
            out.append("build out/%s/%s.fasl: compile %s%s\n" % (system, name_of(i), source, on))
    write(os.path.join(top, "build.ninja"), "".join(out))


def serial_source(index):
    """A file of plain functions, a macro and a structure; it uses what the file before it defines."""
    out = ["(in-package #:serial)\n\n"]
    prev = index - 1
    out.append("(defmacro with-%d ((var form) &body body)\n  `(let ((,var ,form))\n     ,@body))\n\n" % index)
    out.append("(defstruct item-%d\n  (name \"\" :type string)\n  (size 0 :type fixnum))\n\n" % index)
    for k in range(4):
        call = "(with-%d (y (f%d-%d x)) (list y %d))" % (prev, prev, k, k) if prev else "(list x %d)" % k
        out.append('(defun f%d-%d (x)\n  "Number %d."\n  (let ((all (loop for i below %d collect (cons i x))))\n'
                   "    (dolist (pair all)\n      (when (and (consp pair) (eql (car pair) %d))\n"
                   "        (return-from f%d-%d (make-item-%d :name (format nil \"~A\" pair) :size %d))))\n"
                   "    %s))\n\n" % (index, k, k, k + 3, k, index, k, index, k, call))
    return "".join(out)


def generate_serial(top, units):
    """One system "serial" of `units` files, `:serial t`."""
    names = ["package"] + ["s%04d" % i for i in range(1, units)]
    write(os.path.join(top, "package.lisp"), "(defpackage #:serial (:use #:common-lisp))\n")
    for i in range(1, units):
        write(os.path.join(top, names[i] + ".lisp"), serial_source(i))
    write(os.path.join(top, "serial.asd"), '(asdf:defsystem "serial"\n  :serial t\n  :components (%s))\n' %
          "\n               ".join('(:file "%s")' % n for n in names))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, required=True)
    parser.add_argument("--per-system", type=int, default=1000)
    parser.add_argument("--chain", type=int, default=10)
    parser.add_argument("lisp_folder")
    parser.add_argument("ninja_folder")
    args = parser.parse_args()
    generate_lisp(args.lisp_folder, args.units, args.per_system, args.chain)
    generate_ninja(args.ninja_folder, args.units, args.per_system, args.chain)


if __name__ == "__main__":
    main()
