#!/bin/bash
# A function that macros call: the files that expand these are compiled again when one of its calls gives something
# else, and not otherwise.
# seconds: 120
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

fresh util macros user
lisp util.lisp <<'E'
(defvar *count* 0)
(defun helper (x) (list 'list x :helped))
(defun name (a b) (intern (format nil "~A-~A" a b)))
(defun temporary () (gensym "TEMP"))
(defun kept () (list 'quote (list 1 2)))
(defun tail (x) (cons x (list 7)))
(defun deep (x) (if x (cons (car x) (deep (cdr x))) nil))
(defun quiet (x) x)
(defun counted (x) (incf *count*) x)
E
lisp macros.lisp <<'E'
(defmacro with-helper (x) (helper x))
(defmacro define (a b) `(defun ,(name a b) () ',(deep '(1 2 3))))
(defmacro once (x) (let ((v (temporary))) `(let ((,v ,x)) (list ,v ,v))))
(defmacro both () (let ((a (kept)) (b (kept))) `(list ,a ,b ,(eq a b))))
(defmacro grown () (let ((l (tail 1))) (nconc l (list 2)) `',(copy-list l)))
(defmacro said (x) (quiet x) (counted x))
E
lisp user.lisp <<'E'
(with-helper 1)
(defun user () (list (with-helper 2) (once 3) (both) (grown) (grown) (said 4)))
(define "NEW" "NAME")
E
edit 'macros user util' "a first build"
change util.lisp "(list 'list x :helped)" "(list 'list (car (list x)) :helped)"
edit 'util' "the same by other means"
explained 'user.lisp: .*not recompiled: only the body of function "helper" in "util.lisp" changed' "explained"
change util.lisp "(car (list x)) :helped)" "(car (list x)) :better)"
edit 'user util' "something else comes of it"
explained 'user.lisp: compiled because function "helper" in "util.lisp" changed and compiling this file calls it' "explained"
change util.lisp '"~A-~A" a b)' '"~A~A~A" a #\- b)'
edit 'util' "the same name is interned"
change util.lisp '#\- b)' '#\+ b)'
edit 'user util' "another one"
change util.lisp '(gensym "TEMP")' '(values (gensym "TEMP"))'
edit 'util' "a generated name"
change util.lisp '(values (gensym "TEMP"))' '(progn (gensym) (gensym "TEMP"))'
edit 'user util' "one more is generated on the way"
change util.lisp "(list 'quote (list 1 2))" "(list 'quote (list 1 (1+ 1)))"
edit 'util' "a fresh list"
change util.lisp "(list 'quote (list 1 (1+ 1)))" "''(1 2)"
edit 'user util' "a literal in its place"
change util.lisp "(cons x (list 7))" "(list x 7)"
edit 'util' "a list that its caller changes"
change util.lisp "(list x 7)" "(progn x '(1 7))"
edit 'user util' "a literal that its caller changes"
change util.lisp "(if x (cons" "(when x (cons"
change util.lisp "(deep (cdr x))) nil)" "(deep (cdr x))))"
edit 'util' "a recursion"
change util.lisp "(defun quiet (x) x)" "(defun quiet (x) (print x))"
edit 'user util' "something is printed"
change util.lisp "(incf *count*)" "(setf *count* (1+ *count*))"
edit 'user util' "what has an effect counts as before"

# What a replay calls that the compile did not counts from then on.
fresh util macros user
lisp util.lisp <<'E'
(defun helper (x) (list 'list x :helped))
(defun second-helper (x) (list x))
E
lisp macros.lisp <<'E'
(defmacro with-helper (x) (helper x))
E
lisp user.lisp <<'E'
(defun user () (with-helper 2))
E
edit 'macros user util' "another system"
change util.lisp "(list 'list x :helped)" "(cons 'list (append (second-helper x) (list :helped)))"
edit 'util' "another function is called on the way"
change util.lisp "(defun second-helper (x) (list x))" "(defun second-helper (x) (cons x nil))"
edit 'user util' "that one changes"
change util.lisp "(cons x nil)" "(cons x (list 1))"
edit 'user util' "and gives something else"
done_testing
