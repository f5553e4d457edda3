;;;; What interpreted code leaves behind otherwise than compiled code does, where it would show in FASLs.

(in-package :tenon-driver)

;;; The compiler gives equal source locations that it asks for in a row one object. What the interpreter
;;; asks for in between, for functions that macros make, must not count.

(defvar *interpreter-location* nil
  "The source location that the interpreter was given last.")

(defun eval-lambda-apart (next form environment)
  "In place of the interpreter's EVAL-LAMBDA."
  (let ((info (and (boundp 'sb-c::*source-info*) sb-c::*source-info*)))
    (if (null info)
        (funcall next form environment)
        (let ((last (sb-c::source-info-last-defn-source-loc info)))
          (setf (sb-c::source-info-last-defn-source-loc info) *interpreter-location*)
          (multiple-value-prog1 (funcall next form environment)
            (setf *interpreter-location* (sb-c::source-info-last-defn-source-loc info)
                  (sb-c::source-info-last-defn-source-loc info) last))))))

;;; (FORMAT NIL "~A..." ...) makes a base string where it can, but compiled it is CONCATENATE where all
;;; arguments are known to be strings, which makes a character string. Newer releases print a single
;;; directive as if it weren't.

(defvar *concatenating* (make-hash-table :test 'eq)
  "Forms (FORMAT NIL ...) that were evaluated -> the directives of those that concatenate strings, or :NO.")

(defun string-form-p (form)
  "True if the compiler knows that the value of FORM is a string, from FORM alone."
  (typecase form
    (string t)
    ((cons symbol)
     (let ((type (and (eq (sb-int:info :function :kind (first form)) :function)
                      (sb-int:info :function :type (first form)))))
       (and (sb-kernel:fun-type-p type)
            (sb-kernel:csubtypep (sb-kernel:single-value-type (sb-kernel:fun-type-returns type))
                                 (sb-kernel:specifier-type 'string)))))))

(defparameter *single-directive-concatenates*
  (typep (funcall (compile nil '(lambda (symbol) (format nil "~A" (symbol-name symbol)))) 'car)
         '(array character))
  "True if that goes for FORMAT with one directive, too.")

(defun concatenation (form)
  "The directives, strings and others, of the FORMAT that the compiler makes a concatenation; or :NO."
  (destructuring-bind (&optional (destination t) control &rest arguments) (rest form)
    (or (and (null destination)
             (stringp control)
             (every #'string-form-p arguments)
             (let ((directives (ignore-errors (sb-format::tokenize-control-string
                                               (coerce control 'simple-string)))))
               (and (sb-c::concatenate-format-p directives (mapcar (constantly t) arguments))
                    (or *single-directive-concatenates* (rest directives))
                    directives)))
        :no)))

(defun eval-format (form environment)
  "In place of the interpreter's own evaluation of a call of FORMAT."
  (let ((directives (or (gethash form *concatenating*)
                        (setf (gethash form *concatenating*) (concatenation form))))
        (arguments (sb-eval::eval-args (rest form) environment)))
    (if (eq directives :no)
        (apply #'format arguments)
        (let ((values (cddr arguments)))
          (apply #'concatenate 'string
                 (mapcar (lambda (directive) (if (stringp directive) directive (pop values)))
                         directives))))))

;;; Special variables
;;;
;;; Where the compiler has compiled a binding of a special variable, it takes a short cut to the variable
;;; ever after. What EVAL compiles while a FASL is loaded is interpreted in a header: neither may show.

(defparameter *bound-info*
  (let ((meta (ignore-errors (sb-impl::meta-info :variable :wired-tls))))
    (and meta (sb-impl::meta-info-number meta)))
  "The number of the compiler's note that a special variable has been bound, or NIL if it takes none.")

(defun also-observing (kinds function)
  "A value for SBCL's observer of its database: FUNCTION for KINDS of information, a bit for each, besides the
one that it has."
  (let ((present sb-impl::*globaldb-observer*))
    (if (null present)
        (cons kinds function)
        (cons (logior kinds (car present))
              (lambda (name number &rest answer)
                (when (logbitp number kinds)
                  (apply function name number answer))
                (when (logbitp number (car present))
                  (apply (cdr present) name number answer)))))))

(defun call-forgetting-bindings (function)
  "Call FUNCTION, which compiles something. The compiler then knows of no more bound variables than
before."
  (let* ((names '())
         (sb-impl::*globaldb-observer*
           (also-observing (ash 1 *bound-info*)
                           (lambda (name number value defaulted)
                             (declare (ignore number defaulted))
                             (unless value
                               (pushnew name names :test #'eq))))))
    (unwind-protect (funcall function)
      (dolist (name names)
        (when (eq (sb-int:info :variable :wired-tls name) t)
          (sb-int:clear-info :variable :wired-tls name))))))

(defun apply-forgetting-bindings (function arguments)
  (if (and *plain-types* *bound-info*)
      (call-forgetting-bindings (lambda () (apply function arguments)))
      (apply function arguments)))

(dolist (function *compilers-at-run-time*)
  (sb-int:encapsulate function 'forget-bindings
                      (lambda (next &rest arguments)
                        (apply-forgetting-bindings next arguments))))

;;; Where code stands
;;;
;;; The compiler expands the macros in a function where the function stands, the interpreter where it is
;;; called, maybe from a file that is in another package and another folder. What a macro interns, or
;;; the file that it takes for its own, must not depend on that.

(defparameter *surroundings* '(*package* *readtable* *compile-file-pathname* *compile-file-truename*
                               *load-pathname* *load-truename*)
  "What tells a macro where the code stands that it is part of.")

(defvar *loading-instead* nil
  "(LOADING . COMPILING) while a form of the file under way is evaluated as if its FASL were loaded: what
the surroundings are meanwhile, and what they were when the form was expanded.")

(defun surroundings ()
  (mapcar #'symbol-value *surroundings*))

(defun surroundings-of-expansion ()
  "What the surroundings are, or were, for the macros in what is evaluated now."
  (if (and *loading-instead*
           (loop for variable in *surroundings*
                 for value in (car *loading-instead*)
                 always (eq (symbol-value variable) value)))
      (cdr *loading-instead*)
      (surroundings)))

(defparameter *surroundings-mark* (make-symbol "SURROUNDINGS")
  "The name of a block, among those of each of the interpreter's environments: no RETURN-FROM can mean it.
In place of the block are the surroundings of the code there.")

(defun mark-surroundings (next lexenv)
  "In place of the interpreter's MAKE-ENV-FROM-NATIVE-ENVIRONMENT, which all others come from."
  (let ((environment (funcall next lexenv)))
    (push (list* *surroundings-mark* *changes* *moment* (surroundings-of-expansion))
          (sb-eval::env-blocks environment))
    environment))

(defun environment-mark (environment)
  "When the code in the interpreter's ENVIRONMENT was made, by *CHANGES* and by *MOMENT*, and its
surroundings."
  (or (cdr (assoc *surroundings-mark* (sb-eval::env-blocks environment) :test #'eq))
      (list* *changes* *moment* (surroundings))))

(defun call-uncounted (function)
  "Call FUNCTION. The compiler numbers what it makes, and what it puts first may depend on the number:
environments that are made meanwhile are none of the compile under way."
  (if (and (fboundp '(setf sb-c::sset-counter))
           (boundp 'sb-c::*compilation*)
           sb-c::*compilation*)
      (let ((count (sb-c::sset-counter sb-c::*compilation*)))
        (unwind-protect (funcall function)
          (setf (sb-c::sset-counter sb-c::*compilation*) count)))
      (funcall function)))

(defun call-surrounded (surroundings function)
  "Call FUNCTION, which expands or evaluates code in SURROUNDINGS that the compile under way knows nothing
of."
  (progv *surroundings* surroundings
    (call-uncounted function)))

;;; Values at load time
;;;
;;; The interpreter evaluates the form of LOAD-TIME-VALUE each time.

(defvar *load-time-forms* (make-hash-table :test 'eq)
  "(FORM ...) of (LOAD-TIME-VALUE FORM ...) -> FORM's value, in a list.")

(defun eval-load-time-value-once (next body environment)
  "In place of the interpreter's EVAL-LOAD-TIME-VALUE."
  (declare (ignore environment))
  (first (or (gethash body *load-time-forms*)
             (setf (gethash body *load-time-forms*)
                   (list (funcall next body (sb-eval::make-null-environment)))))))

(defun value-at-load-time (form)
  "The value of FORM, (LOAD-TIME-VALUE ...), from now on."
  (sb-eval::eval-load-time-value (rest form) (sb-eval::make-null-environment)))

;;; Package locks
;;;
;;; What a function binds locally must not be a symbol of a locked package, unless that is the current one:
;;; the compiler asks once, where the function stands, the interpreter wherever it is called.

(defun assert-unlocked-where-compiled (next context &rest arguments)
  "In place of what asserts that the home package of a symbol is unlocked."
  (unless (eq context :eval)
    (apply next context arguments)))

;;; All of it

(defun interpret-as-compiled ()
  "Called once, when a process begins to build."
  (sb-int:encapsulate 'sb-eval::eval-load-time-value 'once 'eval-load-time-value-once)
  (sb-int:encapsulate 'sb-impl::program-assert-symbol-home-package-unlocked 'where-compiled
                      'assert-unlocked-where-compiled)
  (sb-int:encapsulate 'sb-eval::make-env-from-native-environment 'mark-surroundings 'mark-surroundings)
  (when (fboundp '(setf sb-c::source-info-last-defn-source-loc))
    (sb-int:encapsulate 'sb-eval::eval-lambda 'apart 'eval-lambda-apart))
  (when (fboundp 'sb-c::concatenate-format-p)
    (setf (getf sb-eval::*eval-dispatch-functions* 'format) 'eval-format)))
