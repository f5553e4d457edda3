;;;; What may come of code, as far as its text tells: whether it depends on more than its arguments, and
;;;; whether it changes anything.

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

(defparameter *compiled-readers*
  (loop for name in '("GET3" "%PUT" "CACHED-FIND-PACKAGE")
        for symbol = (or (find-symbol name :sb-impl) (find-symbol name :sb-kernel))
        when symbol
          collect symbol)
  "What the compiler calls in place of some of these.")

(defparameter *changers*
  '(random *random-state* set makunbound fmakunbound remhash clrhash remprop vector-push vector-push-extend
    vector-pop rplaca rplacd fill replace)
  "What of these packages changes something.")

(defparameter *assignments*
  '(setq psetq setf psetf incf decf push pushnew pop rotatef shiftf remf multiple-value-setq)
  "What changes places that are among its arguments.")

;;; What code makes for itself, it may change

(defvar *own* '()
  "Local variables around the code that is looked at: each holds something that was made there, and is bound
and assigned nowhere else.")

(defparameter *makers*
  '(make-array make-string make-hash-table make-sequence make-list list copy-list copy-seq)
  "What returns something new, all of it.")

(defparameter *changed-arguments*
  '((replace . 1) (fill . 1) (rplaca . 1) (rplacd . 1) (vector-push . 2) (vector-push-extend . 2)
    (vector-pop . 1) (remhash . 2) (clrhash . 1)
    ;; As places.
    (aref . 1) (svref . 1) (char . 1) (schar . 1) (bit . 1) (sbit . 1) (row-major-aref . 1)
    (fill-pointer . 1) (elt . 1) (nth . 2) (gethash . 2) (car . 1) (cdr . 1) (first . 1) (rest . 1))
  "What changes one of its arguments, or is a place in it, and which argument that is.")

(defparameter *plain-operators*
  '(if when unless and or progn prog1 prog2 block return return-from locally the values
    multiple-value-prog1 multiple-value-call unwind-protect catch throw)
  "Macros and special operators that bind nothing, and all of whose arguments are forms.")

(defparameter *binding-operators*
  '(lambda multiple-value-bind destructuring-bind with-output-to-string)
  "Those that bind nothing but variables in the list that is their first argument.")

(defun changes-own-p (form)
  "True if what the call FORM changes, or as a place has changed, is something that the code around it has
made for itself."
  (let ((argument (cdr (assoc (first form) *changed-arguments* :test #'eq))))
    (and argument
         *own*
         (sb-int:proper-list-p form)
         (member (nth argument form) *own* :test #'eq)
         t)))

(defun binding-name (binding)
  (if (consp binding) (first binding) binding))

(defun binding-init (binding)
  (and (consp binding) (consp (rest binding)) (second binding)))

(defun mentions-p (name code)
  "True if NAME is anywhere in CODE."
  (cond ((consp code) (or (mentions-p name (first code)) (mentions-p name (rest code))))
        ((sb-impl::comma-p code) (mentions-p name (sb-impl::comma-expr code)))
        ((simple-vector-p code) (some (lambda (part) (mentions-p name part)) code))
        (t (eq name code))))

(defun only-used-p (name form)
  "True if the variable NAME is bound and assigned nowhere in FORM, as far as can be told."
  (flet ((all-p (forms) (every (lambda (form) (only-used-p name form)) forms)))
    (let ((operator (and (consp form) (first form))))
      (cond ((or (not (mentions-p name form)) (atom form) (eq operator 'quote)) t)
            ((or (not (symbolp operator)) (not (sb-int:proper-list-p form))) nil)
            ((binding-form-p form)
             (and (notany (lambda (binding) (eq (binding-name binding) name)) (second form))
                  (all-p (mapcar #'binding-init (second form)))
                  (all-p (cddr form))))
            ((member operator '(cond case ecase typecase etypecase))
             (every (lambda (clause)
                      (or (atom clause) (and (sb-int:proper-list-p clause) (all-p clause))))
                    (rest form)))
            ((member operator '(dolist dotimes))
             (and (sb-int:proper-list-p (second form))
                  (not (eq (first (second form)) name))
                  (all-p (rest (second form)))
                  (all-p (cddr form))))
            ((member operator *binding-operators*)
             (and (not (mentions-p name (second form)))
                  (all-p (cddr form))))
            ((eq operator 'function) (or (atom (second form)) (only-used-p name (second form))))
            ((member operator *assignments*)
             (and (not (member name (assigned-forms form))) (all-p (rest form))))
            ((or (member operator *plain-operators*)
                 (and (definition-of operator)
                      (not (macro-function operator))
                      (not (special-operator-p operator))))
             (all-p (rest form)))))))

(defun own-variables (bindings body)
  "The variables among BINDINGS, of a LET, that hold something of BODY's own."
  (loop for binding in bindings
        for name = (binding-name binding)
        for init = (binding-init binding)
        when (and (consp init)
                  (member (first init) *makers* :test #'eq)
                  (not (member :displaced-to init))
                  (not (outer-variable-p name))
                  (every (lambda (form) (only-used-p name form)) body))
          collect name))

;;; What may come of code: NIL, nothing but what its arguments tell; :READS, what it finds at the moment as
;;; well; a list of variables, and those may have other values afterwards, unless they are bound around it;
;;; :CHANGES, and anything may be another thing afterwards.

(defvar *influences* (make-hash-table :test 'eq)
  "Functions -> their influence; :ASKED while that is found out.")

(defvar *asked* '()
  "The functions for which it was found out since the first of them was asked for.")

(defun stronger (one other)
  (cond ((or (eq one :changes) (eq other :changes)) :changes)
        ((and (consp one) (consp other)) (union one other :test #'eq))
        ((consp other) other)
        (t (or one other))))

(defun influence-outside (influence bound)
  "What remains of the INFLUENCE of code around which the variables BOUND are bound."
  (if (consp influence)
      (or (set-difference influence bound :test #'eq) :reads)
      influence))

(defun lasting (influence)
  "INFLUENCE, of code that is part of no other."
  (if (consp influence) :changes influence))

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
        ((or (member name *readers* :test #'eq) (member name *compiled-readers* :test #'eq)) :reads)))

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
        ((macro-function name) (function-influence (macro-function name)))
        ((null (definition-of name)) nil) ; a local one, or one that isn't called
        ((structure-function-p name) nil)
        (t (function-influence (definition-of name)))))

(defun place-assignment-influence (place)
  "That of giving PLACE another value."
  (cond ((symbolp place)
         (cond ((member place *closed-over* :test #'eq) :changes)
               ((outer-variable-p place) (list place))))
        ((typep place '(cons (member quote function values))) nil)
        ((changes-own-p place) nil)
        (t :changes)))

(defun assignment-influence (places)
  "That of an assignment, PLACES being the forms that its places are among."
  (strongest #'place-assignment-influence places))

(defun assigned-forms (form)
  "Those arguments of FORM, one of *ASSIGNMENTS*, that are places."
  (case (first form)
    ((setq psetq setf psetf) (loop for place in (rest form) by #'cddr collect place))
    ((push pushnew) (list (third form)))
    ((incf decf pop remf) (list (second form)))
    (multiple-value-setq (second form))
    (t (rest form))))

(defun call-influence (form)
  "That of FORM, as far as its operator tells."
  (cond ((consp (first form)) (code-influence (first form)))
        ((changes-own-p form) nil)
        (t (operator-influence (first form)))))

(defun binding-form-p (form)
  "True if FORM is (LET (...) ...) or (LET* (...) ...)."
  (and (typep form '(cons (member let let*) (cons list)))
       (sb-int:proper-list-p form)
       (sb-int:proper-list-p (second form))))

(defun let-influence (form)
  "That of FORM, (LET (...) ...) or (LET* (...) ...)."
  (destructuring-bind (bindings &rest body) (rest form)
    (let ((inits (strongest (lambda (binding) (code-influence (binding-init binding))) bindings))
          (*own* (append (own-variables bindings body) *own*)))
      (stronger inits (influence-outside (strongest #'code-influence body)
                                         (mapcar #'binding-name bindings))))))

(defun code-influence (form)
  "That of FORM, part of a function's body. What of it is a binding or a clause is taken for a form."
  (typecase form
    (symbol (variable-influence form))
    (sb-impl::comma (code-influence (sb-impl::comma-expr form)))
    ((satisfies binding-form-p) (let-influence form))
    (cons
     (case (first form)
       ((quote sb-int:quasiquote) (template-influence (rest form)))
       (function (stronger (operator-influence (second form))
                           (and (consp (second form))
                                (strongest #'code-influence (rest (second form))))))
       (declare nil)
       (t (stronger (stronger (call-influence form)
                              (and (member (first form) *assignments* :test #'eq)
                                   (ignore-errors (assignment-influence (assigned-forms form)))))
                    (strongest #'code-influence (rest form))))))))

(defun template-influence (template)
  "That of code which has been made of TEMPLATE, when it is expanded."
  (typecase template
    (sb-impl::comma (code-influence (sb-impl::comma-expr template)))
    (symbol (cond ((eq template 'load-time-value) :reads)
                  ((macro-function template) (operator-influence template))))
    (cons (strongest #'template-influence template))
    (simple-vector (strongest #'template-influence (coerce template 'list)))))

(defun accessor-p (generic)
  "True if all that the GENERIC function does is to look at a slot of its argument."
  (every (lambda (method) (typep method 'sb-mop:standard-accessor-method))
         (sb-mop:generic-function-methods generic)))

(defun interpreted-influence (function closed-over)
  "That of a call of FUNCTION, which is interpreted, and around which are the variables CLOSED-OVER."
  (let ((*closed-over* closed-over) (*own* '()))
    (strongest #'code-influence (append (sb-eval:interpreted-function-lambda-list function)
                                        (sb-eval:interpreted-function-body function)))))

(defun code-of (function)
  (sb-kernel:fun-code-header (sb-kernel:%fun-fun function)))

(defparameter *function-slots*
  (let ((code (code-of (compile nil '(lambda (x) x)))))
    (if (< (- (sb-kernel:code-header-words code) sb-vm:code-constants-offset)
           sb-vm:code-slots-per-simple-fun)
        0
        sb-vm:code-slots-per-simple-fun))
  "How many words there are for each function before the constants of its code.")

(defun code-constants (function)
  "What the code of FUNCTION, which is compiled, refers to."
  (let ((code (code-of function)))
    (loop for index from (+ sb-vm:code-constants-offset
                            (* *function-slots* (sb-kernel:code-n-entries code)))
            below (sb-kernel:code-header-words code)
          collect (sb-kernel:code-header-ref code index))))

(defparameter *linkage-name*
  (first (known-functions "SB-VM::LINKAGE-ADDR->NAME"))
  "What names the functions to which code is linked without referring to them, as newer releases do; or NIL.")

(defun linked-functions (function)
  "Names of those that FUNCTION, which is compiled, calls and CODE-CONSTANTS doesn't tell."
  (when *linkage-name*
    (loop for index in (values (sb-c::unpack-code-fixup-locs (sb-vm::%code-fixups (code-of function))))
          collect (funcall *linkage-name* index :index))))

(defvar *layout-type*
  (type-of (sb-kernel:find-layout 'structure-object))
  "The type of what stands for types in code. Its name is not the same in all versions.")

(defun constant-influence (constant)
  "That of code that refers to CONSTANT."
  (typecase constant
    (sb-kernel:fdefn (operator-influence (sb-kernel:fdefn-name constant)))
    (symbol (or (variable-influence constant) (template-influence constant)))
    ((or number character string) nil)
    ((or cons simple-vector) (template-influence constant))
    (function (operator-influence (sb-kernel:%fun-name constant)))
    (t (if (eq (type-of constant) *layout-type*) nil :reads))))

(defun compiled-influence (function)
  "That of a call of FUNCTION, which is compiled: nothing, if it refers to nothing that may change."
  (if (or (sb-kernel:closurep function)
          (handler-case (stronger (strongest #'constant-influence (code-constants function))
                                  (strongest #'operator-influence (linked-functions function)))
            (error () :reads)))
      :reads
      nil))

(defun definition-influence (function)
  (typecase function
    (sb-eval::interpreted-function
     (interpreted-influence function
                            (loop for at = (sb-eval::interpreted-function-env function)
                                  then (sb-eval::env-parent at)
                                  while at
                                  append (mapcar #'car (sb-eval::env-vars at)))))
    (generic-function (if (accessor-p function) nil :reads))
    (t (compiled-influence function))))

(defun ask-influence (function)
  "FUNCTION-INFLUENCE, for a FUNCTION that was not asked for. One that calls itself, through others maybe,
is what the rest of its code makes it; but what was told of those others must not stay then."
  (let ((first (null *asked*)))
    (setf (gethash function *influences*) :asked)
    (push function *asked*)
    (let ((influence (definition-influence function)))
      (when first
        (when (or influence (some (lambda (asked) (consp (gethash asked *influences*))) *asked*))
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
       (lasting (function-influence (macro-function name)))))

(defun expander-influence (name expander)
  "That of what EXPANDER, the macro function that NAME has where it is used, makes of a form."
  (cond ((of-the-system-p name) nil)
        ((eq expander (macro-function name)) (macro-influence name))
        ((typep expander 'sb-eval::interpreted-function)     ; a local macro: each time another function
         (lasting (interpreted-influence expander '())))))   ; around a top-level form: see EXPAND-EARLY

(defun place-influence (name)
  "That of what SETF and others make of (NAME ...)."
  (let* ((expander (sb-int:info :setf :expander name))
         (function (if (consp expander) (cdr expander) expander)))
    (and (functionp function)
         (not (of-the-system-p name))
         (lasting (function-influence function)))))

