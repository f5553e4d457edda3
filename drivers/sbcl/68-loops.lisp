;;;; Top-level forms that loop over much data, or call functions of their file with it: the compiler is
;;;; done with them before the interpreter is.

(in-package :tenon-driver)

(defparameter *much-data* 256
  "So many elements, characters or steps of a loop: compiling a form takes as long as interpreting some
hundreds of rounds does.")

(defparameter *very-much-data* 2048
  "The same where a function of the file has to be compiled as well.")

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

(defun large-p (object &optional (size *much-data*))
  "True if OBJECT is data that takes long to go through."
  (typecase object
    (integer (>= object size))
    (list (loop for rest = object then (cdr rest) ; NTHCDR would go on behind the end
                repeat size
                always (consp rest)))
    (sequence (>= (length object) size))
    (hash-table (>= (hash-table-count object) size))))

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

;;; Functions of the file

(defun plain-code-p (form name)
  "True if FORM, in the body of the function NAME, makes no function and uses no macro but those of Common
Lisp."
  (cond ((typep form 'sb-impl::comma) (plain-code-p (sb-impl::comma-expr form) name))
        ((atom form) t)
        ((eq (first form) 'quote) t)
        ((eq (first form) 'function)
         (and (symbolp (second form)) (not (eq (second form) name))))
        ((and (symbolp (first form)) (not (plain-operator-p (first form)))) nil)
        (t (loop for rest = form then (rest rest)
                 while (consp rest)
                 always (plain-code-p (first rest) name)))))

(defun compilable-p (name)
  "True if the function NAME is one of the file under way, and compiled would do what it does, with nobody
noticing: it closes over nothing, and leaves nothing behind that was compiled."
  (let ((function (definition-of name)))
    (and (typep function 'sb-eval::interpreted-function)
         *watch*
         (own-function-p function)
         (plain-code-p (sb-eval:interpreted-function-body function) name)
         (let ((environment (sb-eval::interpreted-function-env function)))
           (not (or (sb-eval::env-vars environment)
                    (sb-eval::env-funs environment)))))))

(defun called-with-much-data (form)
  "The functions of the file that FORM, the definition of a variable or a call, calls with a list or
vector of many elements."
  (let ((names '()))
    (labels ((look (form)
               (when (typep form '(cons symbol list))
                 (let ((name (first form)))
                   (when (and (definition-of name) (not (macro-function name))
                              (not (special-operator-p name))
                              (sb-int:proper-list-p form))
                     (when (and (some #'much-quoted-p (rest form)) (compilable-p name))
                       (pushnew name names))
                     (mapc #'look (rest form))))))
             (much-quoted-p (argument)
               (large-p (if (typep argument '(cons (eql quote) (cons t null)))
                            (second argument)
                            (and (vectorp argument) argument))
                        *very-much-data*)))
      (look form))
    names))

(defun compiled-function-of (function)
  "What the compiler makes of the interpreted FUNCTION."
  (let ((sb-ext:*evaluator-mode* :compile))
    (compile nil `(lambda ,(sb-eval:interpreted-function-lambda-list function)
                    (declare ,@(sb-eval:interpreted-function-declarations function))
                    ,@(sb-eval:interpreted-function-body function)))))

(defun call-with-compiled (names function)
  "Call FUNCTION while the functions NAMES are compiled ones. That they are used is noted."
  (let ((interpreted (mapcar #'definition-of names)))
    (mapc #'note-use interpreted)
    (unwind-protect
         (progn
           (loop for name in names
                 for old in interpreted
                 do (setf (fdefinition name) (or (ignore-errors (compiled-function-of old)) old)))
           (funcall function))
      (loop for name in names
            for old in interpreted
            do (setf (fdefinition name) old)))))
