;;;; The interpreter as headers and actions use it: each form is expanded once.

(in-package :tenon-driver)

;;; SBCL's own expands the macros in a function's body each time the body runs, and counts generated
;;; names up as it does: what a macro called from compiled code names would differ from what its
;;; interpreted twin does. Here each form is expanded once, with a counter of its own.

(defvar *expansions* (make-hash-table :test 'eq)
  "Macro forms in the bodies of interpreted functions -> (MACRO-FUNCTION EXPANSION SEEN . USES), USES the
locations that were used for the expansion: whoever comes to rest on the expansion used them too; SEEN:
see CALL-WATCHING-APART.")

(defvar *expander* nil
  "The macro function that the interpreter is about to call.")
(defvar *expander-environment* nil
  "The environment, as the interpreter has it, of the form that is to be expanded.")

(defvar *interpreter-gensym-counter* 0)

(defun of-a-header-p (function)
  "True if FUNCTION is an interpreted one of a file that has a header, or whose header is being made: not
one of an .asd file."
  (let ((unit (first (defining-form function))))
    (and unit
         (or (and *watch* (equal unit (watch-unit *watch*)))
             (nth-value 1 (gethash unit *row-names*))))))

(defun call-noting-settings (expander form function)
  "Call FUNCTION, which has EXPANDER expand FORM. A variable that this changes is a reason to be unsure."
  (let ((*settings* '()))
    (multiple-value-prog1 (funcall function)
      (let ((variable (setting-left)))
        (when (and variable (of-a-header-p expander))
          (be-unsure "the macro ~A, in the body of a function, sets ~A when it is expanded"
                     (first form) variable))))))

(defun call-expander (expander form environment surroundings)
  "What the macro function EXPANDER makes of FORM in SURROUNDINGS, under the interpreter's own counter for
names. What it warns of, the compile of the file where FORM stands tells."
  (let ((*gensym-counter* *interpreter-gensym-counter*))
    (multiple-value-prog1 (handler-bind ((warning #'muffle-warning))
                            (call-noting-settings
                             expander form
                             (lambda ()
                               (call-surrounded
                                surroundings (lambda () (funcall expander form environment))))))
      (setf *interpreter-gensym-counter* *gensym-counter*))))

(defun remember-expansion (expander form environment surroundings)
  "Let FORM have its expansion. That, and the locations that were used for it."
  (let ((locations '()))
    (multiple-value-bind (expansion seen)
        (call-watching-apart
         (lambda ()
           (multiple-value-bind (expansion used)
               (call-noting-apart
                (lambda ()
                  (expansion-as-loaded
                   form (call-expander expander form environment surroundings))))
             (setf locations used)
             expansion)))
      (setf (gethash form *expansions*) (list* expander expansion seen locations))
      (values expansion locations))))

(defun expand-and-remember (expander form environment surroundings)
  (multiple-value-bind (expansion locations)
      (remember-expansion expander form environment surroundings)
    (note-fresh-expansion form)
    (mapc #'note-location locations)
    expansion))

(defun expansion-for-later (expander form environment)
  "What the macro function EXPANDER makes of FORM, which is used when somebody calls the function that FORM
is part of. Till then nothing has come of it."
  (let* ((*watch* (and *watch* (fresh-watch *watch*)))
         (*action-calls* nil)
         (*expanding-since* nil)
         (expansion (remember-expansion expander form environment (surroundings))))
    (if (or (not (eq expander (macro-function (first form))))
            (macro-influence (first form)))
        (setf (second (gethash form *expansions*)) (form-as-loaded *literals* (copy-code expansion)))
        expansion)))

(defun be-sure-of-expansion (form expander changes moment)
  "EXPANDER is about to expand FORM, in code that was made when *CHANGES* was CHANGES and *MOMENT* was
MOMENT."
  (let ((influence (expander-influence (first form) expander)))
    (cond ((changed-since-p (first form) changes)
           (be-unsure "the macro ~A was defined anew after a function that uses it" (first form)))
          ((and (eq influence :changes) (of-a-header-p expander))
           (be-unsure "the macro ~A, in the body of a function, changes something when it is expanded"
                      (first form)))
          ((and influence (/= moment *moment*))
           (be-unsure "the macro ~A, in the body of a function, depends on when it is expanded"
                      (first form))))))

(defun expand-once (form environment)
  "In place of a macro function, to the interpreter."
  (let* ((expander *expander*)
         (known (gethash form *expansions*)))
    (cond ((and known (eq (first known) expander))
           (mapc #'note-location (cdddr known))
           (note-old-expansion form expander (cdddr known))
           (note-expansion (second known) (third known))
           (second known))
          (t (destructuring-bind (changes moment . surroundings)
                 (environment-mark *expander-environment*)
               (be-sure-of-expansion form expander changes moment)
               (let ((*expanding-since* changes))
                 (expand-and-remember expander form environment surroundings)))))))

(defun ensure-slot-accessor (name)
  "Define the function NAME, (SLOT-ACCESSOR :GLOBAL slot type), as the compiler would have done."
  (unless (fboundp name)
    ;; Older ones want the parts of the name as well.
    (if (rest (sb-kernel:%fun-lambda-list #'sb-pcl::ensure-accessor))
        (funcall 'sb-pcl::ensure-accessor (fourth name) name (third name))
        (funcall 'sb-pcl::ensure-accessor name))))

(defun refine-interpreter ()
  "Called once, when a process begins to build."
  (interpret-as-compiled)
  (sb-int:encapsulate 'sb-eval::get-function 'expand-once
                      (lambda (next name environment)
                        (when (and (consp name) (eq (first name) 'sb-pcl::slot-accessor))
                          (ensure-slot-accessor name))
                        (multiple-value-bind (function kind) (funcall next name environment)
                          (cond ((eq kind :macro)
                                 (setf *expander* function
                                       *expander-environment* environment)
                                 (values #'expand-once kind))
                                ((and *inside* *watch*)
                                 (values (watched-function name function) kind))
                                (t (values function kind))))))
  (sb-int:encapsulate 'sb-eval::interpreted-apply 'note-use
                      (lambda (next function arguments)
                        (when *noting-uses*
                          (note-use function))
                        (when (and *expanding-since* (plusp *changes*))
                          (note-call-in-expansion function))
                        (cond (*action-calls* (record-call next function arguments))
                              (*watch* (watch-call next function arguments))
                              (t (funcall next function arguments)))))
  (watch-interpreter)
  ;; COMPILE may be given an interpreted function; its body is used then.
  (sb-int:encapsulate 'sb-c::prepare-for-compile 'note-use
                      (lambda (next function)
                        (when *noting-uses*
                          (doubt "a function is compiled")
                          (doubt-location (sb-eval:interpreted-function-source-location function))
                          (note-use function))
                        (funcall next function)))
  (sb-int:encapsulate 'function-lambda-expression 'as-compiled 'lambda-expression-as-compiled)
  ;; For those who would compile what isn't compiled yet.
  (sb-int:encapsulate 'compiled-function-p 'as-compiled
                      (lambda (next thing)
                        (if (and *noting-uses* (typep thing 'sb-eval::interpreted-function))
                            t
                            (funcall next thing))))
  (sb-int:encapsulate 'documentation 'note-docstring
                      (lambda (next thing kind)
                        (when *noting-uses*
                          (note-docstring thing kind))
                        (docstring-as-compiled
                         (or (funcall next thing kind)
                             ;; That of a method waits with its body (68-methods.lisp).
                             (and (typep thing 'method)
                                  (typep (sb-mop:method-function thing)
                                         'sb-eval::interpreted-function)
                                  (funcall next (sb-mop:method-function thing) kind)))
                         thing kind))))

(defun restore-interpreter ()
  "Undo that: this process builds no more."
  (loop for (function type) in '((sb-eval::get-function expand-once)
                                 (sb-impl::program-assert-symbol-home-package-unlocked where-compiled)
                                 (sb-eval::interpreted-apply note-use)
                                 (sb-c::prepare-for-compile note-use)
                                 (function-lambda-expression as-compiled)
                                 (compiled-function-p as-compiled)
                                 (documentation note-docstring)
                                 (sb-eval::eval-load-time-value once)
                                 (sb-eval::eval-lambda watch)
                                 (sb-eval::eval-local-function-def watch)
                                 (sb-eval::get-variable watch)
                                 (sb-eval::set-variable watch)
                                 (sb-eval::eval-multiple-value-call watch))
        do (sb-int:unencapsulate function type)))

;;; What interpreted functions tell and compiled ones don't

(defun lambda-expression-as-compiled (next function)
  "FUNCTION-LAMBDA-EXPRESSION of an interpreted function: no more than if it were compiled."
  (if (and *noting-uses* (typep function 'sb-eval::interpreted-function))
      (let* ((name (sb-eval:interpreted-function-name function))
             (inline (and (sb-int:legal-fun-name-p name)
                          (progn (note-question name)
                                 (sb-int:fun-name-inline-expansion name)))))
        (values inline (not inline) name))
      (funcall next function)))

(defun documented-function (thing kind)
  "The function whose docstring (DOCUMENTATION THING KIND) is, or NIL."
  (typecase thing
    (function thing)
    (method (sb-mop:method-function thing))
    ((or symbol cons)
     (case kind
       (function (or (and (symbolp thing) (macro-function thing))
                     (and (sb-int:legal-fun-name-p thing) (fboundp thing) (fdefinition thing))))
       (compiler-macro (and (sb-int:legal-fun-name-p thing) (compiler-macro-function thing)))))))

(defparameter *docstrings-are-base*
  (typep (documentation (compile nil '(lambda () "A docstring." nil)) t) 'base-string)
  "True if the docstrings of compiled functions are base strings where they can be.")

(defun docstring-as-compiled (docstring thing kind)
  "DOCSTRING, (DOCUMENTATION THING KIND), of the type that it has if the function is compiled."
  (if (and *docstrings-are-base*
           (typep docstring '(array character))
           (every (lambda (char) (typep char 'base-char)) docstring)
           (typep (documented-function thing kind) 'sb-eval::interpreted-function))
      (coerce docstring 'simple-base-string)
      docstring))

(defun note-docstring (thing kind)
  (let* ((function (ignore-errors (documented-function thing kind)))
         (location (and (typep function 'sb-eval::interpreted-function)
                        (sb-eval:interpreted-function-source-location function)))
         (unit (and location (sb-c:definition-source-location-namestring location))))
    (when unit
      (doubt "docstrings are read")
      (pushnew unit *docstring-uses* :test #'equal))))
