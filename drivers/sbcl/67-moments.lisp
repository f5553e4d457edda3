;;;; Macros whose expansions depend on the moment.
;;;;
;;;; The compiler expands the macros in a function's body where the function stands, the interpreter when
;;;; the function is called. Most macros make the same of a form at any time. One that looks at a variable,
;;;; a table, a class or what else there is at the moment may not: a form of a header whose functions use
;;;; such macros has them expanded before it is evaluated, as the compiler does. One that changes such a
;;;; thing must not be expanded for a function that nobody calls: loading the FASL would not do that. What
;;;; comes of it is not sure once somebody does call it (66-changes.lisp).
;;;;
;;;; Which macros these are is told from their code and that of the functions they call. When in doubt, a
;;;; macro is one of them: what that costs is time. Nor is it sure what comes of the macros that are found
;;;; too late, because a local macro makes forms of them.

(in-package :tenon-driver)

(defparameter *system-packages*
  (remove (find-package :cl-user) (list-all-packages))
  "The packages of Lisp, ASDF and the driver: what their macros and functions do depends on nothing but
their arguments, with the exceptions below.")

(defparameter *readers*
  '(get symbol-plist symbol-value symbol-function fdefinition boundp fboundp macro-function
    compiler-macro-function find-class find-symbol find-package list-all-packages find-all-symbols
    apropos-list documentation get-universal-time get-decoded-time get-internal-real-time
    get-internal-run-time eval load read probe-file
    *features* *modules*
    sb-ext:posix-getenv uiop:getenv)
  "What of these packages tells of something that may change.")

(defparameter *changers*
  '(random *random-state* set makunbound fmakunbound remhash clrhash remprop vector-push vector-push-extend
    vector-pop rplaca rplacd fill replace)
  "What of these packages changes something.")

(defparameter *assignments*
  '(setq psetq setf psetf incf decf push pushnew pop rotatef shiftf remf multiple-value-setq)
  "What changes places that are among its arguments.")

;;; What may come of code: NIL, nothing but what its arguments tell; :READS, what it finds at the moment as
;;; well; :CHANGES, and that may be another thing afterwards.

(defvar *influences* (make-hash-table :test 'eq)
  "Functions -> their influence; :ASKED while that is found out.")

(defvar *asked* '()
  "The functions for which it was found out since the first of them was asked for.")

(defun stronger (one other)
  (cond ((or (eq one :changes) (eq other :changes)) :changes)
        (t (or one other))))

(defun strongest (function parts)
  "The strongest influence that FUNCTION tells of the elements of PARTS, a list that may end in anything."
  (loop with influence = nil
        for rest = parts then (rest rest)
        while (and (consp rest) (not (eq influence :changes)))
        do (setf influence (stronger influence (funcall function (first rest))))
        finally (return influence)))

(defun of-the-system-p (symbol)
  (let ((package (symbol-package symbol)))
    (or (null package)
        (eq package sb-int:*keyword-package*)
        (and (member package *system-packages* :test #'eq) t)
        (let ((name (package-name package)))
          (and name (> (length name) 3) (string= name "SB-" :end1 3))))))

(defun system-influence (name)
  (cond ((member name *changers* :test #'eq) :changes)
        ((member name *readers* :test #'eq) :reads)))

(defvar *closed-over* '()
  "The variables around the function whose code is looked at.")

(defun outer-variable-p (symbol)
  "True if SYMBOL names a variable that was there before the function whose code is looked at was called."
  (or (member (sb-int:info :variable :kind symbol) '(:special :global))
      (member symbol *closed-over* :test #'eq)))

(defun variable-influence (symbol)
  (cond ((outer-variable-p symbol)
         (if (of-the-system-p symbol) (system-influence symbol) :reads))
        ((eq (sb-int:info :variable :kind symbol) :macro)
         (code-influence (macroexpand-1 symbol)))))

(defun operator-influence (name)
  "That of a call of the function or macro NAME."
  (cond ((not (sb-int:legal-fun-name-p name)) nil)
        ((consp name) :changes)         ; a SETF function
        ((special-operator-p name) (and (eq name 'load-time-value) :reads))
        ((of-the-system-p name) (system-influence name))
        ((macro-function name) (macro-influence name))
        ((not (fboundp name)) nil)      ; a local one, or one that isn't called
        ((structure-function-p name) nil)
        (t (function-influence (fdefinition name)))))

(defun assignment-influence (places)
  "That of an assignment, PLACES being the forms that its places are among."
  (if (some (lambda (place)
              (if (symbolp place)
                  (outer-variable-p place)
                  (not (typep place '(cons (member quote function values))))))
            places)
      :changes
      nil))

(defun assigned-forms (form)
  "Those arguments of FORM, one of *ASSIGNMENTS*, that are places."
  (case (first form)
    ((setq psetq setf psetf) (loop for place in (rest form) by #'cddr collect place))
    ((push pushnew) (list (third form)))
    ((incf decf pop remf) (list (second form)))
    (multiple-value-setq (second form))
    (t (rest form))))

(defun code-influence (form)
  "That of FORM, part of a function's body. What of it is a binding or a clause is taken for a form."
  (typecase form
    (symbol (variable-influence form))
    (sb-impl::comma (code-influence (sb-impl::comma-expr form)))
    (cons
     (case (first form)
       ((quote sb-int:quasiquote) (template-influence (rest form)))
       (function (stronger (operator-influence (second form))
                           (and (consp (second form))
                                (strongest #'code-influence (rest (second form))))))
       (declare nil)
       (t (stronger (stronger (if (consp (first form))
                                  (code-influence (first form))
                                  (operator-influence (first form)))
                              (and (member (first form) *assignments* :test #'eq)
                                   (ignore-errors (assignment-influence (assigned-forms form)))))
                    (strongest #'code-influence (rest form))))))))

(defun template-influence (template)
  "That of code which has been made of TEMPLATE, when it is expanded."
  (typecase template
    (sb-impl::comma (code-influence (sb-impl::comma-expr template)))
    (symbol (cond ((eq template 'load-time-value) :reads)
                  ((macro-function template) (macro-influence template))))
    (cons (strongest #'template-influence template))
    (simple-vector (strongest #'template-influence (coerce template 'list)))))

(defun accessor-p (generic)
  "True if all that the GENERIC function does is to look at a slot of its argument."
  (every (lambda (method) (typep method 'sb-mop:standard-accessor-method))
         (sb-mop:generic-function-methods generic)))

(defun interpreted-influence (function closed-over)
  "That of a call of FUNCTION, which is interpreted, and around which are the variables CLOSED-OVER."
  (let ((*closed-over* closed-over))
    (strongest #'code-influence (append (sb-eval:interpreted-function-lambda-list function)
                                        (sb-eval:interpreted-function-body function)))))

(defun definition-influence (function)
  (typecase function
    (sb-eval::interpreted-function
     (interpreted-influence function
                            (loop for at = (sb-eval::interpreted-function-env function)
                                  then (sb-eval::env-parent at)
                                  while at
                                  append (mapcar #'car (sb-eval::env-vars at)))))
    (generic-function (if (accessor-p function) nil :reads))
    (t :reads)))

(defun ask-influence (function)
  "FUNCTION-INFLUENCE, for a FUNCTION that was not asked for. One that calls itself, through others maybe,
is what the rest of its code makes it; but what was told of those others must not stay then."
  (let ((first (null *asked*)))
    (setf (gethash function *influences*) :asked)
    (push function *asked*)
    (let ((influence (definition-influence function)))
      (when first
        (when influence
          (dolist (function *asked*)
            (remhash function *influences*)))
        (setf *asked* '()))
      (setf (gethash function *influences*) influence))))

(defun function-influence (function)
  (multiple-value-bind (influence known) (gethash function *influences*)
    (cond ((not known) (ask-influence function))
          ((eq influence :asked) nil)
          (t influence))))

(defun macro-influence (name)
  "That of what the global macro NAME makes of a form."
  (and (not (of-the-system-p name))
       (function-influence (macro-function name))))

(defun expander-influence (name expander)
  "That of what EXPANDER, the macro function that NAME has where it is used, makes of a form."
  (cond ((of-the-system-p name) nil)
        ((eq expander (macro-function name)) (function-influence expander))
        ((typep expander 'sb-eval::interpreted-function) ; a local macro: each time another function
         (interpreted-influence expander '()))))         ; around a top-level form: see EXPAND-EARLY

(defun place-influence (name)
  "That of what SETF and others make of (NAME ...)."
  (let* ((expander (sb-int:info :setf :expander name))
         (function (if (consp expander) (cdr expander) expander)))
    (and (functionp function)
         (not (of-the-system-p name))
         (function-influence function))))

;;; Where such macros are used

(defun mentions-reader-p (form)
  "True if FORM, code of whatever kind, has a form in it whose operator is a macro that reads what there is
at the moment, or evaluates something when it is loaded."
  (let ((operator (and (consp form) (first form))))
    (cond ((sb-impl::comma-p form) (mentions-reader-p (sb-impl::comma-expr form)))
          ((atom form) nil)
          ((eq operator 'quote) nil)
          ((eq operator 'sb-int:quasiquote) (some-comma-p #'mentions-reader-p (second form)))
          ((eq operator 'load-time-value) t)
          ((eq operator 'waiting-method) nil) ; that was asked before it was made to wait
          ((and operator (symbolp operator)
                (or (and (eq (sb-int:info :function :kind operator) :macro)
                         (eq (macro-influence operator) :reads))
                    (eq (place-influence operator) :reads))))
          (t (loop for rest = form then (rest rest)
                   while (consp rest)
                     thereis (and (or (consp (first rest)) (sb-impl::comma-p (first rest)))
                                  (mentions-reader-p (first rest))))))))

(defun some-comma-p (predicate template)
  "True if PREDICATE is true of a form after a comma in TEMPLATE."
  (typecase template
    (sb-impl::comma (funcall predicate (sb-impl::comma-expr template)))
    (cons (loop for rest = template then (rest rest)
                while (consp rest)
                  thereis (some-comma-p predicate (first rest))))
    (simple-vector (some (lambda (part) (some-comma-p predicate part)) template))))

;;; Expanding them

(defun copy-code (form)
  "FORM, an expansion, as its FASL has it: nothing in it is part of something else. A macro's template may
have given all its expansions a form that is another thing each time it is expanded."
  (cond ((atom form) form)
        ((and (eq (first form) 'quote) (not (sb-int:coalesce-tree-p form))) form)
        (t (loop for rest = form then (rest rest)
                 while (consp rest)
                 collect (copy-code (first rest)) into parts
                 finally (return (if rest (append parts rest) parts))))))

(defun expand-forms-early (form lexenv)
  "Expand the macros in FORM, which stands in LEXENV, so that the interpreter will find what they
made. Not those in what the local macros in FORM make: the interpreter calls these again. The forms
(LOAD-TIME-VALUE ...) in it, in their order."
  (let ((values '()))
    (labels ((visit (form context environment)
               (let ((name (and (consp form) (first form))))
                 (cond ((or (null name) (not (symbolp name))) form)
                       ((eq name 'load-time-value)
                        (push form values)
                        (values form t))
                       ((or (special-operator-p name) (sb-walker::get-walker-template name form))
                        form)
                       ((macro-function name environment)
                        (visit-macro form (macro-function name environment) context environment)
                        (values form t))
                       (t form))))
             (visit-macro (form expander context environment)
               (let* ((name (first form)) (global (eq expander (macro-function name))))
                 (when (and (eq expander (macro-function name lexenv))
                            (not (and global (eq (macro-influence name) :changes))))
                   (sb-walker::walk-form-internal (expansion-for-later expander form environment)
                                                  context environment)))))
      (sb-walker:walk-form form lexenv #'visit)
      (nreverse values))))

(defun local-reader-p (lexenv)
  "True if the local macros around the top-level form under way may read what there is at the moment."
  (and (local-definitions lexenv)
       (let ((source (nth-value 1 (current-source))))
         (or (not (typep source '(cons (eql macrolet) (cons list)))) ; nobody knows of their code
             (template-influence (second source))
             (loop for definition in (second source)
                     thereis (strongest #'code-influence definition))))))

(defun expand-early (form lexenv)
  "Expand the macros in FORM, which is to be evaluated in LEXENV, if there are some that may make something
else later. What is to be evaluated before FORM is: forms (LOAD-TIME-VALUE ...)."
  (when (or (mentions-reader-p form)
            (local-reader-p lexenv))
    (call-or-give-up #'expand-forms-early form lexenv)))
