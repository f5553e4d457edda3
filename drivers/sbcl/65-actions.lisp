;;;; Actions: one operation on one component, with its outputs in a folder of its own.

(in-package :tenon-driver)

(defun relative-output (path)
  "The name of an output at PATH, below OUT, relative to OUT."
  (subseq path (1+ (length *out*))))

(defun output-names (operation component)
  "The names of the action's outputs relative to OUT."
  (loop for pathname in (own-outputs operation component)
        collect (relative-output (below-out (native pathname)))))

(defun redirect-outputs (relatives folder)
  "Let the outputs go below FOLDER instead of OUT."
  (dolist (relative relatives)
    (setf (gethash (format nil "~A/~A" *out* relative) *redirected*)
          (format nil "~A/~A" folder relative))))

;;; What ASDF compiles from Lisp can be written anywhere. Other operations write files that name
;;; each other (a Lisp file that loads a library, say): these are made where they belong and moved then.

(defun unlink-outputs (relatives)
  "Remove what an earlier build left where the outputs belong: it may be linked to a shared file,
which would be overwritten. The folders that they belong to."
  (let ((folders '()))
    (dolist (relative relatives folders)
      (let ((path (format nil "~A/~A" *out* relative)))
        (ensure-directories-exist (native-pathname path))
        (libc "unlink" sb-alien:int (sb-alien:c-string path))
        (pushnew (subseq path 0 (1+ (position #\/ path :from-end t))) folders :test #'string=)))))

(defun move-outputs (relatives folder)
  "Move the outputs from OUT to FOLDER. One that is not there stays missing."
  (dolist (relative relatives)
    (let ((from (format nil "~A/~A" *out* relative))
          (to (format nil "~A/~A" folder relative)))
      (when (probe-file (native-pathname from))
        (ensure-directories-exist (native-pathname to))
        (unless (zerop (libc "rename" sb-alien:int (sb-alien:c-string from)
                             (sb-alien:c-string to)))
          (uiop:copy-file (native-pathname from) (native-pathname to)))))))

(defun enter-folder (folder)
  "Make FOLDER the place where the action lives: its current folder, its temporary files, what it
and its children print past Lisp."
  (let ((temporary (format nil "~A/.tmp/" folder)))
    (ensure-directories-exist (native-pathname temporary))
    (set-environment "TMPDIR" temporary)
    (uiop:setup-temporary-directory)
    (change-directory (format nil "~A/" folder))
    (redirect-descriptors (format nil "~A/.output" folder))
    (setf *spill* (format nil "~A/.tmp" folder))
    (note-own-folder folder)))

(defun apply-policy (text)
  "Proclaim the optimization policy that TEXT holds. The process ends with the action."
  (when (plusp (length text))
    (proclaim (with-standard-io-syntax
                (let ((*package* (find-package :cl-user)) (*read-eval* nil))
                  (read-from-string text))))))

(defun apply-warnings-policy (policy)
  "POLICY says when warnings fail a compile: :DEFAULT as ASDF does it, :IGNORE never, :ERROR for any."
  (ecase policy
    ((nil :default))
    (:ignore (setf uiop:*compile-file-failure-behaviour* :warn
                   uiop:*compile-file-warnings-behaviour* :warn))
    (:error (setf uiop:*compile-file-warnings-behaviour* :error))))

(defun output-sizes (folder relatives severity)
  "((REL BYTES)...) of the outputs below FOLDER; a missing one is recorded with SEVERITY."
  (loop for relative in relatives
        for size = (file-size (format nil "~A/~A" folder relative))
        if size
          collect (list relative size)
        else
          do (unless (error-recorded-p)
               (add-diagnostic :severity severity :kind :missing-file
                               :message (format nil "the operation did not write its output ~A"
                                                relative)))))

(defun finish-outputs (folder outputs logical)
  "Take what differs between places out of the OUTPUTS below FOLDER."
  (loop for (relative) in outputs
        for path = (format nil "~A/~A" folder relative)
        do (when (and (plusp (length logical)) (uiop:string-suffix-p path ".fasl"))
             (rewrite-fasl-header path logical))))

(defun source-folder (operation component)
  "The folder of the action's first input."
  (let ((input (first (ignore-errors (asdf:input-files operation component)))))
    (and input (native (uiop:pathname-directory-pathname input)))))

(defun embedded-facts (folder outputs source)
  "What of the names of folders the OUTPUTS below FOLDER hold: that of the SOURCE, and those that they
were written to."
  (let ((files (loop for (relative) in outputs
                     for octets = (file-octets (format nil "~A/~A" folder relative))
                     when octets
                       collect octets)))
    (flet ((embedded-p (name)
             (and (> (length name) 1)
                  (some (lambda (octets) (embeds-path-p octets name)) files))))
      (append (and (embedded-p source) '(:embeds-path t))
              (and (or (embedded-p folder) (embedded-p *out*)) '(:embeds-out t))))))

(defun call-in-compilation-unit (logical function)
  "Call FUNCTION in a compilation unit of its own whose sources are named LOGICAL. The names that it
found undefined."
  (let ((undefined '()))
    (with-compilation-unit (:override t :source-namestring (and (plusp (length logical)) logical))
      (unwind-protect (funcall function)
        (setf undefined (collect-undefined-names))))
    undefined))

(defun printed-text (stream folder)
  "What the action printed: through Lisp to STREAM, and past it, to its descriptors."
  (finish-output sb-sys:*stdout*)
  (finish-output sb-sys:*stderr*)
  (let ((octets (file-octets (format nil "~A/.output" folder))))
    (when (plusp (length octets))
      (write-string (sb-ext:octets-to-string octets :external-format '(:utf-8 :replacement #\?))
                    stream))
    (let ((text (bounded-output-text stream)))
      (and (plusp (length text)) text))))

(defun perform-action (operation component logical)
  "Perform the action. T if it went well, and the names that it found undefined."
  (let* ((undefined '())
         (done (call-working
                (lambda ()
                  (setf undefined
                        (call-in-compilation-unit
                         logical
                         (lambda ()
                           (with-step-session ()
                             (call-noting-reads
                              operation component
                              (lambda () (asdf:perform operation component)))))))))))
    (values (and done t) undefined)))

(defun enter-sandbox (folders)
  "Write only below FOLDERS from now on; any place will do where the system can't keep us from it."
  (when (restrict-writing folders)
    (setf *writable-folders* (mapcar #'trim-slash folders))))

(defun prepare-action (relatives in-place folder sandbox)
  "Everything before the operation itself. True if the sandbox was wanted and can't be had."
  (let ((folders (and in-place (unlink-outputs relatives))))
    (redirect-outputs relatives (if in-place *out* folder))
    (enter-folder folder)
    (and sandbox (not (enter-sandbox (append sandbox folders))))))

(defun written-outputs (relatives in-place folder logical)
  "((REL BYTES)...) of the outputs, which are below FOLDER and as they are to be kept. ASDF does not
look whether an operation that is not its own has written anything: it may have found it elsewhere."
  (when in-place
    (move-outputs relatives folder))
  (let ((outputs (output-sizes folder relatives (if in-place :warning :error))))
    (finish-outputs folder outputs logical)
    (output-sizes folder (mapcar #'first outputs) :error)))

(defun name-kinds (names)
  "((NAME KIND)...) of those of NAMES that this image knows."
  (loop for name in names
        for kind = (definition-kind name)
        when kind
          collect (list name kind)))

(defvar *action-calls* nil
  "The RECORDING (70-replay.lisp) of the action that is carried out, in whatever thread.")

(defvar *defined-functions* nil
  "A table of the functions that the file under way defines; NIL where nobody wants to know.")

(defvar *defined-others* '()
  "The variables and types that it defines, as (KIND PACKAGE NAME).")

(defun note-defined-function (name)
  (when *defined-functions*
    (setf (gethash name *defined-functions*) t)))

(define-wrapper sb-c:%compiler-defun note-function (next arguments)
  (destructuring-bind (name compile-toplevel inline-lambda &rest more) arguments
    (declare (ignore inline-lambda more))
    (when compile-toplevel
      (note-defined-function name)))
  (apply next arguments))

;;; Not all of these are there in every SBCL.

(when (fboundp 'sb-kernel::%compiler-defclass)
  (define-wrapper sb-kernel::%compiler-defclass note-accessors (next arguments)
    (destructuring-bind (name &optional readers writers &rest more) arguments
      (declare (ignore name more))
      (mapc #'note-defined-function readers)
      (mapc #'note-defined-function writers))
    (apply next arguments)))

(when (fboundp 'sb-pcl::compile-or-load-defgeneric)
  (define-wrapper sb-pcl::compile-or-load-defgeneric note-generic-function (next arguments)
    (note-defined-function (first arguments))
    (apply next arguments)))

(defparameter *definition-kinds*
  (append (mapcar (lambda (name) (cons name :variable))
                  (known-functions "SB-IMPL::%COMPILER-DEFVAR" "SB-IMPL::%COMPILER-DEFGLOBAL"
                                   "SB-IMPL::%DEFCONSTANT"))
          (mapcar (lambda (name) (cons name :type))
                  (known-functions "SB-KERNEL::%COMPILER-DEFCLASS" "SB-KERNEL::%COMPILER-DEFSTRUCT"
                                   "SB-KERNEL::%COMPILER-DEFINE-CONDITION" "SB-IMPL::%DEFTYPE")))
  "What tells the compiler of a variable or a type, with the kind. These functions are not wrapped: that
shows in FASLs.")

(defun note-definition (form)
  "Note what FORM, which is evaluated at compile time, defines."
  (when (typep form '(cons symbol (cons (cons (eql quote) (cons t null)))))
    (let ((kind (cdr (assoc (first form) *definition-kinds*)))
          (name (second (second form))))
      (when (typep name 'sb-kernel::defstruct-description)
        (setf name (sb-kernel::dd-name name)))
      (when (and kind (symbolp name))
        (push (name-form kind name) *defined-others*)))))

(when (fboundp 'sb-c::eval-compile-toplevel)
  (define-wrapper sb-c::eval-compile-toplevel note-definitions (next arguments)
    (when *defined-functions*
      (mapc #'note-definition (first arguments)))
    (apply next arguments)))

(defun open-coded-p (name)
  "True if the compiler puts something else in place of calls of NAME: an accessor of a structure, say."
  (or (sb-int:info :function :source-transform name)
      (sb-int:info :function :inlining-data name)
      (compiler-macro-function name)))

(defun defined-functions (open)
  "Those functions that the file under way defines whose calls are OPEN-CODED-P, or the others."
  (loop for name being the hash-keys of *defined-functions*
        unless (or (macro-function (if (consp name) (second name) name))
                   (not (eq (and (open-coded-p name) t) open)))
          collect (name-form (if open :open :function) name)))

(defun sure-p (in-place)
  "True if what an action makes can be used; one that works IN-PLACE is carried out among FASLs anyway."
  (or in-place (null *unsure*)))

(defun carry-out-prepared (operation component relatives in-place folder logical)
  "Perform the operation, whose outputs RELATIVES go to FOLDER. The answer, but for what only a
process of its own can tell."
  (with-captured-output (output)
    (setf *defined-functions* (make-hash-table :test 'equal)
          *defined-others* '()
          *action-calls* (and (not in-place) (make-recording)))
    (multiple-value-bind (done undefined)
        (call-noting-uses (lambda ()
                            (observe-function-names)
                            (and (sure-p in-place) (perform-action operation component logical))))
      (unless (sure-p in-place)
        (setf done nil)
        (add-diagnostic :severity :error :message *unsure*))
      (let ((outputs (and done (written-outputs relatives in-place folder logical))))
        (list :status (if (and done (or in-place (= (length outputs) (length relatives))))
                          :ok
                          :failed)
              :outputs outputs
              :diagnostics (reverse *diagnostics*)
              :undefined undefined
              :functions (defined-functions nil)
              :others (append (defined-functions t) (reverse *defined-others*))
              :uses (used-rows)
              :calls (take-recorded-calls done)
              :reads (noted-reads)
              :facts (if (and (not done) *deferred-any* (warnings-failed-p))
                         '(:deferred t)
                         (embedded-facts folder outputs (source-folder operation component)))
              :output (printed-text output folder))))))

(defparameter *tenured-nursery* (* 32 1024 1024)
  "The same where the image is tenured, and a collection is cheap. Larger, the kernel has more fresh memory
to clear, and a virtual machine's host to find; smaller, what big compiles hold is moved more often.")

(defun act (operation component plist)
  "Perform OPERATION on COMPONENT as PLIST says. The answer to (:ACT ...)."
  (with-plist (scratch logical policy seed warnings sandbox names plain) plist
    (let* ((kinds (name-kinds names))
           (folder (trim-slash scratch)) (wall (wall-ns)) (cpu (cpu-ns))
           (relatives (output-names operation component))
           (in-place (not (eq (action-kind operation component relatives) :compile)))
           (unsandboxed (prepare-action relatives in-place folder sandbox)))
      (when (and (not in-place) (tenure-for component))
        (set-nursery *tenured-nursery*))
      (reset-counters (or seed ""))
      (setf *acting* t
            *never-deferring* plain)
      (incf *moment*)
      (apply-policy policy)
      (apply-warnings-policy warnings)
      (let ((answer (carry-out-prepared operation component relatives in-place folder logical)))
        (when unsandboxed
          (setf (getf answer :facts) (list* :unsandboxed t (getf answer :facts))))
        (list* :acted :kinds kinds
               :wall-ns (- (wall-ns) wall) :cpu-ns (- (cpu-ns) cpu)
               answer)))))

(defun failed-action ()
  "The answer to an action that could not even begin."
  (list :acted :status :failed :outputs '() :diagnostics (reverse *diagnostics*)
               :undefined '() :facts '() :wall-ns 0 :cpu-ns 0))

(defparameter *action-nursery* (* 64 1024 1024)
  "Bytes between collections in an action: nearly all that are not tenured end before the first one.")

(defun answer-act (&rest plist)
  "Answer to (:ACT plist...)."
  (with-plist (op system component out) plist
    (leave-shared-page)
    (set-nursery *action-nursery*)
    (use-output-folder out)
    (with-diagnostics ()
      (let (operation target)
        (if (call-working (lambda ()
                            (setf operation (find-operation-named op)
                                  target (find-component-named system component))))
            (act operation target plist)
            (failed-action))))))
