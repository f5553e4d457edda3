;;;; Methods in headers: their bodies wait until they are called.
;;;;
;;;; DEFMETHOD goes through the body of its method, and expands each macro there: where macros write the
;;;; methods, that takes most of a header's time. In a header the body is left as it stands in the source,
;;;; as that of any other function is, until it is called. The macros in it then count for who called it.

(in-package :tenon-driver)

(defvar *may-wait* t
  "False while a body that has waited is gone through.")

(defun plain-method-p (generic method environment)
  "True if DEFMETHOD makes a method like METHOD for a function like GENERIC as the standard has it, and
nothing around it defines anything."
  (and (eq (class-of generic) (find-class 'standard-generic-function))
       (eq (class-of method) (find-class 'standard-method))
       (or (null environment)
           (and (sb-c::lexenv-p environment)
                (null (local-definitions environment))))))

(defun no-made-next-method-p (name)
  "True if the next method of the one called NAME, (GENERIC QUALIFIER... SPECIALIZERS), is one that somebody
wrote: PCL forgets what comes after one that a method combination makes if the method that calls it has but
a slow function, as one that waits does."
  (subsetp (butlast (rest name)) '(:before :after)))

(defun initargs-form (name lambda-list lambda)
  "A form that makes the arguments for an instance of the method that DEFMETHOD makes of LAMBDA."
  (let ((sb-pcl::*method-name* name)
        (sb-pcl::*method-lambda-list* lambda-list)
        (*may-wait* nil))
    (multiple-value-bind (generic method) (sb-pcl::prototypes-for-make-method-lambda (first name))
      (let ((environment (sb-kernel:make-null-lexenv)))
        (multiple-value-bind (lambda initargs)
            (sb-pcl::make-method-lambda-internal generic method lambda environment)
          (sb-pcl::make-method-initargs-form generic method lambda initargs environment))))))

(defun code-of-method-function (function)
  "The function that has the body of the method whose method function is FUNCTION."
  (or (and (typep function 'sb-pcl::%method-function)
           (sb-pcl::%method-function-fast-function function))
      function))

(defvar *waiting* (make-hash-table :test 'eq)
  "Forms that make method functions -> the surroundings of the methods, or the functions once they are
made.")

(defmacro waiting-method (arguments next-methods cell name lambda-list lambda)
  "What the method function of LAMBDA gives for ARGUMENTS. In CELL is the method, once it is made."
  (let ((form (initargs-form name lambda-list lambda)))
    (setf (gethash form *waiting*) (surroundings))
    `(call-waiting ',form ',cell ,arguments ,next-methods)))

(defun make-waiting-function (form cell surroundings)
  "The method function that FORM makes, for the method in CELL. What calls are noted of is the function that
has waited for it."
  (let* ((initargs (let ((sb-ext:*evaluator-mode* :interpret)
                         (*watch* nil) (*call-watch* nil) (*action-calls* nil))
                     (call-surrounded surroundings (lambda () (eval form)))))
         (function (getf initargs :function))
         (own-cell (getf initargs 'sb-pcl::method-cell))
         (inner (code-of-method-function function)))
    (when own-cell
      (setf (first own-cell) (first cell)))
    (when (typep inner 'sb-eval::interpreted-function)
      (setf (sb-eval:interpreted-function-source-location inner) nil))
    function))

(defun call-waiting (form cell arguments next-methods)
  "Call the method function that FORM makes for the method in CELL."
  (let ((function (gethash form *waiting*)))
    (unless (functionp function)
      (setf function (make-waiting-function form cell function)
            (gethash form *waiting*) function))
    (funcall (the function function) arguments next-methods)))

(defun waiting-lambda (lambda cell)
  "What may stand in place of the method function that LAMBDA is made into. CELL is where the method will be."
  (multiple-value-bind (body declarations docstring) (sb-int:parse-body (cddr lambda) t)
    (let ((bare `(lambda ,(second lambda)
                   ,@(remove-if #'of-the-compiler-p declarations)
                   ,@body)))
      `(lambda (arguments next-methods)
         ,@(and docstring (list docstring))
         (waiting-method arguments next-methods ,cell
                         ,sb-pcl::*method-name* ,sb-pcl::*method-lambda-list* ,bare)))))

(defun of-the-compiler-p (declaration)
  "True if DECLARATION is one that DEFMETHOD adds, with the whole method in it."
  (typep declaration '(cons (eql declare) (cons (cons (eql sb-c::source-form))))))

(defun waiting-function-p (function)
  "True if FUNCTION, an interpreted one, stands in place of a method function."
  (equal (sb-eval:interpreted-function-lambda-list function) '(arguments next-methods)))

(when (and (= 3 (length (known-functions "SB-PCL::PROTOTYPES-FOR-MAKE-METHOD-LAMBDA"
                                         "SB-PCL::MAKE-METHOD-INITARGS-FORM"
                                         "SB-PCL::MAKE-METHOD-LAMBDA-INTERNAL")))
           (fboundp '(setf sb-eval:interpreted-function-source-location)))
  (define-wrapper sb-pcl::make-method-lambda-internal let-wait (next arguments)
    (destructuring-bind (generic method lambda environment &rest more) arguments
      (if (and *surface* *may-wait* (null more)
               sb-pcl::*method-name* sb-pcl::*method-lambda-list*
               (eq sb-ext:*evaluator-mode* :interpret)
               (no-made-next-method-p sb-pcl::*method-name*)
               (plain-method-p generic method environment)
               (not (mentions-reader-p lambda)))
          (let ((cell (list (make-symbol "METHOD-CELL")))) ; similar to no other literal
            (values (waiting-lambda lambda cell) `(sb-pcl::method-cell ,cell)))
          (apply next arguments)))))
