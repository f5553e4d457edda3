#!/bin/bash
# Early cutoff in systems that lack declarations: built with --lax they stop a change as early as any other.
# seconds: 20
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl
E_ARGUMENTS=--lax

# Of `second` nobody says that it needs `first`; who depends on it can't have it in an image without that.
parts first second top:second late:top
lisp first.lisp <<'E'
(defpackage :one (:use :cl) (:export #:f #:m #:helper))
(in-package :one)
(defun f (x) (list x 1))
(defun helper (x) (list 'quote x))
(defmacro m (x) (helper x))
E
lisp second.lisp <<'E'
(defpackage :two (:use :cl :one) (:export #:g))
(in-package :two)
(defun g (x) (f x))
E
lisp top.lisp <<'E'
(in-package :two)
(defun top (x) (list (g x) (m a)))
E
lisp late.lisp <<'E'
(in-package :two)
(defun late (x) (top x))
E
RECHECK=no tenon build --keep-going
is "$CODE" 1 "strictly it does not build; that is forgotten with --lax"
edit '*' "a first build"
sed -i 's/(list x 1)/(list x 2)/' first.lisp
edit 'first' "the body of a function"
sed -i 's/(f x)/(list (f x))/' second.lisp
edit 'second' "a body in a file that lacks a declaration"
sed -i "s/'quote x)/'quote (list x))/" first.lisp
edit 'first top' "a function that a macro calls"
done_testing
