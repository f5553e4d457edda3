#!/bin/bash
# A body that a header calls: whoever sees only the header is compiled again when what came of the call is something
# else, and not otherwise.
# seconds: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

fresh util tables user
lisp util.lisp <<'E'
(defstruct thing a b)
(defclass object () ((x :initarg :x :accessor x)))
(defvar *seen* '())
(defvar *table* (make-hash-table))
(defvar *one* (list nil))
(defvar *other* (list nil))
(let ((count 0)) (defun next () (incf count)))
(defun inner (x) (list x :inner))
(defun make (x)
  (let ((l (list x 1)) (o (make-instance 'object :x (make-thing :a x))))
    (setf (second l) (inner x))
    (lambda () (cons o l))))
(defun choose () *one*)
(defun register (x) (setf (gethash x *table*) :registered))
(defgeneric shown (x))
(defmethod shown (x) (list x))
E
lisp tables.lisp <<'E'
(let ((made (make 3)))
  (defun made () (funcall made)))
(setf (car (choose)) 1)
(register 5)
(defparameter *shown* (shown 1))
E
lisp user.lisp <<'E'
(defun user () (made))
(eval-when (:compile-toplevel :load-toplevel :execute) (defun state ()
  (list *seen* (gethash 5 *table*) (next) (get 'mark 'mark) *one* *other* *shown* (and (fboundp 'late) t))))
(defmacro all () `',(state))
(defun all-of-it () (all))
E
edit 'tables user util' "a first build"
change util.lisp "(setf (second l) (inner x))" "(setf (cadr l) (inner (first l)))"
edit 'util' "the same by other means"
explained 'user.lisp: .*not recompiled: only the body of function "make" in "util.lisp" changed' "explained"
change util.lisp "x :inner)" "x :other)"
edit 'user util' "what comes of it is something else"
explained 'user.lisp: compiled because "tables.lisp" shows something else since function "inner" in "util.lisp" changed' "explained"
change util.lisp "(cons o l)" "(list* o l)"
edit 'user util' "the code of a closure that is kept"
change util.lisp "(setf (cadr l)" "(push x *seen*) (setf (cadr l)"
edit 'user util' "a variable is changed as well"
change util.lisp "(push x *seen*)" "(setf *seen* (cons x *seen*))"
edit 'util' "in the same way"
change util.lisp "(setf *seen* (cons x *seen*))" "(next)"
edit 'user util' "a closure over a counter"
change util.lisp "(next) (setf" "(incf (get 'mark 'mark 0)) (setf"
edit 'user util' "a property"
change util.lisp "(defun choose () *one*)" "(defun choose () *other*)"
edit 'user util' "another object of the same looks"
change util.lisp ":registered)" ":known)"
edit 'user util' "a table"
change util.lisp "(setf (gethash x *table*)" "(setf (gethash (first (list x)) *table*)"
edit 'util' "in the same way"
change util.lisp "(list x))" "(list x x))"
edit 'user util' "a method"
change util.lisp "(list x x))" "(cons x (list x)))"
edit 'util' "that gives the same"
change util.lisp "(incf (get 'mark 'mark 0))" "(setf (fdefinition 'late) #'car)"
edit 'user util' "what can't be watched"
change util.lisp "#'car)" "(progn #'car))"
edit 'user util' "counts as before, even if it does the same"
done_testing
