;;;; What interpreted code would leave behind otherwise than compiled code does, and shows in FASLs.

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
;;; arguments are known to be strings, which makes a character string.

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

(defun concatenation (form)
  "The directives, strings and others, of the FORMAT that the compiler makes a concatenation; or :NO."
  (destructuring-bind (&optional (destination t) control &rest arguments) (rest form)
    (or (and (null destination)
             (stringp control)
             (every #'string-form-p arguments)
             (let ((directives (ignore-errors (sb-format::tokenize-control-string
                                               (coerce control 'simple-string)))))
               (and (sb-c::concatenate-format-p directives (mapcar (constantly t) arguments))
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

(defun interpret-as-compiled ()
  "Called once, when a process begins to build."
  (when (fboundp '(setf sb-c::source-info-last-defn-source-loc))
    (sb-int:encapsulate 'sb-eval::eval-lambda 'apart 'eval-lambda-apart))
  (when (fboundp 'sb-c::concatenate-format-p)
    (setf (getf sb-eval::*eval-dispatch-functions* 'format) 'eval-format)))
