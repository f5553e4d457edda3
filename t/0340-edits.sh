#!/bin/bash
# Edits of every kind, over definitions of every kind: what must be compiled is, and nothing else.
# seconds: 20
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# -- functions --
fresh util user top
lisp util.lisp <<'E'
(defun plain (x) "Doc." (list x 1))
(defun helper (x) (list 'quote (list x :helped)))
(defmacro help (x) (helper x))
E
lisp user.lisp <<'E'
(defun user (x) (plain x))
(defmacro via (x) `(help ,x))
E
lisp top.lisp <<'E'
(defun top (x) (cons (user x) (help a)))
(defun top-2 () (via b))
E
edit 'top user util' "a first build"
sed -i 's/(list x 1)/(list x 2 x)/' util.lisp
edit 'util' "the body of a function"
explained 'not recompiled: only the body of function "plain" in "util.lisp" changed' "explained"
sed -i 's/"Doc."/"Another text."/' util.lisp
edit 'util' "a docstring"
explained 'not recompiled: only comments or docstrings in "util.lisp" changed' "explained"
sed -i '1i ;;; A comment.' util.lisp
edit 'util' "a comment"
explained 'only comments or docstrings' "explained"
sed -i 's/:helped/:helped-more/' util.lisp
edit 'top util' "a function that a macro calls"
explained 'top.lisp: compiled because function "helper" in "util.lisp" changed and compiling this file calls it' "explained"
sed -i 's/(helper x))/(list (quote car) (helper x)))/' util.lisp
edit 'top util' "the body of a macro"
explained 'top.lisp: compiled because macro "help" in "util.lisp" changed and this file expands it' "explained"
sed -i 's/defun plain (x)/defun plain (x \&optional y)/; s/(list x 2 x)/(list x y)/' util.lisp
edit 'user util' "a lambda list"
explained 'user.lisp: compiled because function "plain" in "util.lisp" is another one and this file looks it up' \
	"explained"
echo '(defun new () 1)' >>util.lisp
edit 'util' "a new function"
sed -i '/defun new/d' util.lisp
edit '' "and gone again"

# -- what is compiled into others --
fresh defs mid use
lisp defs.lisp <<'E'
(declaim (inline tiny))
(defun tiny (x) (+ x 1))
(defstruct point (x 0 :type fixnum) y)
(defstruct (point-3 (:include point)) z)
(defconstant +k+ 3)
(deftype small () '(integer 0 10))
(defun even (x) (evenp x))
(deftype even-one () '(satisfies even))
(defun slow (x) (list x x))
(define-compiler-macro slow (x) `(list ,x ,x))
(define-symbol-macro %here (list 1 2))
(defvar *v* 1)
(declaim (type fixnum *v*))
(defparameter *p* (list 1 2))
E
lisp mid.lisp <<'E'
(defun mid () (list 1 *p*))
E
lisp use.lisp <<'E'
(defun use-tiny (x) (tiny x))
(defun use-point (p) (list (point-x p) (make-point :x 1) (point-3-z p)))
(defun use-k () +k+)
(defun use-type (x) (declare (type small x)) (+ x 1))
(defun use-even (x) (typep x 'even-one))
(defun use-slow (x) (slow x))
(defun use-here () %here)
(defun use-v () (+ *v* 1))
E
edit 'defs mid use' "definitions that are compiled into others"
while IFS='|' read -r old new what; do
	change defs.lisp "$old" "$new"
	edit '*' "$what"
done <<'E'
(+ x 1)|(+ x 2)|an inline function
fixnum) y)|fixnum) y w)|a slot of a structure
:type fixnum) y|:type (integer 0 7)) y|the type of a slot
+k+ 3|+k+ 4|a constant
integer 0 10|integer 0 100|a type
(list ,x ,x)|(list* ,x ,x nil)|a compiler macro
%here (list 1 2)|%here (list 1 3)|a symbol macro
(type fixnum *v*|(type (or null fixnum) *v*|a declamation
E
change defs.lisp '(evenp x)' '(oddp x)'
edit 'defs' "a predicate of a type that nobody calls while compiling"
change defs.lisp '*p* (list 1 2)' '*p* (list 4)'
edit 'defs mid use' "a value that is computed when the file is loaded"

done_testing
