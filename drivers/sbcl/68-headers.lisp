;;;; Headers: what compiling and loading a file would do to an image, without generating code.
;;;;
;;;; The file is processed as COMPILE-FILE does, but a top-level form is not compiled: it is evaluated
;;;; by SBCL's interpreter, so that functions and macros are there in no time. Files that depend on
;;;; this one are compiled in images of such headers.
;;;;
;;;; Interpreted functions know which top-level form made them. When one is called, that is noted:
;;;; an action's answer names the rows (67-surface.lisp) that its result rests on.

(in-package :tenon-driver)

;;; What is used

(defvar *surface* nil
  "The surface of the file whose header is being made; NIL outside of headers.")

(defvar *noting-uses* nil
  "True while calls of interpreted functions are noted, in whatever thread.")

(defun make-uses () (make-hash-table :test 'eq :synchronized t))

(defvar *uses* (make-uses)
  "The source locations of the interpreted functions that were called.")

(defvar *step-uses* '()
  "The same of those that were called while FASLs were loaded, or headers that used something else than
the host knows: what is in this image rests on them.")

(defvar *docstring-uses* '()
  "The units whose docstrings were looked at.")

(defvar *used-lately* (make-array 256 :initial-element nil)
  "Of those in *USES* some, so that most calls cost nothing.")

(declaim (type simple-vector *used-lately*))

;; What comes of them is watched (69-results.lisp).

(defvar *watch* nil
  "The WATCH of the header that is being made, in whatever thread.")

(defvar *inside* nil
  "True in a call of another file's function.")

;; What an action calls is recorded (70-replay.lisp).

(defvar *call-watch* nil
  "The watch of the innermost call that is recorded or replayed; *WATCH* is another one while a macro is
expanded for good.")

(defvar *evaluating* nil
  "True while forms of the file are evaluated, not only expanded.")

(defvar *row-names* (make-hash-table :test 'equal)
  "By unit: which row a top-level form belongs to, a vector.")

(defun note-location (location)
  (let ((slot (logand (sb-c::definition-source-location-indices location) #xff8000))
        (lately *used-lately*))
    (let ((i (logand (ash slot -15) 255)))
      (unless (eq location (svref lately i))
        (setf (svref lately i) location
              (gethash location *uses*) t)))))

(defun note-use (function)
  (let ((location (sb-eval:interpreted-function-source-location function)))
    (when location
      (note-location location))))

;;; The interpreter
;;;
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
  (let ((uses (make-uses)))
    (multiple-value-bind (expansion seen)
        (call-watching-apart (lambda ()
                               (let ((*uses* uses)
                                     (*used-lately* (make-array 256 :initial-element nil)))
                                 (expansion-as-loaded
                                  form (call-expander expander form environment surroundings)))))
      (let ((locations (loop for location being the hash-keys of uses collect location)))
        (setf (gethash form *expansions*) (list* expander expansion seen locations))
        (values expansion locations)))))

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
                        (or (funcall next thing kind)
                            ;; That of a method waits with its body (68-methods.lisp).
                            (and (typep thing 'method)
                                 (typep (sb-mop:method-function thing) 'sb-eval::interpreted-function)
                                 (funcall next (sb-mop:method-function thing) kind))))))

(defun restore-interpreter ()
  "Undo that: this process builds no more."
  (loop for (function type) in '((sb-eval::get-function expand-once)
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
                          (sb-int:fun-name-inline-expansion name))))
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

(defun note-docstring (thing kind)
  (let* ((function (ignore-errors (documented-function thing kind)))
         (location (and (typep function 'sb-eval::interpreted-function)
                        (sb-eval:interpreted-function-source-location function)))
         (unit (and location (sb-c:definition-source-location-namestring location))))
    (when unit
      (doubt "docstrings are read")
      (pushnew unit *docstring-uses* :test #'equal))))

;;; Uses, told by unit and row

(defparameter *docstring-row* "docstrings"
  "The row that stands for the docstrings of all functions in a file.")

(defun forget-types ()
  "Types that were asked for already would be known without their expanders being called. Where other
files follow in this process the caches are emptied rather than dropped: new ones would be a third of
all that a header leaves behind."
  (if *acting*
      (sb-impl::drop-all-hash-caches)
      (dolist (name sb-impl::*cache-vector-symbols*)
        (let ((cache (symbol-value name)))
          (if (simple-vector-p cache)
              (fill cache 0)
              (set name nil))))))

(defun call-noting-uses (function)
  "Call FUNCTION, noting in *USES* what it uses. Its values."
  (clrhash *uses*)
  (fill *used-lately* nil)
  (setf *docstring-uses* '())
  (forget-types)
  (setf *noting-uses* t)
  (unwind-protect (funcall function)
    (setf *noting-uses* nil)))

(defun keep-step-uses ()
  "What was used a moment ago is used by all that this image is for."
  (loop for location being the hash-keys of *uses*
        do (pushnew location *step-uses* :test #'eq)))

(defun call-noting-step-uses (function)
  "Call FUNCTION, which loads a FASL. Its values."
  (multiple-value-prog1 (call-noting-uses function)
    (keep-step-uses)))

(defun location-row (location)
  "The unit and the row, a name or a ROW, that the source location is in; or NIL."
  (let* ((unit (sb-c:definition-source-location-namestring location))
         (rows (and unit (gethash unit *row-names*)))
         (number (sb-c:definition-source-location-toplevel-form-number location)))
    (if (and rows number (< -1 number (length rows)))
        (values unit (aref rows number))
        (values nil nil))))

(defun used-rows (&key except (own t) (steps *step-uses*))
  "((UNIT ROW...)...) of what was used, if OWN, and was by STEPS before, but of the unit EXCEPT."
  (let ((units (make-hash-table :test 'equal)))
    (flet ((note (unit row)
             (when (and row (not (equal unit except)))
               (pushnew row (gethash unit units) :test #'equal))))
      (when own
        (loop for location being the hash-keys of *uses*
              do (multiple-value-call #'note (location-row location)))
        (dolist (unit *docstring-uses*)
          (when (gethash unit *row-names*)
            (note unit *docstring-row*))))
      (dolist (location steps)
        (multiple-value-call #'note (location-row location))))
    (sort (loop for unit being the hash-keys of units using (hash-value rows)
                collect (cons unit (sort rows #'string<)))
          #'string< :key #'first)))

;;; Types of functions
;;;
;;; The compiler remembers of a loaded function the types that it derived from its body, and looks at
;;; them when another file calls it: a change in one body would change the code of other files. In an
;;; image a function's type is what its lambda list says, whichever way it came there.

(defun arity-type (lambda-list)
  "The function type of all that may be called with what LAMBDA-LIST takes."
  (multiple-value-bind (flags required optional rest keys)
      (sb-int:parse-lambda-list lambda-list :context "defun" :silent t)
    (flet ((key-name (key)
             (let ((spec (if (consp key) (first key) key)))
               (if (consp spec) (first spec) (intern (symbol-name spec) :keyword)))))
      (sb-kernel:specifier-type
       `(function (,@(substitute-if t (constantly t) required)
                   ,@(and optional `(&optional ,@(substitute-if t (constantly t) optional)))
                   ,@(and rest '(&rest t))
                   ,@(and (sb-int:ll-kwds-keyp flags)
                          `(&key ,@(loop for key in keys collect (list (key-name key) t))))
                   ,@(and (sb-int:ll-kwds-allowp flags) '(&allow-other-keys)))
                  *)))))

(define-wrapper sb-impl::%defun plain-type (next arguments)
  (when *action-calls*
    (note-redefinition (first arguments)))
  (when *surface*
    (note-function-change (first arguments) (second arguments)))
  (multiple-value-prog1 (apply next arguments)
    (when *plain-types*
      (destructuring-bind (name function &rest more) arguments
        (declare (ignore more))
        (when (eq (sb-int:info :function :where-from name) :defined)
          (setf (sb-int:info :function :type name)
                (or (ignore-errors (arity-type (sb-kernel:%fun-lambda-list function)))
                    (sb-kernel:specifier-type 'function))))))))

;;; Making a header

(defvar *evaluated-form* nil
  "The form that was evaluated for compile time a moment ago; it needn't be evaluated once more.")

;;; The reader's variables have two values each: while a file is compiled, what is only done when it is
;;; loaded has not happened yet.

(defparameter *reader-variables* '(*features* *package* *readtable*))

(defvar *load-time-values* '()
  "The values of these while the file is loaded; the variables themselves are as while it is compiled.")

(defvar *values-before* '()
  "Their values before *EVALUATED-FORM* was evaluated.")

(defun reader-values ()
  (mapcar #'symbol-value *reader-variables*))

(defvar *fasl* nil
  "The file that what the header is made of would be loaded from.")

(defun call-as-loading (function)
  "Call FUNCTION with the reader's variables, and those that name files, as they are while the file is
loaded."
  (let ((compiling (reader-values)) (expanding (surroundings)))
    (mapc #'set *reader-variables* *load-time-values*)
    (unwind-protect (let* ((*load-pathname* *fasl*) (*load-truename* *fasl*)
                           (*compile-file-pathname* nil) (*compile-file-truename* nil)
                           (*loading-instead* (cons (surroundings) expanding)))
                      (funcall function))
      (setf *load-time-values* (reader-values))
      (mapc #'set *reader-variables* compiling))))

(defun carry-over (before)
  "What changed since the values were BEFORE changes when the file is loaded, too."
  (flet ((changed (variable old new loading)
           (cond ((eq old new) loading)
                 ((eq variable '*features*)
                  (union (set-difference new old)
                         (set-difference loading (set-difference old new))))
                 (t new))))
    (setf *load-time-values*
          (mapcar #'changed *reader-variables* before (reader-values) *load-time-values*))))

(define-condition no-header (error)
  ((reason :initarg :reason :reader no-header-reason))
  (:report (lambda (condition stream)
             (format stream "no header can be made: ~A" (no-header-reason condition)))))

(defun current-source ()
  "The number of the top-level form under way, and the form as it was read."
  (let* ((number (sb-c::source-path-tlf-number sb-c::*current-path*))
         (forms (sb-c::file-info-forms (sb-c::source-info-file-info sb-c::*source-info*))))
    (values number (and (< number (length forms)) (aref forms number)))))

(defun evaluate-compiled (form)
  (let ((sb-ext:*evaluator-mode* :compile))
    (sb-impl::eval-in-lexenv form sb-c::*lexenv*)))

(defun evaluate-natively (form)
  "Evaluate FORM as the compiler would: for what the interpreter can't do. Nobody will know when the
functions that it makes are called, so they count for everybody."
  (let ((row (row-of-form *surface* (current-source))))
    (when row
      (setf (row-exposed row) t)))
  (evaluate-compiled form))

(defun call-or-give-up (function &rest arguments)
  (handler-case (apply function arguments)
    (no-header (condition) (error condition))
    (serious-condition (condition)
      (error 'no-header :reason (first-line (condition-text condition))))))

(defun evaluate-for-header (form early &aux (*evaluating* t))
  "Do what loading the compiled FORM would do, after EXPAND-EARLY has told what is EARLY."
  (incf *moment*)
  (mapc #'value-at-load-time early)
  (if (loops-long-p form)
      (call-or-give-up #'evaluate-compiled form)
      (call-with-compiled (called-with-much-data form)
                          (lambda ()
                            (handler-case (sb-impl::eval-in-lexenv form sb-c::*lexenv*)
                              (serious-condition ()
                                (call-or-give-up #'evaluate-natively form)))))))

(defun add-header-form (form)
  (multiple-value-bind (number source) (current-source)
    (add-to-surface *surface* form number source sb-c::*lexenv*)))

(define-wrapper sb-c::convert-and-maybe-compile evaluate-toplevel-form (next arguments)
  (let ((form (first arguments)))
    (cond ((null *surface*) (apply next arguments))
          ((atom form) nil)
          ((and *evaluated-form* (eq form *evaluated-form*))
           (carry-over *values-before*)
           nil)
          (t (add-header-form form)
             (let* ((form (form-as-loaded *literals* form))
                    (early (expand-early form sb-c::*lexenv*)))
               (call-as-loading (lambda () (evaluate-for-header form early))))
             nil))))

(defun evaluate-at-compile-time (next body arguments &aux (*evaluating* t))
  "Let NEXT, given BODY and ARGUMENTS, evaluate the forms BODY for the compiler."
  (incf *moment*)
  (mapc #'value-at-load-time (expand-early (cons 'progn body) sb-c::*lexenv*))
  (apply next body arguments))

(define-wrapper sb-c::eval-compile-toplevel note-compile-time-form (next arguments)
  (cond ((null *surface*) (apply next arguments))
        (t (dolist (form (first arguments))
             (note-replacing-definition form (watch-unit *watch*) (current-source)))
           (add-header-form (cons 'progn (first arguments)))
           (let ((before (reader-values)))
             (prog1 (evaluate-at-compile-time next (form-as-loaded *literals* (first arguments))
                                              (rest arguments))
               (setf *evaluated-form* (and (null (rest (first arguments)))
                                           (first (first arguments)))
                     *values-before* before))))))

(define-wrapper uiop:compile-file* compile-header (next arguments)
  (if *surface*
      (destructuring-bind (input &key output-file external-format &allow-other-keys) arguments
        (let ((*fasl* (and output-file (pathname output-file))))
          (process-source input external-format)))
      (apply next arguments)))

(define-wrapper uiop:ensure-all-directories-exist skip-header-outputs (next arguments)
  ;; ASDF makes the folders of what is to be written; a header writes nothing.
  (unless *surface*
    (apply next arguments)))

(defun header-folder ()
  "Where this process may write: what a header's code writes elsewhere fails, and the header with it."
  (or (sb-ext:posix-getenv "TENON_WRITABLE") (native (uiop:temporary-directory))))

(defun confine-headers ()
  "The code that headers evaluate is compile-time code, which may not write where it likes."
  (let ((folder (sb-ext:posix-getenv "TENON_WRITABLE")))
    (when (and folder (null *writable-folders*))
      (enter-sandbox (list folder)))))

(defun process-source (input external-format)
  "Process the source file INPUT. What is written meanwhile goes to nowhere."
  (let ((output (native-pathname (format nil "~A/header-~D.fasl" (trim-slash (header-folder))
                                         (process-id))))
        (*load-time-values* (reader-values)))
    (push (native output) *unread-files*)
    (unwind-protect
         (handler-bind ((warning #'muffle-warning)
                        (sb-ext:compiler-note #'muffle-warning))
           (or (compile-file input :output-file output
                                   :external-format (or external-format :default))
               (error 'no-header :reason "it can't be read or expanded"))
           (setf *features* (first *load-time-values*)))
      (ignore-errors (delete-file output)))))

(defvar *instead-of-loading* nil
  "A function that is called in place of the load of a FASL.")

(define-wrapper asdf/lisp-action:perform-lisp-load-fasl make-header-instead (next arguments)
  (if *instead-of-loading*
      (funcall (shiftf *instead-of-loading* nil))
      (apply next arguments)))

(defun perform-for-header (operation component)
  "Compile COMPONENT with OPERATION, for its header. Its own methods around its load are around that."
  (let* ((load (asdf:make-operation 'asdf:load-op))
         (methods (perform-methods load component))
         (primary (find '() methods :key #'method-qualifiers)))
    (cond ((every #'standard-method-p methods)
           (asdf:perform operation component))
          ((standard-method-p primary)
           (let ((*instead-of-loading* (lambda () (asdf:perform operation component))))
             (asdf:perform load component)
             (when *instead-of-loading*
               (error 'no-header :reason "its methods don't load its FASL"))))
          (t (error 'no-header :reason "loading it takes more than loading its FASL")))))

(defun expose-used-rows (surface unit)
  "Rows of the file that the file itself used count for every dependent."
  (loop for location being the hash-keys of *uses*
        for number = (sb-c:definition-source-location-toplevel-form-number location)
        for row = (and (equal unit (sb-c:definition-source-location-namestring location))
                       number
                       (row-of-form surface number))
        when row
          do (setf (row-exposed row) t)))

(defun finish-surface (surface unit)
  "Everything is processed: note the rows for those who call them, let the rest hold the bodies that
count for everybody."
  (expose-used-rows surface unit)
  (dolist (row (reverse (surface-rows surface)))
    (setf (row-text row) (hash-text (row-hash row)))
    (when (row-exposed row)
      (mix-word (surface-rest surface) (string-word (row-text row)))))
  (when (member unit *docstring-uses* :test #'equal)
    (mix-hash (surface-rest surface) (surface-docstrings surface)))
  (setf (gethash unit *row-names*)
        (map 'vector (lambda (row) (and row (row-name row))) (surface-by-form surface))))

(defun make-header (unit operation component)
  "Leave in this image what compiling and loading COMPONENT would. Its surface."
  (let ((*surface* (make-surface))
        (*literals* (make-literals))
        (*evaluated-form* nil)
        (sb-ext:*evaluator-mode* :interpret))
    (reset-counters unit)
    (setf *watch* (make-watch unit)
          *action-calls* (make-recording :exact nil))
    (call-noting-uses
     (lambda ()
       (with-compilation-unit (:override t :source-namestring unit)
         (call-noting-reads operation component
                            (lambda () (perform-for-header operation component)))
         (setf sb-c::*undefined-warnings* '()))))
    (setf (values (surface-results *surface*) (surface-doubt *surface*))
          (watch-result (shiftf *watch* nil)))
    (let ((recording (shiftf *action-calls* nil)))
      (when (surface-doubt *surface*)
        (setf (surface-calls *surface*) (recorded-results recording))))
    (finish-surface *surface* unit)
    *surface*))

(defvar *allocated-outside* '()
  "Addresses of memory outside of the Lisp that the header under way has allocated and not freed: no
snapshot can hold what is there.")

(define-wrapper sb-alien::%make-alien note-allocation (next arguments)
  (let ((pointer (apply next arguments)))
    (push (sb-sys:sap-int pointer) *allocated-outside*)
    pointer))

(define-wrapper sb-alien:free-alien note-freed (next arguments)
  (setf *allocated-outside* (remove (sb-sys:sap-int (sb-alien:alien-sap (first arguments)))
                                    *allocated-outside*))
  (apply next arguments))

;; What WITH-ALIEN makes in interpreted code is garbage soon; finalizers free it.
(define-wrapper sb-alien::make-local-alien note-local (next arguments)
  (let ((*allocated-outside* '()))
    (apply next arguments)))

(defun uses-text (unit surface)
  "A digest of what the header of UNIT used by itself, and of what came of it, as text."
  (let ((state (make-hash-state)))
    (mix-word state (string-word (or (surface-results surface) "")))
    (loop for (nil nil digest) in (surface-calls surface)
          do (mix-word state (string-word digest)))
    (loop for (other . rows) in (used-rows :except unit :steps '())
          do (mix-word state (string-word other))
             (dolist (row rows)
               (mix-word state (string-word row)))
             (mix-word state 0))
    (hash-text state)))

(defun header-record (surface unit used outside)
  "(:HEADER ...) for the host: see docs/DRIVER.md."
  (list* :header :unit unit
                :rest (hash-text (surface-rest surface))
                :rows (append (loop for row in (reverse (surface-rows surface))
                                    collect (list (row-name row) (row-text row)))
                              (and (surface-documented surface)
                                   (list (list *docstring-row*
                                               (hash-text (surface-docstrings surface))))))
                :used used
                :outside outside
                :uses (used-rows :except unit)
                :reads (noted-reads)
                :others (used-rows :except unit :own nil)
                (if (surface-results surface)
                    (list :results (surface-results surface))
                    (list :doubt (surface-doubt surface) :calls (surface-calls surface)))))

(defparameter *header-limit* 400000
  "Microseconds of processor time that the interpreter may take for a header, and what comes to it for each
octet of its source. What takes longer computes so much that an interpreter is the wrong one to do it; the
process is ended, and the host takes the FASL. Compiled code that is called (macros of a library that came as
FASLs, say) would take as long when the file is compiled.")

(defparameter *header-limit-per-octet* 10)

(defparameter *compiled-limit* 20
  "So many times as long a header may take in all.")

(defparameter *tick* 50000
  "Microseconds of processor time between two looks at what a header computes.")

(defparameter *near-frames* 30
  "Where none of so many innermost frames is the interpreter's, what runs is compiled code.")

(defun of-the-interpreter-p (name)
  "True if NAME, of a compiled function, is one of the interpreter's."
  (typecase name
    (symbol (and (symbol-package name)
                 (string= (package-name (symbol-package name)) "SB-EVAL")))
    (cons (or (of-the-interpreter-p (car name))
              (of-the-interpreter-p (cdr name))))))

(defun interpreting-p ()
  "True if the interpreter, or a function that it has called, computes."
  (loop for frame = (sb-di:top-frame) then (sb-di:frame-down frame)
        repeat *near-frames*
        while frame
        thereis (of-the-interpreter-p (sb-di:debug-fun-name (sb-di:frame-debug-fun frame)))))

(defun call-limited (microseconds function)
  "Call FUNCTION. The process ends if the interpreter takes longer than MICROSECONDS, all together takes
*COMPILED-LIMIT* times that, or it keeps signals from being handled."
  (let ((interpreted 0) (all 0) (longest (* *compiled-limit* microseconds)))
    (limit-all-processor-time (ceiling longest 1000000))
    (unwind-protect
         (call-every *tick*
                     (lambda ()
                       (incf all *tick*)
                       (when (interpreting-p)
                         (incf interpreted *tick*))
                       (or (>= interpreted microseconds) (>= all longest)))
                     function)
      (limit-all-processor-time nil))))

(defun header-limit (operation component)
  "Microseconds of processor time that the interpreter may take for the header of COMPONENT."
  (+ *header-limit*
     (* *header-limit-per-octet*
        (or (ignore-errors (file-size (native (first (asdf:input-files operation component)))))
            0))))

(defun carry-out-header (unit operation-name system-name path &optional known)
  "The step (:HEADER ...). Its record. KNOWN: the digest of what it used where the host's record comes
from. Where something was computed before for others, and remembered, that may be less."
  (confine-headers)
  (let ((operation (find-operation-named operation-name))
        (component (find-component-named system-name path)))
    (call-limited (header-limit operation component)
                  (lambda () (make-header-record unit operation component known)))))

(defun make-header-record (unit operation component known)
  (let* ((before *features*)
         (*allocated-outside* '())
         (surface (make-header unit operation component)))
    (mark-loaded (asdf:component-system component))
    (setf *loaded-features* (union (set-difference *features* before) *loaded-features*))
    (let ((used (uses-text unit surface)))
      (when (and known (string/= known used))
        (keep-step-uses))
      (header-record surface unit used (and *allocated-outside* t)))))
