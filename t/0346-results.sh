#!/bin/bash
# A body that a header calls: whoever sees only the header is compiled again when what came of the call is something
# else, and not otherwise.
# seconds: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl cl-ppcre

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

# -- closures that methods make, as matchers of regular expressions are --
fresh util tables user
lisp util.lisp <<'E'
(defclass piece () ())
(defclass letter (piece) ())
(defun quoted (x) `(:quoted ,x ,@(list x)))
(defun vectored (x) `#(,x (,x . ,x)))
(defgeneric matcher (piece next))
(defmethod matcher ((piece letter) next)
  (let ((then (list next)))
    (lambda (x) (list x (apply (first then) (list x))))))
E
lisp tables.lisp <<'E'
(let ((matcher (matcher (make-instance 'letter) #'list)))
  (defun matched (x) (funcall matcher x)))
(defparameter *quoted* (list (quoted 1) (vectored 2)))
E
echo "(defun user () (list (matched 1) *quoted*))" >user.lisp
edit 'tables user util' "a first build"
change util.lisp "((then (list next)))" "((then (list* next nil)))"
edit 'util' "a method around a closure that is kept"
change util.lisp "(list x (apply" "(list* x (apply"
edit 'user util' "the closure that it makes"
change util.lisp "(list* next nil)" "(progn (print 1 (make-broadcast-stream)) (list* next nil))"
edit 'user util' "what can't be watched there"
change util.lisp "(progn (print 1 (make-broadcast-stream)) (list* next nil))" "(list* next nil)"
edit '' "and can be again: known"
change util.lisp ",@(list x))" ",@(list* x nil))"
edit 'util' "a template"
change util.lisp "\`#(,x (,x . ,x))" "\`#(,(car (list x)) (,x . ,x))"
edit 'util' "a template of a vector"
change util.lisp "(:quoted" "(:requoted"
edit 'user util' "a template that gives something else"

# -- what LOOP makes of it --
fresh util tables user
lisp util.lisp <<'E'
(defun largest (table)
  (loop for value being the hash-values of table maximize value))
(defun doubled (list)
  (loop for x in list collect x collect x))
E
lisp tables.lisp <<'E'
(defvar *table* (make-hash-table))
(setf (gethash :one *table*) 5)
(defvar *largest* (largest *table*))
(defvar *doubled* (doubled '(1 2)))
E
echo "(defun user () (list *largest* *doubled*))" >user.lisp
edit 'tables user util' "LOOP: a first build"
change util.lisp "maximize value" "maximize (+ 0 value)"
edit 'util' "LOOP over a table, the largest"
change util.lisp "collect x collect x" "append (list x x)"
edit 'util' "LOOP's lists"

# -- CL-PPCRE makes scanners when its last file is loaded --
fresh packages specials util errors charset charmap chartest lexer parser regex-class regex-class-util convert optimize \
	closures repetition-closures scanner api user
cp -L /usr/share/common-lisp/source/cl-ppcre/*.lisp .
echo '(defun user (x) (cl-ppcre:scan "a+" x))' >user.lisp
RECHECK=no tenon build
is "$CODE" 0 "CL-PPCRE"
change optimize.lisp "(collector-length 0)" "(collector-length (progn 0))"
edit 'optimize' "the body of a method that made part of a scanner, and makes the same"
done_testing
