;;;; The functions of macros that the file under way defines, for the compiler's own use.
;;;;
;;;; COMPILE-FILE compiles the function of each macro twice: at once, for what of the file is still to
;;;; come, and for the FASL. Most files define macros for other files: the first of these functions is
;;;; made when somebody calls it, or before anything happens that might make it another one. Its
;;;; warnings, which the second one has as well, are told once.
;;;; Nor is what IN-PACKAGE expands into worth compiling to be done once.

(in-package :tenon-driver)

(defparameter *expander-definers*
  (known-functions "SB-C::%DEFMACRO" "SB-C::%DEFINE-COMPILER-MACRO" "SB-IMPL::%DEFTYPE"
                   "SB-IMPL::%DEFSETF")
  "What stores a function that expands something, and does not call it.")

(defparameter *name-definers*
  (known-functions "SB-C::%DEFMACRO" "SB-C::%DEFINE-COMPILER-MACRO" "SB-IMPL::%DEFUN")
  "What defines its first argument, and does no more.")

(defparameter *class-definers*
  (known-functions "SB-C::%COMPILER-DEFMACRO" "SB-C:%COMPILER-DEFUN"
                   "SB-KERNEL::%DEFSTRUCT-PACKAGE-LOCKS" "SB-KERNEL::%COMPILER-DEFSTRUCT"
                   "SB-C::WARN-IF-SETF-MACRO" "SB-KERNEL::%COMPILER-DEFCLASS"
                   "SB-PCL::COMPILE-OR-LOAD-DEFGENERIC"
                   "SB-KERNEL::%COMPILER-DEFINE-CONDITION")
  "What tells the compiler of functions and classes that are still to be defined.")

(defvar *deferring* nil
  "True while the compiler evaluates a form that it compiles as well, and that defines an expander.")

(defvar *deferred* '()
  "Functions that make the deferred ones which nobody has called yet.")

(defvar *never-deferring* nil
  "True in actions whose expanders are to be made at once, as COMPILE-FILE would: an expander that warns when
it expands for the first time does so in the second compile otherwise, where warnings count.")

(defvar *deferred-any* nil
  "True once this action has deferred something.")

;;; What a function that is made later may not notice

(defun entered-package (form)
  "The package that FORM, the expansion of an IN-PACKAGE form, enters; NIL for any other form."
  (and (typep form '(cons (eql setq)
                     (cons (eql *package*)
                      (cons (cons (eql sb-int:find-undeleted-package-or-lose) (cons string null))
                       null))))
       (sb-int:find-undeleted-package-or-lose (second (third form)))))

(defun new-name-p (definer argument)
  "True if DEFINER, given ARGUMENT as a form, defines what was not defined before."
  (and (typep argument '(cons (eql quote) (cons t null)))
       (let ((name (second argument)))
         (and (sb-int:legal-fun-name-p name)
              (if (eq definer 'sb-c::%define-compiler-macro)
                  (null (compiler-macro-function name))
                  (null (definition-of name)))))))

(defun harmless-p (body)
  "True if evaluating BODY, a list of forms, changes nothing that was there."
  (and (null (rest body))
       (typep (first body) '(cons symbol cons))
       (let ((form (first body)))
         (or (member (first form) *class-definers*)
             (entered-package form)
             (and (member (first form) *name-definers*)
                  (new-name-p (first form) (second form)))))))

;;; Making functions later

(defun make-deferred-functions ()
  (loop while *deferred*
        do (funcall (pop *deferred*))))

(defun call-as-at-toplevel (function)
  "Call FUNCTION, which compiles something, maybe in the midst of another compile; that one goes on as if
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

(defun later (compile)
  "A function that calls COMPILE when it is called first, in the state in which the compiler is now, and
returns what it returned."
  (let ((package *package*) (readtable *readtable*) (policy sb-c::*policy*)
        (context sb-impl::*eval-source-context*) (index sb-impl::*eval-tlf-index*)
        (info sb-impl::*eval-source-info*)
        (function nil))
    (lambda ()
      (or function
          (setf function
                (let ((*package* package) (*readtable* readtable) (sb-c::*policy* policy)
                      (sb-impl::*eval-source-context* context)
                      (sb-impl::*eval-tlf-index* index)
                      (sb-impl::*eval-source-info* info)
                      (*deferring* nil))
                  (call-as-at-toplevel compile)))))))

(defun unexpanded (kind form)
  "What an expander of KIND makes of FORM in its own body: there it is not defined yet."
  (case kind
    (compiler-macro form)
    (macro-function (list* 'funcall (list 'quote (first form)) (rest form)))
    (t t)))                             ; a type that nobody knows

(defun deferred-function (kind compile)
  "A function that does what the one does that COMPILE returns, an expander of KIND."
  (let* ((later (later compile))
         (making nil)
         (make (lambda ()
                 (setf making t)
                 (unwind-protect (funcall later)
                   (setf making nil)))))
    (push make *deferred*)
    (setf *deferred-any* t)
    (lambda (&rest arguments)
      (if making
          (unexpanded kind (first arguments))
          (apply (the function (funcall make)) arguments)))))

(defun expander-lambda-p (form)
  "True if FORM is the lambda expression of an expander: (NAMED-LAMBDA (KIND NAME) ...)."
  (typep form '(cons (eql sb-int:named-lambda) (cons cons))))

(when (and (fboundp 'sb-impl::%simple-eval) (fboundp 'sb-c::eval-compile-toplevel)
           (fboundp '(setf sb-c::source-info-last-defn-source-loc)))
  (define-wrapper sb-c::eval-compile-toplevel defer-functions (next arguments)
    (let ((body (first arguments)))
      (when (and *deferred* (not (harmless-p body)))
        (make-deferred-functions))
      (let ((*deferring* (and *acting*
                              (not *never-deferring*)
                              (null (rest body))
                              (typep (first body) '(cons symbol))
                              (member (first (first body)) *expander-definers*))))
        (apply next arguments))))
  (define-wrapper sb-impl::%simple-eval defer-function (next arguments)
    (let ((form (first arguments)))
      (cond ((not *acting*) (apply next arguments))
            ((entered-package form) (setf *package* (entered-package form)))
            ((and *deferring* (expander-lambda-p form))
             (deferred-function (first (second form)) (lambda () (apply next arguments))))
            (t (apply next arguments))))))
