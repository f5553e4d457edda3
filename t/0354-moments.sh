#!/bin/bash
# A function that is called at compile time, and in whose body stand macros that depend on the moment: on what was
# defined, registered or set when they were expanded. It gives what it gives where it was compiled.
# seconds: 25
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# same N TEXT NAME: --verify-headers finds the N FASLs of the system to be the same, and says TEXT of those that were
# compiled among FASLs anyway.
same() {
	RECHECK=no tenon build --verify-headers
	like "$CODE $(stdout)" "0 .*$1 of $1 FASLs are the same among headers and among FASLs \($2 have no headers" "$3" ||
		diag_file "$T_ERR"
}

# -- tables, lists and counters --

# shape CODE: CODE, which defines the function ALL, in a file of its own, between two things that are registered; and
# a file with a macro that calls it.
shapes=0
users=
shape() {
	shapes=$((shapes + 1))
	{
		echo "(register a$shapes)"
		echo "${1//ALL/all-$shapes}"
		echo "(register b$shapes)"
	} | lisp "shape-$shapes.lisp"
	lisp "user-$shapes.lisp" <<-E
		(defmacro macro-$shapes () \`',(all-$shapes))
		(defun user-$shapes () (macro-$shapes))
	E
	users="$users user-$shapes"
}

fresh
lisp base.lisp <<'E'
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defvar *table* (make-hash-table))
  (defvar *list* '())
  (defstruct counter (count 0))
  (defvar *counter* (make-counter))
  (defun odd-way (n) (even-way (1- n)))
  (defun even-way (n) (if (zerop n) (hash-table-count *table*) (odd-way (1- n)))))
(defmacro register (name)
  `(eval-when (:compile-toplevel :load-toplevel :execute)
     (push ',name *list*)
     (setf (gethash ',name *table*) t (get 'registered 'last) ',name)))
(defmacro names () `',(loop for name being the hash-keys of *table* collect name))
(defmacro listed () `',*list*)
(defmacro next () (incf (counter-count *counter*)))
(defmacro latest () `',(get 'registered 'last))
(defmacro size () (even-way 4))
(defmacro existing (name) (if (fboundp name) `(,name) :none))
(defmacro named () (if (find-symbol "LATE-SYMBOL" :cl-user) :there :none))
(defmacro featured () (if (member :registered *features*) t nil))
(defmacro around (&body body) `(list (size) ,@body (size)))
(defmacro define (name &body body) `(defun ,name () ,@body))
(defgeneric described (x) (:method (x) (list :any x)))
(defmacro description () `',(described 1))
E
shape "(defun ALL () (list (names) (listed) (latest) (featured)))"
shape "(defun other () (next)) (defun ALL () (next))"
shape "(defun ALL () (list (existing later) (named) (description)))"
shape "(defmethod ALL () (names))"
shape "(defgeneric ALL () (:method () (size)))"
shape "(defclass k () ((s :initform (size) :reader s))) (defun ALL () (s (make-instance 'k)))"
shape "(defstruct st (s (size))) (defun ALL () (st-s (make-st)))"
shape "(define-condition oops (error) ((n :initform (size) :reader n))) (defun ALL () (n (make-condition 'oops)))"
shape "(defun ALL () (flet ((f (&optional (y (size))) (loop for z in (list y (size)) collect (around z)))) (f)))"
shape "(defun ALL () (symbol-macrolet ((x (size))) (list x x)))"
shape "(defmacro inner () (list 'quote (names))) (defun ALL () (inner))"
shape "(let ((n 0)) (defun ALL () (incf n) (list n (size))))"
shape "(declaim (inline il)) (defun il (x) (list x (size))) (defun ALL () (il 1))"
shape "(define ALL (handler-case (around 1) (error () (names))))"
shape "(defvar *f* (let ((x 1)) (lambda () (list x (size))))) (defun ALL () (funcall *f*))"
shape "(defun ALL (&key (x (size)) &aux (y (latest))) (cond ((eql x y) 1) (t (case x (:a y) (t (list x (size)))))))"
shape "(defmacro via (x) (macroexpand-1 x)) (defmacro by (x) (eval x)) (defun ALL () (list (via (size)) (by (size))))"
shape "(defsetf place (x) (v) (list 'list x v '(size))) (defun ALL () (setf (place 1) 2))"
shape "(defun (setf sf) (v) (list v (size))) (defun ALL () (setf (sf) 3))"
shape "(deftype ty () (list 'integer 0 (size))) (defun ALL () (typep (size) 'ty))"
shape "(defun cell (&aux (v (load-time-value (list 0)))) (incf (car v))) (defun ALL () (cell) (list (cell) (size)))"
shape "(defun ALL () (list (load-time-value (hash-table-count *table*)) (load-time-value (counter-count *counter*))))"
lisp late.lisp <<'E'
(register c)
(defun later () :late)
(eval-when (:compile-toplevel :load-toplevel :execute)
  (intern "LATE-SYMBOL")
  (pushnew :registered *features*)
  (setf (cdr (last *list*)) (list :more)))
(defmethod described ((x integer)) (list :integer x))
E
# shellcheck disable=SC2046,SC2086
system small base $(seq -f 'shape-%g' $shapes) late $users
# The counter is not to be had among headers.
same $((2 + 2 * shapes)) 2 "tables, lists, counters, names, methods"

# alone WANT N CODE [LATE] NAME: the same of CODE alone, with LATE for what follows it; N files are compiled among FASLs,
# and the macro's value is WANT.
alone() {
	shapes=0
	[ $# = 4 ] || lisp late.lisp <<<"$4"
	shape "$3"
	system small base shape-1 late user-1
	# Nothing is to be known of the code before, whose files show the same.
	rm -rf .tenon "$XDG_CACHE_HOME/tenon"
	cp -al "$E_CLEAN/bare" "$XDG_CACHE_HOME/tenon"
	same 4 "$2" "${*: -1}"
	eval_is "(list (user-1))" "($1)" "${*: -1}: its value" --module small
}
alone '(A1)' 1 "(defun ALL () (names))" "a table"
alone '2' 2 "(defun other () (next)) (defun ALL () (next))" "a counter in a structure"
alone '(:NONE :NONE (:ANY 1))' 1 "(defun ALL () (list (existing later) (named) (description)))" "what is defined later"
alone 'NIL' 1 "(defmethod ALL () (featured))" "a feature, in a method"

# -- what a macro changes of its own --

bound="(eval-when (:compile-toplevel :load-toplevel :execute)
  (defvar *found* '())
  (defun find-in (x) (cond ((symbolp x) (pushnew x *found*)) ((consp x) (mapc #'find-in (rest x)))))
  (defun joined (&rest parts)
    (let ((name (make-string (reduce #'+ parts :key #'length))) (at 0))
      (dolist (part parts name) (replace name part :start1 at) (incf at (length part)))))
  (defun entered (x)
    (let ((table (make-hash-table)) (cell (list nil)))
      (setf (gethash x table) t (first cell) (hash-table-count table))
      cell)))
(defmacro found (form) (let ((*found* '())) (find-in form) \`',(reverse *found*)))
(defmacro found-last (form) (find-in form) \`',(first *found*))"
alone '((X Y))' 1 "$bound (defun ALL () (list (found (list x (list y)))))" "a variable that the macro binds"
alone '(A-STRING (1))' 1 "$bound (defmacro joint () (list 'quote (intern (joined \"A-\" \"STRING\"))))
	(defun ALL () (list (joint) (macrolet ((m () (list 'quote (entered :x)))) (m))))" "strings and tables that it makes"
alone 'X' 2 "$bound (defun ALL () (found-last (list x)))" "a variable that nobody binds"
alone '(1 2)' 2 "(eval-when (:compile-toplevel :load-toplevel :execute)
    (defvar *pair* (list 0 2))
    (defun change () (let ((x (list 1))) (setf x *pair*) (setf (first x) 1) x)))
	(defmacro changed () (list 'quote (copy-list (change)))) (defun ALL () (changed))" "what only seems to be its own"

# -- a package that is locked --

alone '(1 (:HIS 2))' 1 "(defpackage locked (:use :cl) #+sbcl (:lock t))
	(in-package :locked)
	(defmacro twice (x) (list 'list :mine x))
	(defun cl-user::ALL () (macrolet ((twice (x) (list 'list :his x))) (list 1 (twice 2))))
	(in-package :cl-user)" "a local macro there"

# -- what headers can't have --

alone '(1 1)' 2 "(defun ALL () (macrolet ((r () '(size))) (list (r) (r))))" "a local macro that makes forms of them"
alone '1' 1 "(macrolet ((r () '(size))) (defun ALL () (r)))" "a local macro around a function"
alone '1' 1 "(macrolet ((r () (hash-table-count *table*))) (defun ALL () (r)))" "one that looks at a table itself"
alone '1' 2 "(defun ALL () (macrolet ((r () (hash-table-count *table*))) (r)))" "a local macro that looks at a table"
alone '1' 2 "(defmacro plain (x) x) (defun ALL () (macrolet ((r (x) (list 'plain x))) (r (latest)) (r 1)))" \
	"a local macro that passes them on"

# -- what is defined anew --

alone ':OLD' 2 "(eval-when (:compile-toplevel :load-toplevel :execute) (defun helper () :old))
(defmacro helped () (helper)) (defun ALL () (helped))" \
	"(eval-when (:compile-toplevel :load-toplevel :execute) (defun helper () :new))" "a function that a macro calls"
alone ':OLD' 2 "(defmacro helped () :old) (defun ALL () (helped))" "(defmacro helped () :new)" "a macro"
alone ':OLD' 2 "(declaim (inline helper)) (defun helper () :old) (defun ALL () (helper))" \
	"(defun helper () :new)" "an inline function"
alone ':OLD' 2 "(define-symbol-macro thing :old) (defun ALL () thing)" "(define-symbol-macro thing :new)" \
	"a symbol macro"
rm -rf .tenon "$XDG_CACHE_HOME/tenon"
cp -al "$E_CLEAN/bare" "$XDG_CACHE_HOME/tenon"
RECHECK=no tenon build --verbose
like "$(stderr)" 'user-1.lisp" can.t be compiled among headers: .*was defined anew; trying FASLs' "--verbose says so"

# -- macros from FASLs, as in images of what an .asd file loads --

fresh
lisp tool.lisp <<'E'
(defpackage tool (:use :cl) (:export #:named #:registered #:register))
(in-package :tool)
(defvar *names* '())
(defun check (name) (if (symbolp name) name (error "no name: ~S" name)))
(defmacro named (name form) `(list ',(check name) ,form))
(defmacro registered () `',*names*)
(defun register (name) (push name *names*))
E
echo '(defsystem "tool" :components ((:file "tool")))' >tool.asd
lisp maker.lisp <<'E'
(defun plainly () (macrolet ((m (form) (list 'tool:named 'plain form))) (m (+ 1 2))))
E
lisp reader.lisp <<'E'
(defun read-late () (macrolet ((m () '(tool:registered))) (m)))
(eval-when (:compile-toplevel :load-toplevel :execute) (tool:register :late))
E
lisp user.lisp <<'E'
(defmacro plain () `',(plainly))
(defun user () (plain))
E
lisp late-user.lisp <<'E'
(defmacro late () `',(read-late))
(defun late-user () (late))
E
cat >small.asd <<'E'
(asdf:load-system "tool")
(defsystem "small" :depends-on ("tool")
  :components ((:file "maker") (:file "reader") (:file "user" :depends-on ("maker"))
               (:file "late-user" :depends-on ("reader"))))
E
RECHECK=no tenon build --verbose small
is "$CODE" 0 "a system whose definition loads another one"
unlike "$(stderr)" 'can.t be compiled among headers: the macro NAMED' "a macro that refers to nothing is the same at any time"
like "$(stderr)" 'late-user\.lisp" can.t be compiled among headers: the macro REGISTERED, .*depends on when it is expanded; trying FASLs' \
	"one that refers to a variable is not"
eval_is "(list (user) (late-user))" "((PLAIN 3) NIL)" "values" --module small
done_testing
