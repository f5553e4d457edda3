#!/bin/bash
# Sources that are absent, not UTF-8, unbalanced, that do not compile or warn: what is said, and where.
# seconds: 30
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
rm use.lisp
expect_fail 2 build --keep-going
like "$(stderr)" 'use\.lisp' "it is named"
golden absent-file "$T_ERR"

printf '(in-package #:small)\n(defvar *name* "Fran\xe7ois")\n' >use.lisp
expect_fail 1 build --keep-going
like "$(diagnostics)" '^error	encoding	use\.lisp	2	' "a source that is not UTF-8 is told with its line"
golden not-utf-8 "$T_ERR"
printf '(in-package #:small)\n(defvar *name* "Fran\xc3\xa7ois")\n' >use.lisp
build_ok
eval_is '(char-code (char small::*name* 4))' 231 "as UTF-8 it is read" --module small

lisp use.lisp <<-'END'
	(in-package #:small)
	(defvar *a* 1)

	(defun open-here (x)
	  (let ((y x))
	    (+ x y))

	(defun after () 1)
END
expect_fail 1 build
like "$(diagnostics)" '^error	reader	use\.lisp	4	1	' "a missing parenthesis is told where its form begins"
golden unbalanced "$T_ERR"

printf '(in-package #:small)\n(defvar *a* 1))\n(defvar *b* 2)\n' >use.lisp
expect_fail 1 build
like "$(diagnostics)" '^error	reader	use\.lisp	2	15	' "one parenthesis too many is told where it is"

printf '(in-package #:small)\n(defun f (x)\n  (let ((y))\n    (frob:nicate x)))\n' >use.lisp
expect_fail 1 build
like "$(diagnostics)" '^error	(reader|missing-package)	use\.lisp	[24]	.*(frob|FROB)' "a missing package is told"

printf '(in-package #:small)\n(defun f (x)\n  (let ((y 1) . 2) x))\n' >use.lisp
expect_fail 1 build
like "$(diagnostics)" '^error	[a-z-]*	use\.lisp	[23]	' "an error of the compiler is told with its line"
golden compile-error "$T_ERR"

printf '(in-package #:small)\n(defun f (x)\n  (undefined-here x *undefined-there*))\n' >use.lisp
tenon build
like "$(diagnostics)" '^style-warning	undefined-function	use\.lisp	3	.*(undefined-here|UNDEFINED-HERE)' \
	"an undefined function is a style warning"
like "$(diagnostics)" '^warning	undefined-variable	use\.lisp	3	.*(undefined-there|UNDEFINED-THERE)' \
	"an undefined variable is a warning"
code=$CODE
first=$(diagnostics)
RECHECK=no tenon build
is "$CODE $(diagnostics)" "$code $first" "both are shown again by the next build"

printf '(in-package #:small)\n(defun f () (quote #.(ignore-errors (undefined-here 2))))\n' >use.lisp
tenon build
like "$(stderr)" '^small:use\.lisp: style-warning: .*UNDEFINED-HERE' "without a line, the file is told"
RECHECK=no tenon build
like "$(stderr)" '^small:use\.lisp: style-warning: .*UNDEFINED-HERE' "and again by the next build"
printf '(in-package #:small)\n(defun f (x)\n  (undefined-here x *undefined-there*))\n' >use.lisp
tenon build
tenon build --warnings=ignore
is "$CODE" 0 "--warnings=ignore builds it"
tenon build --warnings=fail
is "$CODE" 1 "--warnings=fail does not"

# COMPILE-FILE makes a macro's function twice; what only the first of them was warned of is no failure.
lisp use.lisp <<-'END'
	(in-package #:small)
	(eval-when (:compile-toplevel :load-toplevel :execute) (defvar *told* nil))
	(defmacro to-do () (unless (shiftf *told* t) (warn "still to do")) nil)
	(defmacro not-yet (x) (declare (ignore x)) (to-do))
END
tenon build
like "$CODE $(diagnostics)" '^0 warning	.*	use\.lisp	4	.*still to do' "a macro that warns once does not fail"
echo '(defun g () (let ((x 1)) (declare (type string x)) (length x)))' >>use.lisp
expect_fail 1 build
like "$(diagnostics)" '^warning	.*	use\.lisp	5	' "other warnings do, with such a macro"

# What a later file defines is no cause for a warning.
system small package macros use later
printf '(in-package #:small)\n(defun f (x) (later x))\n' >use.lisp
printf '(in-package #:small)\n(defun later (x) x)\n' >later.lisp
build_ok
is "$(diagnostics)" "" "a function that a later file defines is not warned about"

# NUL is a character like others to the Lisp; what is no source at all is told like other bad sources.
system nul nul
printf '(defun cl-user::|f\0| () "\0")\n(defun cl-user::g () (cl-user::|f\0|))\n(warn "\0")\n' >nul.lisp
build_ok nul
printf '\0ELF\1\2(a b c d\0\0\n;\0\n' >nul.lisp
expect_fail 1 build nul
like "$(diagnostics)" '^error	.*nul\.lisp	' "a source of NULs is told with its name"
unlike "$(stderr)" '<driver>' "and what is told of it is well-formed"

# Warnings of systems that are not the user's own are not shown, but for those that make a compile fail.
mkdir "$T_WORK/lib"
(cd "$T_WORK/lib" && system lib a b && echo '(defun cl-user::one (x) 1)' >a.lisp &&
	echo '(defun cl-user::two () (car 1))' >b.lisp)
export CL_SOURCE_REGISTRY="$T_WORK/lib//:"
DEPENDS=lib system uses-lib
expect_fail 1 build uses-lib
like "$(stderr)" 'b\.lisp:1:.*: warning: Constant 1 conflicts' "the warning that makes a library's compile fail is shown"
unlike "$(stderr)" 'a\.lisp:1' "one that doesn't is not"
unset CL_SOURCE_REGISTRY

# --keep-going: one bad file does not hide the other.
SERIAL=nil system two left right fine
printf '(defun l (x)' >left.lisp
printf '(defun r (x)' >right.lisp
echo '(defun fine () 1)' >fine.lisp
expect_fail 1 build --keep-going two
like "$(diagnostics)" 'left\.lisp' "with --keep-going the first bad file is told"
like "$(diagnostics)" 'right\.lisp' "and the second"
like "$(logged "$T_LOG" ran; logged "$T_LOG" current)" 'fine' "and the good one is built"
done_testing
