#!/bin/bash
# Macros that a file defines and uses itself: their functions are made when they are called, and nobody notices.
# seconds: 15
. "$(dirname "$0")/lib.sh"
need sbcl

system own package a
lisp package.lisp <<'E'
(defpackage :own (:use :cl))
(defpackage :other (:use :cl))
E
lisp a.lisp <<'E'
(in-package :own)
(defmacro inner () 1)
(defmacro outer () `(list ,(inner)))
(defmacro inner () 2)
(defun redefined () (outer))

(eval-when (:compile-toplevel) (defparameter *mode* :early))
(defmacro mode () *mode*)
(defmacro with-mode () `',(list (mode)))
(eval-when (:compile-toplevel) (setf *mode* :late))
(defun mode-at-definition () (with-mode))

(eval-when (:compile-toplevel :load-toplevel :execute) (defun helper () :helped))
(defmacro helped () (helper))
(defmacro twice-helped () `(list ,(helper) (helped)))
(defun helped-twice () (twice-helped))

(defmacro interned ()
  (list 'quote (package-name (symbol-package (macrolet ((now () `',(intern "NOW"))) (now))))))
(in-package :other)
(defun own::interned-in () (own::interned))
(in-package :own)

(deftype small (n) `(integer 0 ,n))
(defun small-p (x) (typep x '(small 3)))
(define-compiler-macro compiled (&whole form x) (if (eql x 1) :one form))
(defun compiled (x) x)
(defun use-compiled () (compiled 1))
(eval-when (:compile-toplevel :load-toplevel :execute) (defun sized (x) (list :sized x)))
(define-compiler-macro sized (&whole form x)
  (if (constantp x) (list 'quote (sized (eval x))) form))
(defun use-sized (x) (list (sized 1) (sized x)))
(defsetf place (x) (y) `(setf (car ,x) ,y))
(defun set-place () (let ((c (list 1))) (setf (place c) 5) c))
(defmacro never-called (x) (let ((unused 1)) x))
(eval-when (:compile-toplevel) (defmacro only-now (x) (let ((unused-now 1)) x)))
E
build_ok own
is "$(diagnostics | grep -c 'UNUSED is defined but never used')" 1 "a warning in a macro is told once"
is "$(diagnostics | grep -c 'UNUSED-NOW is defined but never used')" 1 "so is one in what is there for compile time alone"

# What SBCL makes of the same file, with nothing in between.
form='(list (own::redefined) (own::mode-at-definition) (own::helped-twice) (own::interned-in)
 (own::small-p 3) (own::small-p 4) (own::use-compiled) (own::use-sized 2) (own::set-place))'
cat >plain.lisp <<E
(let ((*error-output* (make-broadcast-stream)) (*standard-output* (make-broadcast-stream)))
  (load "package.lisp")
  (load (compile-file "a.lisp" :output-file "$PWD/plain.fasl")))
(let ((*print-pretty* nil)) (prin1 $form))
E
want=$(sbcl --noinform --no-sysinit --no-userinit --disable-debugger --non-interactive --load plain.lisp)
is "$want" '((1) (:EARLY) (:HELPED :HELPED) "OWN" T NIL :ONE ((:SIZED 1) (:SIZED 2)) (5))' "SBCL itself"
eval_is "$form" "$want" "the file does what SBCL makes of it" --module own
done_testing
