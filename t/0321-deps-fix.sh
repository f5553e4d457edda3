#!/bin/bash
# tenon deps --fix where declarations are missing, can't be edited, or turn out to be needed.
# seconds: 90
. "$(dirname "$0")/lib.sh"
need sbcl cl-alexandria

line() { awk -v want="$1" -v head="$2" '/^[^ ]/ { on = $1 == want } on && $1 == head { $1 = ""; print substr($0, 2) }' "$T_OUT"; }

# -- missing: a file, a system, a module --
mkdir missing && cd missing || exit 1
cat >m.asd <<-'END'
	(defsystem "m"
	  :components ((:module "base" :components ((:file "package") (:file "macros" :depends-on ("package"))))
	               (:module "top" ; on base
	                :components ((:file "a") (:file "b")))
	               (:file "last")))
END
lisp base/package.lisp <<-'END'
	(defpackage #:m (:use #:common-lisp))
END
lisp base/macros.lisp <<-'END'
	(in-package #:m)
	(defmacro twice (form) `(progn ,form ,form))
END
lisp top/a.lisp <<-'END'
	(in-package #:m)
	(defmacro thrice (form) `(progn ,form (twice ,form)))
END
lisp top/b.lisp <<-'END'
	(in-package #:m)
	(defun b (x) (thrice x))
END
lisp last.lisp <<-'END'
	(in-package #:m)
	(defun last-one (x) (twice (b x)))
END
expect_fail 1 build
tenon deps
is "$CODE" 1 "what is missing gives exit code 1"
is "$(line m:top missing)" base "a module lacks a module"
is "$(line m:top/b missing)" a "a file lacks a file"
is "$(line m:last missing)" base "a file lacks a module"
tenon deps --fix
is "$CODE" 0 "the fix goes through" || diag_file "$T_ERR"
cat >want.asd <<-'END'
	(defsystem "m"
	  :components ((:module "base" :components ((:file "package") (:file "macros" :depends-on ("package"))))
	               (:module "top"
	                :depends-on ("base") ; on base
	                :components ((:file "a") (:file "b" :depends-on ("a"))))
	               (:file "last" :depends-on ("base"))))
END
same_file m.asd want.asd "what was missing is there" || diag "$(diff want.asd m.asd)"
build_ok
cd ..

# -- :serial leads to the component before, and not past one that isn't there --
mkdir "$T_WORK/past" && cd "$T_WORK/past" || exit 1
cat >past.asd <<-'END'
	(defsystem "past" :serial t
	  :components ((:file "package")
	               (:file "away" :if-feature :no-such-feature)
	               (:file "a")
	               (:file "b")))
END
lisp package.lisp <<<'(defpackage #:past (:use #:common-lisp))'
lisp a.lisp <<<'(in-package #:past) (defun a () 1)'
lisp b.lisp <<<'(in-package #:past) (defun b () (a))'
expect_fail 1 build
tenon deps --fix
is "$CODE" 0 "what :serial does not bring is written" || diag_file "$T_ERR"
is "$(grep '"a"\|"b"' past.asd)" '               (:file "a" :depends-on ("package"))
               (:file "b")))' "where it is missed, and once"
build_ok
cd "$T_WORK/w" || exit 1

# -- :serial, conditions, and what is no plain text --
mkdir left && cd left || exit 1
cat >l.asd <<-'END'
	(defsystem "l" :author #1="somebody" :maintainer #1#
	  :components ((:file "package")
	               (:file "a" :depends-on ("package"))
	               #+sbcl (:file "b" :depends-on ("package" "a"))
	               (:file "c" :depends-on ("package" #+sbcl "b" (:feature :sbcl "a")))
	               (:file "d" :depends-on #.(list "package" "a"))
	               (:file "e" :depends-on #2=("package" "a"))
	               (:file "f" :depends-on #2#)
	               (:module "s" :depends-on ("package") :serial t
	                :components ((:file "one") (:file "two") (:file "three" :depends-on ("one"))))))
END
lisp package.lisp <<-'END'
	(defpackage #:l (:use #:common-lisp))
END
for f in a b c d e f s/one s/two s/three; do
	lisp $f.lisp <<-END
		(in-package #:l)
		(defun ${f#s/} () 1)
	END
done
tenon deps --fix
is "$CODE" 0 "what can be edited is" || diag_file "$T_ERR"
cat >want.asd <<-'END'
	(defsystem "l" :author #1="somebody" :maintainer #1#
	  :components ((:file "package")
	               (:file "a" :depends-on ("package"))
	               #+sbcl (:file "b" :depends-on ("package"))
	               (:file "c" :depends-on ("package" #+sbcl "b" (:feature :sbcl "a")))
	               (:file "d" :depends-on #.(list "package" "a"))
	               (:file "e" :depends-on #2=("package" "a"))
	               (:file "f" :depends-on #2#)
	               (:module "s" :depends-on ("package") :serial t
	                :components ((:file "one") (:file "two") (:file "three")))))
END
same_file l.asd want.asd "conditions, #., labels and :serial stay" || diag "$(diff want.asd l.asd)"
like "$(cat "$T_OUT")" '^.*l\.asd:6: l:d stays as it is: its :depends-on is not plain text' "what stays is told, with its line"
like "$(cat "$T_OUT")" '^.*l\.asd:7: l:e stays as it is: its :depends-on is not plain text' "also what has a label"
like "$(cat "$T_OUT")" '^.*l\.asd:8: l:f stays as it is: its :depends-on is not plain text' "and where it stands again"
like "$(cat "$T_OUT")" '^.*l\.asd:10: l:s/two stays as it is: it is :serial; --expand-serial' "and how to change it"
tenon deps --fix --expand-serial
is "$CODE" 0 "with --expand-serial" || diag_file "$T_ERR"
like "$(cat l.asd)" ':module "s" :depends-on \("package"\)$' ":serial is gone"
build_ok
cd ..

# -- what no name tells of --
mkdir hidden && cd hidden || exit 1
cat >h.asd <<-'END'
	(defsystem "h"
	  :components ((:file "package")
	               (:file "feature" :depends-on ("package"))
	               (:file "unused" :depends-on ("package"))
	               (:file "use" :depends-on ("package" "feature" "unused"))))
END
lisp package.lisp <<-'END'
	(defpackage #:h (:use #:common-lisp))
END
lisp feature.lisp <<-'END'
	(in-package #:h)
	(eval-when (:compile-toplevel :load-toplevel :execute) (pushnew :h-feature *features*))
END
lisp unused.lisp <<-'END'
	(in-package #:h)
	(defun unused () 1)
END
lisp use.lisp <<-'END'
	(in-package #:h)
	(defun use () #+h-feature 42 #-h-feature 23)
END
tenon deps --fix
is "$CODE" 0 "a feature that another file adds" || diag_file "$T_ERR"
like "$(cat "$T_OUT")" '^h:use keeps what it declares' "is found to be needed by the build"
like "$(cat h.asd)" '"use" :depends-on \(.*"feature"' "and stays declared"
eval_is '(h::use)' 42 "so the system is what it was" --module h
cd ..

# -- package-inferred systems: told of, never edited --
mkdir inferred && cd inferred || exit 1
cat >inf.asd <<-'END'
	(defsystem "inf" :class :package-inferred-system :depends-on ("inf/main"))
END
lisp base.lisp <<-'END'
	(defpackage #:inf/base (:use #:common-lisp) (:export #:twice))
	(in-package #:inf/base)
	(defmacro twice (form) `(progn ,form ,form))
END
lisp main.lisp <<-'END'
	(defpackage #:inf/main (:use #:common-lisp #:inf/base) (:import-from #:alexandria))
	(in-package #:inf/main)
	(defun main () (twice 1))
END
cp inf.asd before
tenon deps --fix inf
is "$CODE" 0 "a package-inferred system" || diag_file "$T_ERR"
like "$(cat "$T_OUT")" '^inf/main: nothing to edit, its dependencies are inferred from its source' "says why nothing is edited"
same_file inf.asd before "and nothing is"
cd ..

# -- a build that fails: everything is as it was --
mkdir broken && cd broken || exit 1
SERIAL=nil system br package a
sed -i 's/(:file "a")/(:file "a" :depends-on ("package" "package"))/' br.asd
lisp package.lisp <<-'END'
	(defpackage #:br (:use #:common-lisp))
END
lisp a.lisp <<-'END'
	(in-package #:br)
	(defun a () (undefined-here
END
cp br.asd before
tenon deps --fix
is "$CODE" 1 "what does not build is not touched"
same_file br.asd before "its definition is as it was"
cd ..

# -- a file that is another one each time: nothing can be verified --
mkdir clock && cd clock || exit 1
cat >c.asd <<-'END'
	(defsystem "c"
	  :components ((:file "package")
	               (:file "unused" :depends-on ("package"))
	               (:file "clock" :depends-on ("package" "unused"))))
END
lisp package.lisp <<-'END'
	(defpackage #:c (:use #:common-lisp))
END
lisp unused.lisp <<-'END'
	(in-package #:c)
END
lisp clock.lisp <<-'END'
	(in-package #:c)
	(defparameter *made* (macrolet ((now () (random (expt 10 15) (make-random-state t)))) (now)))
END
cp c.asd before
tenon deps --fix
is "$CODE" 1 "what does not build to the same is no fix"
like "$(stderr)" 'every \.asd file is as it was' "that is told"
same_file c.asd before "and everything is as it was"
cd ..

# -- a definition that can't be written to --
mkdir locked && cd locked || exit 1
small_system
SERIAL=nil system small package macros use
sed -i 's/(:file "macros")/(:file "macros" :depends-on ("package"))/; s/(:file "use")/(:file "use" :depends-on ("package" "macros"))/' small.asd
cp small.asd before
open_to_nobody
chmod 555 .
chmod 444 small.asd
WRAP=$(nobody_wrap) tenon deps --fix
chmod 755 .
is "$CODE" 3 "a read-only definition is an error of the environment" || diag_file "$T_ERR"
same_file small.asd before "and stays"
# -- what is there under a condition brings nothing along where it isn't --
mkdir -p "$T_WORK/condition" && cd "$T_WORK/condition" || exit 1
cat >condition.asd <<-'END'
	(defsystem "condition"
	  :components ((:file "package")
	               (:file "b" :depends-on ("package") :if-feature :sbcl)
	               #+sbcl (:file "c" :depends-on ("package" "b"))
	               #+sbcl (:file "d" :depends-on ("package" "c"))
	               (:file "e" :depends-on ("package" (:feature :sbcl "b")))
	               (:file "f" :depends-on ("package" "b" "e"))
	               (:file "g" :depends-on ("package" #+sbcl "d"))))
END
lisp package.lisp <<-'END'
	(defpackage #:condition-system (:use #:common-lisp))
	(in-package #:condition-system)
	(defmacro a (form) `(progn ,form))
END
for name in b:a c:b d:c e:b f:e g:d; do
	lisp "${name%:*}.lisp" <<-END
		(in-package #:condition-system)
		(defmacro ${name%:*} (form) \`(progn ,form))
		(defun ${name%:*}-uses (x) (${name#*:} (a x)))
	END
done
tenon deps --fix
is "$CODE" 0 "the fix goes through" || diag_file "$T_ERR"
sed -e 's/#+sbcl (:file "d" :depends-on ("package" "c"))/#+sbcl (:file "d" :depends-on ("c"))/' \
	-e 's/(:file "f" :depends-on ("package" "b" "e"))/(:file "f" :depends-on ("e"))/' condition.asd >want.asd
same_file condition.asd want.asd "only what is always there brings others along" || diag "$(cat condition.asd)"

# Another system of the workspace that lacks declarations does not keep this one from being mended.
mkdir -p "$T_WORK/w/two" && cd "$T_WORK/w/two" || bail "no folder"
cat >below.asd <<'END'
(defsystem "below" :components ((:file "p") (:file "q")))
END
echo '(defpackage :below (:use :cl) (:export #:f))' >p.lisp
echo '(in-package :below) (defun f () 1)' >q.lisp
cat >above.asd <<'END'
(defsystem "above" :depends-on ("below") :components ((:file "r") (:file "s")))
END
echo '(defpackage :above (:use :cl))' >r.lisp
echo '(in-package :above) (defun g () (below:f))' >s.lisp
RECHECK=no tenon deps above --fix
is "$CODE" 0 "what was asked for is mended"
like "$(cat above.asd)" '\(:file "s" :depends-on \("r"\)\)' "its list is written"
like "$(stdout)" '^below, which was not asked for, lacks declarations itself' "and the other one is told of"
expect_fail 1 build above
RECHECK=no tenon deps below --fix
is "$CODE" 0 "that is mended, too"
build_ok above

# -- a method for all operations, as clx has one, and a system that is defined per Lisp, as aserve's --
mkdir "$T_WORK/around" && cd "$T_WORK/around" || exit 1
cat >around.asd <<-'END'
	(defpackage #:around-system (:use #:common-lisp #:asdf))
	(in-package #:around-system)
	(defclass careful-file (cl-source-file) ())
	#-sbcl
	(defsystem "around" :components ((:file "package")))
	#+sbcl
	(defsystem "around" :default-component-class careful-file
	  :components ((:file "package") (:file "a" :depends-on ("package"))
	               (:file "b" :depends-on ("package" "a"))))
	(defsystem "around/plain"
	  :components (#-sbcl (:file "package") #+sbcl (:file "package" :pathname "other")
	               (:file "c" :depends-on ("package")) (:file "d" :depends-on ("package" "c"))))
	(defmethod perform :around (o (f careful-file)) (handler-bind ((warning #'muffle-warning)) (call-next-method)))
END
lisp package.lisp <<-'END'
	(defpackage #:around (:use #:common-lisp))
END
lisp other.lisp <<-'END'
	(defpackage #:around (:use #:common-lisp))
END
for name in a b c d; do
	lisp "$name.lisp" <<-END
		(in-package #:around)
		(defmacro $name (form) \`(progn ,form))
	END
done
echo '(defun two (x) (a x))' >>b.lisp
echo '(defun two (x) (c x))' >>d.lisp
tenon deps around
is "$CODE" 0 "nothing is missing"
is "$(line around:b declares)" "package, a" "what a file declares is known although its preparation does something"
like "$(cat "$T_OUT")" '^around:b  \(holds what can.t be judged: what it declares stays\)$' "and stays"
tenon deps around/plain --fix
is "$CODE" 0 "the fix goes through" || diag_file "$T_ERR"
sed 's/(:file "d" :depends-on ("package" "c"))/(:file "d" :depends-on ("c"))/' around.asd >want.asd
same_file around.asd want.asd "the component that this Lisp reads is meant" || diag "$(diff want.asd around.asd)"
done_testing
