#!/bin/bash
# Files that do odd things while they are compiled: when EVAL-WHEN says so, with counters, with other files, to the
# compiler's own tables. And files that come and go.
# seconds: 25
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# -- every situation of eval-when --
fresh a b
lisp a.lisp <<'E'
(eval-when (:compile-toplevel :load-toplevel :execute) (defvar *log* '()))
(eval-when (:load-toplevel) (push :load *log*))
(eval-when (:execute) (push :only-execute *log*))
(eval-when (:compile-toplevel :load-toplevel) (push :both *log*))
(eval-when (:load-toplevel :execute) (push :load-execute *log*))
(push :plain *log*)
(let ((x :let)) (eval-when (:load-toplevel :execute) (push x *log*)))
(progn (eval-when (:load-toplevel) (push :progn *log*)) (push :progn-2 *log*))
(locally (declare (optimize (debug 2))) (push :locally *log*))
(defmacro log-now () `',(reverse *log*))
(in-package #:cl-user)
(declaim (optimize (debug 2)))
(proclaim '(optimize (speed 1)))
(defun (setf thing) (x y) (setf (car y) x))
(defmacro optimized () `',(assoc 'speed (sb-ext:describe-compiler-policy)))
(deftype both () '(or null integer))
(in-package #:sb-ext)
(cl:defun cl-user::from-another-package (x) (cl:list x 'timeout))
(cl:in-package #:cl-user)
(defmacro called () `',(from-another-package 1))
E
sed -i '/defmacro optimized/d' a.lisp
echo '(defun b () (list (log-now) (called) (let ((l (list 1))) (setf (thing l) 3) l)))' >b.lisp
edit 'a b' "eval-when"
for what in ':load ' :only-execute :both ':load-execute' :plain :let ':progn ' :progn-2 :locally; do
	change a.lisp "$what" ":now$what"
done
sed -i 's/:now:/:now-/g' a.lisp
edit 'a b' "all of them changed"
change a.lisp "'timeout" "'exit"
edit 'a b' "a function of another package in the middle of the file"

# -- tables that loops fill: over much data the compiler is used in headers, over little the interpreter --
fresh a b c
{
	echo '(defvar *table* (make-hash-table)) (defvar *small* (make-hash-table)) (defvar *way* nil)'
	echo '(defun twice (n) (* 2 n))'
	echo "(defparameter *data* '($(seq -f '(%g)' 1 400)))"
	echo '(dolist (row *data*) (setf (gethash (car row) *table*) (twice (car row))))'
	echo '(loop for i from 1000 to 1400 do (setf (gethash i *table*) (list i i)))'
	echo "(dolist (i '(1 2 3)) (setf (gethash i *small*) (lambda () i)))"
	echo '(dotimes (i 300) (when (= i 7) (setf *way* (type-of (lambda () i)))))'
} >a.lisp
echo "(defmacro look (n) \`',(gethash n *table*)) (defmacro call (n) (funcall (gethash n *small*)))" >b.lisp
echo '(defun c () (list (look 7) (look 1001) (call 2) *way*))' >c.lisp
edit 'a b c' "loops over much data"
RECHECK=no tenon build --verify-headers
like "$CODE $(stdout)" '3 of 3 FASLs are the same among headers and among FASLs' \
	"their files' FASLs are the same both ways"
change a.lisp '(7)' '(8)'
edit 'a b c' "an element of the data changed"
change a.lisp '* 2 n' '* 3 n'
edit 'a b c' "a function that a loop calls changed"

# -- functions of the file that get very much data: compiled for that call, interpreted for all others --
fresh a b c
{
	echo '(defun sum (rows key) (let ((n 0)) (dolist (row rows n) (incf n (funcall key (car row))))))'
	echo '(defun shifted (x) (+ x 1))'
	echo '(defun keeper (rows) (lambda () (length rows)))'
	echo '(defun unused (rows) (length rows))'
	echo "(defparameter *sum* (sum '($(seq -f '(%g)' 1 2500)) #'shifted))"
	echo "(defparameter *keeper* (keeper '($(seq 1 2500))))"
} >a.lisp
echo "(defmacro all () \`',(list *sum* (funcall *keeper*) (sum '((1) (2)) #'1-)))" >b.lisp
echo '(defun c () (all))' >c.lisp
edit 'a b c' "functions of the file with very much data"
RECHECK=no tenon build --verify-headers
like "$CODE $(stdout)" '3 of 3 FASLs are the same among headers and among FASLs' \
	"these files' FASLs are the same both ways"
change a.lisp '(2500)' '(2501)'
edit 'a b c' "an element of very much data changed"
change a.lisp '(incf n' '(decf n'
edit 'a b c' "the function that got it"
change a.lisp '+ x 1' '+ x 2'
edit 'a b c' "a function that this one calls"
change a.lisp '(lambda () (length rows))' '(lambda () (list (length rows)))'
edit 'a b c' "a function that makes a closure of it"
change a.lisp 'unused (rows) (length' 'unused (rows) (list'
edit 'a' "a function that got nothing"

# -- counters, lots, names --
fresh a b c d
lisp a.lisp <<'E'
(eval-when (:compile-toplevel :load-toplevel :execute) (defvar *count* 0))
(defmacro next () (incf *count*))
(defmacro lots () `',(list (random 1000000) (gensym) (gensym "X")))
(defmacro pairs () `',(let ((table (make-hash-table :test 'equal)))
                       (loop for x in '(:a "b" 3 (c)) do (setf (gethash x table) (hash-table-count table)))
                       (loop for k being the hash-keys of table using (hash-value v) collect (list k v))))
E
echo '(defun b () (list (next) (next) (lots) (pairs)))' >b.lisp
echo '(defun c () (list (next) (lots)))' >c.lisp
echo '(defparameter *d* (list (next) (lots)))' >d.lisp
edit 'a b c d' "counters, lots and generated names"
change b.lisp '(pairs)' '(pairs) 1'
edit 'b' "a file that counts, changed"
change c.lisp '(lots)' '(next)'
edit 'c' "another"
change a.lisp '(incf *count*)' '(incf *count* 2)'
edit 'a b c d' "another way of counting"

# What expansions leave behind, at top level and in names, differs among FASLs: there nothing is expanded again.
change a.lisp '(gensym "X")' '(gensym "X") (gentemp "TEMP-OF-A-TEST")'
echo '(defparameter *b* (list (next) (lots)))' >b.lisp
echo '(defun c () (list (next) (lots)))' >c.lisp
CLEAN=headers
edit '*' "symbols that are interned on the way"
change c.lisp '(lots)' '(lots) 1'
edit 'c d' "a file beside them, and one that is compiled among FASLs since a macro has counted for another file"
CLEAN='headers fasls'

# -- the change ends in the middle --
fresh a b c d
echo '(defmacro m (x) `(list 1 ,x))' >a.lisp
echo '(defun b (x) (m x))' >b.lisp
echo '(defun c () (b 1))' >c.lisp
echo '(defmacro d () `(quote ,(c)))' >d.lisp
edit 'a b c d' "a macro that is used in the bodies of functions"
change a.lisp 'list 1' 'list 2'
edit 'a b' "nothing behind the middle file is compiled"
explained 'c.lisp: not recompiled' "explained"

fresh a b c d
lisp a.lisp <<'E'
(defun value () 3)
(defun other () 4)
E
lisp b.lisp <<'E'
(defconstant +parity+ #.(oddp (value)))
(defmacro half () (floor (other) 2))
E
echo '(defun c () (if +parity+ (half) 0))' >c.lisp
echo '(defun d () (c))' >d.lisp
edit 'a b c d' "a value that is computed on the way"
change a.lisp '() 3' '() 5'
edit '*' "the value it comes to is the same"
change a.lisp '() 5' '() 6'
edit '*' "it is another one"
change a.lisp '() 4' '() 5'
edit 'a c' "a function that a macro in the middle calls"
explained 'c.lisp: compiled because function "other" in "a.lisp" changed and compiling this file calls it' "explained"

# -- files come and go --
fresh a b
echo "(defmacro m () '(list 1))" >a.lisp
echo '(defun b () (m))' >b.lisp
edit 'a b' "two files"
system small a between b
echo "(defmacro m () '(list 2))" >between.lisp
edit '*' "one between them that defines the macro anew"
eval_is '(b)' '(2)' "the new one is used" --module small
mv between.lisp renamed.lisp
system small a renamed b
edit '*' "it is renamed"
rm renamed.lisp
system small a b
edit '*' "it is gone"
eval_is '(b)' '(1)' "the old one is used" --module small
rm a.lisp
expect_fail 2 build
like "$(stderr)" 'a\.lisp" does not exist' "a file that is missing is named"
echo "(defmacro m () '(list 3))" >a.lisp
edit 'a b' "it is there again"

# -- the compiler's own tables --
fresh package vops use
echo '(defpackage #:ops (:use #:cl) (:export #:plus-3 #:user))' >package.lisp
lisp vops.lisp <<'E'
(in-package #:ops)
(sb-c:defknown plus-3 ((unsigned-byte 32)) (unsigned-byte 64) (sb-c:foldable sb-c:flushable sb-c:movable)
  :overwrite-fndb-silently t)
(sb-c:define-vop (plus-3)
  (:translate plus-3) (:policy :fast-safe)
  (:args (x :scs (sb-vm::unsigned-reg))) (:arg-types sb-vm::unsigned-num)
  (:results (r :scs (sb-vm::unsigned-reg))) (:result-types sb-vm::unsigned-num)
  (:generator 1 (sb-c:move r x) (sb-assem:inst add r 3)))
(sb-c:defknown twice-of (t) t () :overwrite-fndb-silently t)
(defun twice-of (x) (list x x))
(sb-c:deftransform twice-of ((x) (fixnum)) '(list x x :fixnum))
(sb-c:define-source-transform thrice-of (x) `(list ,x ,x ,x))
E
lisp use.lisp <<'E'
(in-package #:ops)
(defun user (x) (declare (type (unsigned-byte 32) x)) (list (plus-3 x) (twice-of (the fixnum x)) (thrice-of x)))
E
edit 'package use vops' "VOPs and transforms"
change vops.lisp 'add r 3' 'add r 4'
edit 'use vops' "another instruction"
change vops.lisp ':fixnum)' ':a-fixnum)'
edit 'use vops' "another transform"
change vops.lisp '(list ,x ,x ,x)' '(list* ,x ,x ,x nil)'
edit 'use vops' "another source transform"
change vops.lisp '(defun twice-of (x) (list x x))' '(defun twice-of (x) (list x x x))'
edit 'vops' "the body of the function behind it"

# -- compiled by a method of the .asd file --
fresh
cat >small.asd <<'E'
(defpackage #:small-system (:use #:cl #:asdf))
(in-package #:small-system)
(defclass own-source (cl-source-file) ())
(defvar *depth* 0)
(defmethod perform :around ((o compile-op) (c own-source))
  (let ((*depth* (1+ *depth*)))
    (with-compilation-unit () (call-next-method))))
(defsystem "small" :serial t :components ((own-source "a") (own-source "b")))
E
lisp a.lisp <<'E'
(defclass thing () ((place :initform 1 :accessor thing-place)))
(defgeneric act (x y))
(defmethod act ((x thing) y) (list x (thing-place x) y))
(defmethod act ((x integer) y) (list :integer x y))
(defun helper (x) (list x))
(defmacro helped () `',(helper 1))
E
echo '(defun b (x) (list (helped) (act x 1)))' >b.lisp
edit 'a b' "compiled by a method of the .asd file"
change a.lisp ':integer x y' ':an-integer x y'
edit 'a' "there, the body of a method"
change a.lisp '(defun helper (x) (list x))' '(defun helper (x) (list x x))'
edit 'a b' "there, the body of a function that a macro calls"

# -- loaded by methods of the .asd file --
fresh
cat >small.asd <<'E'
(defpackage #:small-system (:use #:cl #:asdf))
(in-package #:small-system)
(defclass own-source (cl-source-file) ())
(defvar cl-user::*prefix* "outside")
(defmethod perform :around ((o load-op) (c own-source))
  (let ((cl-user::*prefix* "while loading")) (call-next-method)))
(defmethod perform :after ((o load-op) (c own-source))
  (setf (get 'cl-user::loaded 'cl-user::count) (1+ (get 'cl-user::loaded 'cl-user::count 0))))
(defsystem "small" :serial t :components ((own-source "a") (own-source "b")))
E
lisp a.lisp <<'E'
(defvar *seen* *prefix*)
(defmacro seen () *seen*)
(defun helper (x) (list x))
(defmacro helped ((&optional (x 1) &key y) &body body) `(list ',(helper x) ,y ,@body))
E
echo '(defun b () (list (seen) (helped (2 :y 3) 4) (get (quote loaded) (quote count))))' >b.lisp
edit 'a b' "loaded by methods of the .asd file"
unlike "$(stderr | grep 'b\.lisp')" "OPTIONAL" "what the compiler thinks of a macro is told of the macro's file"
change a.lisp '(defun helper (x) (list x))' '(defun helper (x) (list x :new))'
edit 'a b' "there, the body of a function that a macro calls"
echo '(defun unused () 1)' >>a.lisp
change a.lisp '(defun unused () 1)' '(defun unused () 2)'
edit '*' "there, another function"
change a.lisp '(defun unused () 2)' '(defun unused () 3)'
edit 'a' "there, a body that nobody used"

done_testing
