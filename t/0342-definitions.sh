#!/bin/bash
# Definitions of every kind, and what other files make of them while they are compiled.
# seconds: 25
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# edits FILE WANT: each line of standard input, OLD|NEW|NAME, is an edit of FILE that has WANT compiled.
edits() {
	local file=$1 want=$2 old new name
	while IFS='|' read -r old new name; do
		change "$file" "$old" "$new"
		edit "$want" "$name"
	done
}

# -- objects at macroexpansion time --
fresh classes methods use
lisp classes.lisp <<'E'
(defclass meta (standard-class) ())
(defmethod sb-mop:validate-superclass ((c meta) (s standard-class)) t)
(defclass thing () ((name :initarg :name :initform :none :accessor name) (list :initform (list 1) :reader items))
  (:metaclass meta))
(defclass mixin () ((mixed :initform :mixed :accessor mixed)))
(defclass both (mixin thing) () (:metaclass meta) (:default-initargs :name :default))
(defgeneric shown (x))
(define-method-combination joined () ((all ())) `(list :joined ,@(mapcar (lambda (m) `(call-method ,m)) all)))
(defgeneric parts (x) (:method-combination joined))
(define-condition trouble (error) ((what :initarg :what :reader what)) (:report (lambda (c s) (format s "T ~A" (what c)))))
E
lisp methods.lisp <<'E'
(defmethod shown ((x thing)) (list :thing (name x) (items x)))
(defmethod shown :around ((x mixin)) "Doc." (list :around (mixed x) (call-next-method)))
(defmethod shown ((x integer)) (list :integer x))
(defmethod parts ((x thing)) (name x))
(defmethod parts ((x mixin)) (mixed x))
(defmethod initialize-instance :after ((x both) &key) (setf (name x) (list :initialized (name x))))
(defmethod unused ((x integer)) x)
(defmacro show () `',(list (shown (make-instance 'both)) (parts (make-instance 'both))))
(defmacro slots () `',(mapcar #'sb-mop:slot-definition-name (sb-mop:class-slots (class-of (make-instance 'both)))))
(defmacro trouble-now () (handler-case (error 'trouble :what 1) (trouble (c) (princ-to-string c))))
E
lisp use.lisp <<'E'
(defun use () (list (show) (slots) (trouble-now)))
(defun make () (make-instance 'both :name 1))
E
edit 'classes methods use' "objects at macroexpansion time"
edits methods.lisp 'methods use' <<'E'
:thing (name|:a-thing (name|a primary method
:around (mixed|:all-around (mixed|an around method
(list :initialized|(list* :initialized|an initializer
parts ((x thing)) (name x))|parts ((x thing)) (list (name x)))|a method under a combination
((x mixin)) (mixed x))|((x mixin)) (list (mixed x)))|another
E
explained 'method "parts" in "methods.lisp"|method "parts \(2\)" in "methods.lisp"|"methods.lisp" shows' "a method is named"
edits methods.lisp 'methods' <<'E'
(list :integer x)|(list :an-integer x)|a method that nobody calls
((x integer)) x)|((x integer)) (list x))|another
E
edits classes.lisp '*' <<'E'
:initform :mixed|:initform :mixt|an initial value
:default-initargs :name :default|:default-initargs :name :other|a default argument
(list 1)|(list 2)|an initial form
(mixin thing)|(thing mixin)|the order of superclasses
:joined ,|:all-joined ,|a method combination
"T ~A"|"Trouble: ~A"|a report
(mixed :init|(more) (mixed :init|a slot
E

# -- setf, readers, values --
fresh package defs read use
lisp package.lisp <<'E'
(defpackage #:app (:use #:cl) (:export #:exported #:f))
E
lisp defs.lisp <<'E'
(in-package #:app)
(defun exported (x) x)
(defun (setf part) (new x) (setf (car x) new))
(defun part (x) (car x))
(defsetf short (x) (v) `(setf (second ,x) ,v))
(define-setf-expander long (x)
  (let ((v (gensym)))
    (values '() '() (list v) `(setf (third ,x) ,v) `(third ,x))))
(define-modify-macro doublef () double)
(defun double (x) (* 2 x))
(defmacro part-now () `',(let ((x (list 1))) (setf (part x) 2) x))
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defparameter *seen* (make-hash-table :test 'equal))
  (defun note (x) (setf (gethash x *seen*) (hash-table-count *seen*)))
  (defun read-bang (stream char) (declare (ignore char)) (list 'quote (list :bang (read stream t nil t))))
  (defun read-at (stream sub n) (declare (ignore sub n)) (list 'quote (list :at (read stream t nil t)))))
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun our-table ()
    (let ((table (copy-readtable nil)))
      (set-macro-character #\! 'read-bang nil table)
      (set-dispatch-macro-character #\# #\@ 'read-at table)
      table)))
(defmacro in-our-table () '(eval-when (:compile-toplevel :load-toplevel :execute) (setf *readtable* (our-table))))
(defstruct lit a)
(defmethod make-load-form ((x lit) &optional env) (declare (ignore env)) `(make-lit :a ',(list :loaded (lit-a x))))
(defmacro lit (x) (make-lit :a x))
E
lisp read.lisp <<'E'
(in-package #:app)
(note "read")
(eval-when (:compile-toplevel :load-toplevel :execute) (note "eval-when"))
(eval-when (:load-toplevel) (note "load"))
(in-our-table)
(defparameter *bang* !(a b))
(defun at () #@x)
E
lisp use.lisp <<'E'
(in-package #:app)
(in-our-table)
(defun use (x) (setf (short x) 1 (long x) 2 (part x) !z) (doublef x) (list #@y (part-now) (lit 3)))
(defun seen () '#.(loop for k being the hash-keys of *seen* using (hash-value v) collect (list k v)))
(defun f () (list (load-time-value (list 1)) 'exported))
E
edit 'defs package read use' "places, readers, values"
edits defs.lisp '*' <<'E'
(second ,x)|(fourth ,x)|defsetf
(third ,x)|(fifth ,x)|define-setf-expander
() double)|() triple)|define-modify-macro
(list :bang|(list :exclaimed|a reader macro
(list :at|(list :commercial-at|a dispatching reader macro
(list :loaded|(list :made|a load form
(setf (car x) new)|(setf (car x) (list new))|a setf function that a macro calls
(hash-table-count *seen*))|(1+ (hash-table-count *seen*)))|what files do when they are loaded
E
edits read.lisp '*' <<'E'
(note "load")|(note "loaded")|a form that is only loaded
(note "eval-when")|(note "always")|a form for compile time, too
!(a b)|!(a c)|what is read by a reader macro
#@x|#@z|in a body
E
change defs.lisp '(* 2 x)' '(+ x x)'
edit 'defs' "a function that nobody calls while compiling"
edits package.lisp 'defs package read use' <<'E'
#:exported #:f|#:exported #:f #:g|an export
(:use #:cl)|(:use #:cl) (:shadow #:map)|a shadowed symbol
(:shadow #:map)|(:shadow #:map) (:nicknames #:ap)|a nickname
(:nicknames #:ap)|(:nicknames #:ap) (:import-from #:sb-ext #:quit)|an import
E

done_testing
