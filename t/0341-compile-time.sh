#!/bin/bash
# What files compute while they are compiled, from what other files define.
# seconds: 20
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# A lambda that a macro quotes is data.
fresh a b
lisp a.lisp <<'E'
(defmacro q (x) `',x)
(defparameter *data* (list (q (lambda (x) 1))))
(defmacro data () `',(third (first *data*)))
E
echo '(defun b () (data))' >b.lisp
edit 'a b' "a quoted lambda"
change a.lisp '(x) 1' '(x) 2'
edit 'a b' "another quoted lambda"

fresh a b
lisp a.lisp <<'E'
(defparameter *data* (case (first '(lambda)) (lambda () :one)))
(defmacro data () `',*data*)
E
echo '(defun b () (data))' >b.lisp
edit 'a b' "a clause that looks like a function"
change a.lisp ':one' ':two'
edit 'a b' "another such clause"

# Names of symbols without package.
fresh a b
lisp a.lisp <<'E'
(defparameter *names* '(#:x #:y1))
(defmacro names () `',(mapcar #'symbol-name *names*))
E
echo '(defun b () (names))' >b.lisp
edit 'a b' "symbols without package"
change a.lisp '#:x' '#:z'
edit 'a b' "another name"
change a.lisp '#:y1' '#:y2'
edit 'a b' "a name that differs by a number"

# Local macros around functions.
fresh a b
lisp a.lisp <<'E'
(macrolet ((local () :one))
  (defun f () (local)))
(symbol-macrolet ((local-symbol :one))
  (defun g () local-symbol))
(defmacro m () `',(list (f) (g)))
(defun unused () (macrolet ((x () 1)) (x)))
E
echo '(defun b () (m))' >b.lisp
edit 'a b' "local macros"
change a.lisp 'local () :one' 'local () :two'
edit 'a b' "another local macro"
change a.lisp 'local-symbol :one' 'local-symbol :two'
edit 'a b' "another local symbol macro"
change a.lisp 'x () 1' 'x () 2'
edit 'a' "a local macro in a body that nobody calls"

# Documentation as data.
fresh a b
lisp a.lisp <<'E'
(defun f () "One." 1)
(defmacro m () (documentation 'f 'function))
(defmacro n () "A macro's." 1)
(defmacro o () (documentation 'n 'function))
E
echo '(defun b () (list (m) (o)))' >b.lisp
edit 'a b' "documentation as data"
change a.lisp 'One.' 'Two.'
edit 'a b' "another docstring"
change a.lisp "A macro's" "Another macro's"
edit 'a b' "another docstring of a macro"

# Methods: their bodies, the macros in them, their docstrings.
parts macros methods:macros caller:methods other:methods
echo '(defmacro enlarged (x) `(+ 1 ,x)) (defmacro needless () 1)' >macros.lisp
lisp methods.lisp <<'E'
(defclass thing () ((size :initarg :size :accessor size)))
(defclass part (thing) ())
(defgeneric measure (x &key by &allow-other-keys))
(defmethod measure ((x thing) &key (by 1))
  "How large it is."
  (with-slots (size) x (enlarged (* by size))))
(defmethod measure :around ((x part) &key)
  (if (next-method-p) (list :part (call-next-method)) :alone))
(defmethod measure ((x (eql :nothing)) &key) 0)
(defmethod (setf measure) (value (x thing)) (setf (size x) value))
(defmethod untouched ((x thing)) "Nothing." (needless))
E
lisp caller.lisp <<'E'
(defmacro measured ()
  (let ((part (make-instance 'part :size 2)))
    (setf (measure part) 5)
    `',(list (measure part :by 3) (measure part) (measure :nothing))))
(defun caller () (measured))
E
lisp other.lisp <<'E'
(defmacro described ()
  (documentation (find-method #'measure '() (list (find-class 'thing))) t))
(defun other () (described))
E
edit 'caller macros methods other' "methods"
tenon eval -q --module small '(list (caller) (other))'
is "$(stdout)" '(((:PART 16) (:PART 6) 0) "How large it is.")' "what they give while another file is compiled"
change macros.lisp '+ 1' '+ 2'
edit 'caller macros methods' "a macro in a method that a file calls"
change macros.lisp '() 1' '() 2'
edit 'macros methods' "a macro in a method that nobody calls"
change methods.lisp '"Nothing."' '"Nothing at all."'
edit 'methods other' "a docstring in a file whose docstrings are read"
change methods.lisp '(list :part' '(list :a-part'
edit 'caller methods' "a method that a file calls"
change methods.lisp '(needless)' '(list (needless))'
edit 'methods' "a method that nobody calls"

# Macros that are others later: what a body used is what was there when it was compiled.
fresh a b c
lisp a.lisp <<'E'
(defmacro inner () 1)
(defun before () (inner))
(defmacro inner () 2)
(defun after () (inner))
(eval-when (:compile-toplevel :load-toplevel :execute) (defvar *count* 0))
(defmacro next () (incf *count*))
(defmacro bound () (let ((*count* 7)) (incf *count*) 1))
(defun one () (list (next) (bound)))
(defun two () (next))
(defmacro all () `',(list (two) (before) (after) (one)))
E
echo '(defun b () (all))' >b.lisp
echo '(defun c () (list (all) (next)))' >c.lisp
edit 'a b c' "macros that change"
tenon eval -q --module small '(list (b) (c))'
is "$(stdout)" '((2 1 2 (1 1)) ((2 1 2 (1 1)) 1))' "what they give"
echo '(defun c () (list (all) (next) 1))' >c.lisp
edit 'c' "a file that calls what uses them"
change a.lisp '() 1' '() 3'
edit 'a b c' "the first of two definitions of a macro"

# The source of a function as data.
fresh a b
lisp a.lisp <<'E'
(defun f () 1)
(defmacro m () `',(function-lambda-expression #'f))
E
echo '(defun b () (m))' >b.lisp
edit 'a b' "a function's source as data"
change a.lisp '() 1' '() 2'
edit '*' "another source"

# Functions called in threads.
fresh a b
lisp a.lisp <<'E'
(defun f () 1)
(defmacro m () (sb-thread:join-thread (sb-thread:make-thread (lambda () (f)))))
E
echo '(defun b () (m))' >b.lisp
edit 'a b' "a function called in a thread"
change a.lisp '() 1' '() 2'
edit 'a b' "another body of that"

# What the interpreter can't do is compiled.
fresh a b
lisp a.lisp <<'E'
(defparameter *f* (sb-c::%funcall (function identity) (lambda () (list :x 1))))
(defmacro m () `',(list (funcall *f*)))
E
echo '(defun b () (m))' >b.lisp
edit 'a b' "compiled in place of interpreted"
change a.lisp 'x 1' 'x 2'
edit 'a b' "another such function"

# A table that memoizes.
parts a b:a d:b c:b e:c
lisp a.lisp <<'E'
(defmacro m () 1)
(deftype small () '(integer 0 10))
E
echo '(defun f () (list (m)))' >b.lisp
echo '(defparameter *d* (f)) (declaim (type (or null small) *dd*)) (defvar *dd* nil)' >d.lisp
echo "(defmacro k () (quote (quote #.(f)))) (defconstant +k+ (if (typep 5 'small) 1 2))" >c.lisp
echo '(defun e () (list +k+ (k)))' >e.lisp
edit 'a b c d e' "expansions that other files have needed"
change a.lisp '() 1' '() 2'
edit '*' "another expansion"
change a.lisp '0 10' '0 4'
edit '*' "another type"

# A function that remembers what it computed, for a file that is none of those below.
parts a b:a d:b c:b e:c f:d
echo '(defun compute () 1)' >a.lisp
echo '(defvar *memo* nil) (defun remembered () (or *memo* (setf *memo* (list (compute)))))' >b.lisp
echo '(defparameter *d* (remembered))' >d.lisp
echo "(defparameter *c* (remembered)) (defmacro c () \`',*c*)" >c.lisp
echo '(defun e () (c))' >e.lisp
echo '(defun f () *d*)' >f.lisp
edit 'a b c d e f' "a function that remembers"
change a.lisp '1' '2'
edit '*' "what it computes is another thing"

# The order in which independent files fill a table.
parts a b1:a b2:a c:b1,b2 d:b2 e:b2
echo '(defvar *table* (list))' >a.lisp
echo '(eval-when (:compile-toplevel :load-toplevel :execute) (push :b1 *table*))' >b1.lisp
echo '(eval-when (:compile-toplevel :load-toplevel :execute) (push :b2 *table*))' >b2.lisp
echo "(defun c () '#.*table*)" >c.lisp
echo "(defun d () '#.*table*)" >d.lisp
echo "(defun e () '#.*table*)" >e.lisp
edit 'a b1 b2 c d e' "independent files fill a table"
change c.lisp '()' '(x)'
edit 'c' "in the same order when one file alone is compiled"

# Features that a file adds when it is loaded are not there while it is compiled.
fresh a b
lisp a.lisp <<'E'
(pushnew :added-by-a *features*)
#+added-by-a (defmacro m () :added)
#-added-by-a (defmacro m () :not-added)
E
echo '(defun b () (list (m) #+added-by-a 1))' >b.lisp
edit 'a b' "a feature that a file adds"

done_testing
