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
  (when (unnoticed (or (mentions-reader-p form)
                       (local-reader-p lexenv)))
    (call-or-give-up #'expand-forms-early form lexenv)))
