;;;; The functions of macros that the file under way defines, for the compiler's own use.
;;;;
;;;; COMPILE-FILE compiles the function of each macro twice: at once, for what of the file is still to
;;;; come, and for the FASL. Most files define macros for other files: the first of these functions is
;;;; made when somebody calls it, and its warnings, which the second one has as well, are told once.
;;;; Nor is what IN-PACKAGE expands into worth compiling to be done once.

(in-package :tenon-driver)

(defparameter *deferring-definers*
  (loop for name in '("SB-C::%DEFMACRO" "SB-C::%DEFINE-COMPILER-MACRO" "SB-IMPL::%DEFTYPE"
                      "SB-IMPL::%DEFSETF")
        for definer = (ignore-errors (read-from-string name))
        when (and definer (fboundp definer))
          collect definer)
  "What stores a function that expands something, and does not call it.")

(defvar *deferring* nil
  "True while the compiler evaluates a form that it compiles as well, and that defines such a function.")

(defun expander-lambda-p (form)
  "True if FORM is the lambda expression of such a function: (NAMED-LAMBDA (KIND NAME) ...)."
  (typep form '(cons (eql sb-int:named-lambda) (cons cons))))

(defun entered-package (form)
  "The package that FORM, the expansion of an IN-PACKAGE form, enters; NIL for any other form."
  (and (typep form '(cons (eql setq)
                     (cons (eql *package*)
                      (cons (cons (eql sb-int:find-undeleted-package-or-lose) (cons string null))
                       null))))
       (sb-int:find-undeleted-package-or-lose (second (third form)))))

(defun call-as-at-toplevel (function)
  "Call FUNCTION, which compiles something in the midst of another compile; that one goes on as if
nothing had happened. What there is to say has been said, or will be."
  (let* ((info sb-c::*source-info*)
         (location (and info (sb-c::source-info-last-defn-source-loc info)))
         (*diagnostics* *diagnostics*)
         (*recorded* *recorded*)
         (sb-c::*undefined-warnings* sb-c::*undefined-warnings*)
         (sb-c::*source-paths* (make-hash-table :test 'eq)))
    (multiple-value-prog1 (funcall function)
      (when info
        (setf (sb-c::source-info-last-defn-source-loc info) location)))))

(defun deferred-function (compile)
  "A function that calls what COMPILE returns, and calls COMPILE, in the state in which the compiler
is now, when it is called first."
  (let ((package *package*) (readtable *readtable*) (policy sb-c::*policy*)
        (context sb-impl::*eval-source-context*) (index sb-impl::*eval-tlf-index*)
        (function nil))
    (lambda (&rest arguments)
      (apply (or function
                 (setf function
                       (let ((*package* package) (*readtable* readtable) (sb-c::*policy* policy)
                             (sb-impl::*eval-source-context* context)
                             (sb-impl::*eval-tlf-index* index)
                             (sb-impl::*eval-source-info* sb-c::*source-info*)
                             (*deferring* nil))
                         (call-as-at-toplevel compile))))
             arguments))))

(when (and (fboundp 'sb-impl::%simple-eval) (fboundp 'sb-c::eval-compile-toplevel)
           (fboundp '(setf sb-c::source-info-last-defn-source-loc)))
  (define-wrapper sb-c::eval-compile-toplevel defer-functions (next arguments)
    (let ((body (first arguments)))
      (if (and *acting*
               (null (rest body))
               (typep (first body) '(cons symbol))
               (member (first (first body)) *deferring-definers*))
          (let ((*deferring* t))
            (apply next arguments))
          (apply next arguments))))
  (define-wrapper sb-impl::%simple-eval defer-function (next arguments)
    (let ((form (first arguments)))
      (cond ((not *acting*) (apply next arguments))
            ((entered-package form) (setf *package* (entered-package form)))
            ((and *deferring* (expander-lambda-p form))
             (deferred-function (lambda () (apply next arguments))))
            (t (apply next arguments))))))
