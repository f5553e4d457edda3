#!/bin/bash
# Functions that a file calls and a later one of its system defines are no warnings, in any number of systems.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

for name in low high; do
	DEPENDS=$([ $name = low ] || echo low) system $name $name-package $name-uses $name-defines
	lisp $name-package.lisp <<-END
		(defpackage #:$name (:use #:common-lisp))
	END
	lisp $name-uses.lisp <<-END
		(in-package #:$name)
		(defun uses () (later 1))
	END
	lisp $name-defines.lisp <<-END
		(in-package #:$name)
		(defun later (x) (list :$name x))
	END
done
build_ok low high
expect_ran 6
unlike "$(stderr)" 'undefined' "nothing is told of functions that come later"
echo '(defun never () (nowhere))' >>high-uses.lisp
build_ok low high
is "$(stderr | grep -c 'undefined function')" 1 "one that nobody defines is told"
like "$(stderr)" 'undefined function: HIGH::NOWHERE' "by its name"
eval_is '(list (low::uses) (high::uses))' '((:LOW 1) (:HIGH 1))' "both work" --module high

# Whatever makes a function: the results of later files tell of them, and images where they don't.
DEPENDS= system kinds kinds-package kinds-uses kinds-defines
lisp kinds-package.lisp <<'E'
(defpackage #:kinds (:use #:common-lisp))
E
lisp kinds-uses.lisp <<'E'
(in-package #:kinds)
(defun uses (x)
  (list (a-generic x) (a-method x) (an-accessor x) (setf (an-accessor x) 1) (a-slot x) (make-a-struct) (inner x)
        (setf (an-odd-place x) 1) (a-made-one x)))
E
lisp kinds-defines.lisp <<'E'
(in-package #:kinds)
(defgeneric a-generic (x) (:method (x) x))
(defmethod a-method (x) x)
(defclass a-class () ((slot :initform 0 :accessor an-accessor)))
(defstruct a-struct (slot 0))
(defun a-slot (x) x)
(let ((y 1)) (defun inner (x) (list x y)))
(defun (setf an-odd-place) (value x) (list value x))
(setf (fdefinition 'a-made-one) #'identity)
E
build_ok kinds
unlike "$(stderr)" 'undefined' "functions of every kind that come later"
sed -i 's/(defun a-slot (x) x)/(defmacro a-slot (x) x)/' kinds-defines.lisp
build_ok kinds
unlike "$(stderr)" 'undefined' "one that became a macro is there; ASDF compiles it the same way"
sed -i '/a-slot/d' kinds-defines.lisp
build_ok kinds
like "$(stderr)" 'undefined function: KINDS::A-SLOT' "one that is gone is told, though its user is compiled already"

# Variables, types, and functions that calls are made without: what a later file defines is as good as any function, and
# no image is made to find out. What one
# before it defines has to be declared.
DEPENDS= system others others-package others-uses others-defines
lisp others-package.lisp <<'E'
(defpackage #:others (:use #:common-lisp))
E
lisp others-uses.lisp <<'E'
(in-package #:others)
(defun uses (x)
  (list *variable* *global* (typep x 'a-class) (typep x 'a-struct) (typep x 'a-condition) (typep x 'a-type)
        (typep x 'its-own) (an-inline x) (a-compiled x) (a-struct-p (make-a-struct))))
(defclass its-own () ())
E
lisp others-defines.lisp <<'E'
(in-package #:others)
(defvar *variable* 1)
(defparameter *global* 2)
(defclass a-class () ())
(defstruct a-struct)
(define-condition a-condition () ())
(deftype a-type () 'cons)
(declaim (inline an-inline))
(defun an-inline (x) (list x))
(defun a-compiled (x) (list x))
(define-compiler-macro a-compiled (x) `(list ,x))
E
asked() { grep '"step-start"' "$T_LOG" | grep -c '"settle"'; }
build_ok others
unlike "$(stderr)" 'undefined' "variables and types that come later"
is "$(asked)" 0 "no image was asked for them"
eval_is '(others::uses 1)' '(1 2 NIL NIL NIL NIL NIL (1) (1) T)' "they work" --module others
sed -i 's/(defvar \*variable\* 1)/(let ((x 1)) (defvar *variable* x))/' others-defines.lisp
build_ok others
unlike "$(stderr)" 'undefined' "a variable that is made inside a form, and not told of"
sed -i '/\*variable\*/d' others-defines.lisp
build_ok others
like "$(stderr)" 'undefined variable: OTHERS::\*VARIABLE\*' "one that is gone is told"
cat >others.asd <<'E'
(asdf:defsystem "others"
  :components ((:file "others-package") (:file "others-defines" :depends-on ("others-package"))
               (:file "others-uses" :depends-on ("others-package"))))
E
echo '(defvar *variable* 1)' >>others-defines.lisp
expect_fail 1 build others
like "$(stderr)" 'undeclared dependency: "OTHERS::A-STRUCT" is defined by file "others-defines"' \
	"what an earlier file defines must be declared"
like "$(stderr)" 'undeclared dependency: "OTHERS::AN-INLINE" is defined by file "others-defines"' "an inline function, too"
done_testing
