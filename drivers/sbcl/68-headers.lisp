;;;; Headers: what compiling and loading a file would do to an image, without generating code.
;;;;
;;;; The file is processed as COMPILE-FILE does, but a top-level form is not compiled: it is evaluated
;;;; by SBCL's interpreter, so that functions and macros are there in no time. Files that depend on
;;;; this one are compiled in images of such headers.

(in-package :tenon-driver)

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
  (note-inline (first arguments) (third arguments))
  (multiple-value-prog1 (apply next arguments)
    (when *plain-types*
      (destructuring-bind (name function &rest more) arguments
        (declare (ignore more))
        (when (eq (sb-int:info :function :where-from name) :defined)
          (setf (sb-int:info :function :type name)
                (or (ignore-errors (arity-type (lambda-list-of function)))
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
  (if (unnoticed (loops-long-p form))
      (call-or-give-up #'evaluate-compiled form)
      (call-with-compiled (unnoticed (called-with-much-data form))
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
          ((or (atom form) (eq (first form) 'quote)) nil)
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
           (unless (announce-head *surface* (first arguments))
             (add-header-form (cons 'progn (first arguments))))
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
        for row = (and (not (name-use-p location))
                       (equal unit (sb-c:definition-source-location-namestring location))
                       (row-of-form surface
                                    (or (sb-c:definition-source-location-toplevel-form-number location)
                                        -1)))
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
    (loop for (other . rows) in (used-rows :except unit :steps '() :names nil)
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
                              (head-rows surface)
                              (and (surface-documented surface)
                                   (list (list *docstring-row*
                                               (hash-text (surface-docstrings surface))))))
                :used used
                :outside outside
                :inlined (surface-inlined surface)
                :uses (used-rows :except unit)
                :reads (noted-reads)
                :others (used-rows :except unit :own nil)
                (if (surface-results surface)
                    (list :results (surface-results surface))
                    (list :doubt (surface-doubt surface) :calls (surface-calls surface)))))

(defun carry-out-header (unit operation-name system-name path &optional known)
  "The step (:HEADER ...). Its record. KNOWN: the digest of what it used where the host's record comes
from. Where something was computed before for others, and remembered, that may be less."
  (confine-headers)
  (setf *headers-here* t)
  (let ((operation (find-operation-named operation-name))
        (component (find-component-named system-name path)))
    (call-limited (header-limit operation component known)
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
      (prog1 (header-record surface unit used (and *allocated-outside* t))
        (register-heads surface unit)))))
