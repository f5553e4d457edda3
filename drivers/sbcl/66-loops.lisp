;;;; Top-level forms that loop over much data: the compiler is done with them before the interpreter is.

(in-package :tenon-driver)

(defparameter *much-data* 256
  "So many elements, characters or steps of a loop: compiling a form takes as long as interpreting some
hundreds of rounds does.")

(defparameter *much-code* 300
  "Conses of a form that takes long to compile.")

(defparameter *loops*
  '(tagbody dolist dotimes do do* loop prog prog* do-symbols do-external-symbols do-all-symbols)
  "Operators that loop.")

(defparameter *definers*
  '(function lambda sb-int:named-lambda defun defmacro defmethod defgeneric defclass defstruct
    define-condition deftype define-compiler-macro defsetf define-setf-expander
    load-time-value eval-when progv)
  "Operators whose forms may make functions, or are better left to the interpreter.")

(defun large-p (object)
  "True if OBJECT is data that takes long to go through."
  (typecase object
    (integer (>= object *much-data*))
    (list (and (ignore-errors (nthcdr (1- *much-data*) object)) t))
    (sequence (>= (length object) *much-data*))
    (hash-table (>= (hash-table-count object) *much-data*))))

(defun large-value-p (symbol)
  "True if SYMBOL is a global variable that holds much data."
  (and (eq (sb-int:info :variable :kind symbol) :special)
       (boundp symbol)
       (large-p (symbol-value symbol))))

(defun plain-operator-p (operator)
  "True if OPERATOR, a symbol where an operator may stand, makes no function as far as is known."
  (and (not (member operator *definers*))
       (or (null (macro-function operator))
           (let ((package (symbol-package operator)))
             (and package (sb-ext:package-locked-p package))))))

(defun loops-long-p (form)
  "True if FORM goes through much data in loops of its own, and makes no functions that outlive it: then
a header has it compiled. Only what stands in FORM itself is looked at, and only macros of Common Lisp are
known."
  (let ((loops nil) (much nil) (size 0))
    (labels ((fail ()
               (return-from loops-long-p nil))
             (look (part)
               (typecase part
                 (cons (look-at-call part))
                 (sb-impl::comma (look (sb-impl::comma-expr part)))
                 (symbol (setf much (or much (large-value-p part))))
                 (t (setf much (or much (large-p part))))))
             (look-at-call (call)
               (let ((operator (first call)))
                 (cond ((not (symbolp operator)) (look-at-parts call))
                       ((eq operator 'quote)
                        (setf much (or much (large-p (second call)))))
                       ((plain-operator-p operator)
                        (when (member operator *loops*)
                          (setf loops t))
                        (look-at-parts (rest call)))
                       (t (fail)))))
             (look-at-parts (parts)
               (loop for rest = parts then (rest rest)
                     while (consp rest)
                     do (when (> (incf size) *much-code*)
                          (fail))
                        (look (first rest))
                     finally (when rest
                               (look rest)))))
      (look form))
    (and loops much)))
