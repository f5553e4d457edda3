#!/bin/bash
# Methods that macros call, and what pretty printing calls of a file: both behave among headers as when they are
# compiled, and cost no file its header.
# seconds: 10
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# from_headers TEXT: the build needed no FASL in an image, and what the macros gave is TEXT.
from_headers() {
	RECHECK=no tenon build --verbose
	is "$CODE" 0 "$2: it is built"
	unlike "$(stderr)" 'gets no header|trying FASLs|made apart' "$2: all headers are there" || diag_file "$T_ERR"
	eval_is "cl-user::*value*" "$1" "$2: what compiled methods give" --module small
}

fresh classes methods macros user
lisp classes.lisp <<'E'
(defclass root () ())
(defclass base (root) ())
(defclass client (base) ())
(defvar *default* '(nil))
E
lisp methods.lisp <<'E'
(defgeneric told (client thing how) (:argument-precedence-order thing client how))
(defmethod told :around ((c root) thing how)
  (if (eq thing :stop) (list :stopped) (call-next-method)))
(defmethod told ((c base) thing how) (list :base thing how))
(defmethod told ((c client) (thing cons) how) (list :cons (call-next-method) (next-method-p)))
(defmethod told ((c client) (thing symbol) how) (list :symbol (call-next-method c thing (list how))))
(defmethod told ((c client) (thing string) how)
  (handler-case (call-next-method c 1 how) (error () :other-methods-for-that)))

(defgeneric alone (c))
(defmethod alone ((c client)) (call-next-method))
(defmethod no-next-method ((g (eql #'alone)) method &rest arguments)
  (declare (ignore arguments))
  (list :none (sb-mop:generic-function-name (sb-mop:method-generic-function method))))

(defgeneric summed (c) (:method-combination append))
(defmethod summed append ((c base)) (list :base))
(defmethod summed append ((c client)) (list :client))
(defmethod summed :around ((c client)) (list* :around (call-next-method)))
E
lisp macros.lisp <<'E'
(defmacro values-of-calls ()
  (let ((c (make-instance 'client)))
    `'(,(told c (list 1) 2) ,(told c :stop 2) ,(told c 'a 2) ,(told c "a" 2) ,(alone c) ,(summed c) ,*default*)))
E
lisp user.lisp <<'E'
(defparameter *value* (values-of-calls))
E
from_headers '((:CONS (:BASE (1) 2) T) (:STOPPED) (:SYMBOL (:BASE A (2))) (:BASE 1 2)
 (:NONE ALONE) (:AROUND :CLIENT :BASE) (NIL))' "next methods"

# The predicate of a structure that has a printer of its own is called for whatever is printed prettily.
fresh printer macros user
lisp printer.lisp <<'E'
(defstruct thing name)
(defun print-thing (stream thing &rest more)
  (declare (ignore more))
  (format stream "<~A>" (thing-name thing)))
(set-pprint-dispatch 'thing 'print-thing)
(defvar *things* (list (make-thing :name 1)))
E
lisp macros.lisp <<'E'
(defmacro printed ()
  (let ((*print-pretty* t)) (format nil "~A ~S ~A" 1/3 (expt 2 80) (first *things*))))
E
lisp user.lisp <<'E'
(defparameter *value* (printed))
E
from_headers '"1/3 1208925819614629174706176 <1>"' "a pretty printer"
change printer.lisp '"<~A>"' '"[~A]"'
edit 'printer user' "a pretty printer"
change printer.lisp '(declare (ignore more))' '(declare (ignore more) (optimize speed))'
edit 'printer user' "its declarations"
done_testing
