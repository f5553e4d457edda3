;;;; What goes wrong, as data: conditions become diagnostics with a place.
;;;;
;;;; Conditions are recorded as they are signalled and then take their course; nothing is muffled.
;;;; What the compiler would print of them is left out instead: PRINT-COMPILER-MESSAGE and its like
;;;; say nothing, so what an action prints is what the code itself prints.

(in-package :tenon-driver)

(defparameter *diagnostics-limit* 400
  "As many diagnostics are kept of one action; of more nobody could read.")

(defvar *diagnostics* '()
  "Those of the work under way, last first.")

(defvar *recorded* '()
  "The conditions that they come from: some are signalled twice.")

(defvar *recording* nil
  "True while conditions are to be recorded.")

(defvar *writable-folders* '()
  "Where the sandbox allows this process to write; NIL for no sandbox.")

(defun add-diagnostic (&rest plist)
  "Record a diagnostic. Parts whose value is NIL are left out."
  (when (< (length *diagnostics*) *diagnostics-limit*)
    (push (cons :diag (apply #'plist-without-nils plist)) *diagnostics*)))

(defun error-recorded-p ()
  (some (lambda (diag) (eq (getf (rest diag) :severity) :error)) *diagnostics*))

(defun warnings-failed-p ()
  "True if warnings alone made a compile fail."
  (some (lambda (condition) (typep (innermost condition) 'uiop:compile-condition)) *recorded*))

;;; Silence

(define-wrapper sb-c::print-compiler-message silence (next arguments)
  (unless *recording*
    (apply next arguments)))

(define-wrapper sb-c::summarize-compilation-unit silence (next arguments)
  ;; It signals what it finds before it prints how much that was.
  (if *recording*
      (let ((*error-output* (make-broadcast-stream)))
        (apply next arguments))
      (apply next arguments)))

;;; Names

(defun package-label (package)
  (cond ((null package) "")
        ((packagep package) (package-name package))
        (t (string package))))

(defun name-form (kind name)
  "NAME as the protocol has it: (KIND PACKAGE NAME)."
  (cond ((symbolp name) (list kind (package-label (symbol-package name)) (symbol-name name)))
        ((and (consp name) (eq (first name) 'setf) (symbolp (second name)))
         (list kind (package-label (symbol-package (second name)))
               (format nil "(SETF ~A)" (symbol-name (second name)))))
        (t (list kind "" (let ((*package* (find-package :keyword)))
                           (first-line (prin1-to-string name)))))))

;;; Messages

(defun condition-text (condition)
  "What CONDITION says, in names as its reader would write them."
  (let ((*print-length* 12) (*print-level* 6) (*print-circle* t)
        (*print-pretty* nil) (*print-right-margin* 100) (*print-readably* nil))
    (handler-case (let ((text (remove-if (lambda (c) (char= c #\Return))
                                         (princ-to-string condition))))
                    (subseq text 0 (min 4000 (length text))))
      (error () (format nil "~A (which can't be printed)" (type-of condition))))))

(defun held-condition (condition)
  "The condition that CONDITION was made from, or NIL."
  (typecase condition
    (sb-int:encapsulated-condition
     (and (slot-boundp condition 'condition)
          (sb-int:encapsulated-condition condition)))
    (asdf:load-system-definition-error (asdf/find-system::error-condition condition))))

(defun innermost (condition)
  "The condition that the wrappers of the compiler and of ASDF hold."
  (loop for held = (held-condition condition)
        while held
        do (setf condition held)
        finally (return condition)))

(defun reading-condition (condition)
  "The one among CONDITION and what it holds that says where reading failed, or NIL."
  (loop for held = condition then (held-condition held)
        while held
        when (typep held 'sb-c::input-error-in-compile-file)
          return held))

;;; Kinds

(defun symbol-missing-p (condition)
  "True when the reader found the package but not the symbol, or only inside it."
  (and (typep condition 'sb-int:simple-reader-package-error)
       (packagep (package-error-package condition))
       (stringp (first (simple-condition-format-arguments condition)))))

(defun package-missing-p (condition)
  (and (typep condition 'package-error)
       (not (packagep (package-error-package condition)))
       (not (find-package (package-error-package condition)))))

(defun condition-name (condition)
  "What CONDITION says is missing, as (KIND PACKAGE NAME), or NIL."
  (cond ((symbol-missing-p condition)
         (list :symbol (package-label (package-error-package condition))
               (first (simple-condition-format-arguments condition))))
        ((package-missing-p condition)
         (list :package (package-label (package-error-package condition)) ""))
        ((typep condition 'undefined-function)
         (name-form :function (cell-error-name condition)))
        ((typep condition 'unbound-variable)
         (name-form :variable (cell-error-name condition)))))

(defun missing-file-p (condition)
  (and (typep condition 'file-error)
       (let ((pathname (ignore-errors (file-error-pathname condition))))
         (and pathname (not (ignore-errors (probe-file pathname)))))))

(defun condition-kind (condition)
  (cond ((symbol-missing-p condition) :missing-symbol)
        ((package-missing-p condition) :missing-package)
        ((typep condition 'sb-kernel::heap-exhausted-error) :heap)
        ((forbidden-write-p condition) :other)
        ((typep condition 'sb-int:character-decoding-error) :encoding)
        ((typep condition '(or reader-error sb-kernel:reader-eof-error)) :reader)
        ((typep condition 'undefined-function) :undefined-function)
        ((typep condition 'unbound-variable) :undefined-variable)
        ((typep condition 'sb-kernel:redefinition-warning) :redefinition)
        ((missing-file-p condition) :missing-file)
        ((typep condition 'uiop:compile-condition) :compile)
        ((compiling-p) :compile)
        (t :load)))

(defun compiling-p ()
  (or *compile-file-truename* (and (boundp 'sb-c::*compilation*) sb-c::*compilation*)))

(defun condition-severity (condition)
  (typecase condition
    (asdf/parse-defsystem::bad-system-name :note)
    (style-warning :style-warning)
    (warning :warning)
    (sb-ext:compiler-note :note)
    (t :error)))

;;; Hints

(defun below-p (path folder)
  (let ((end (mismatch folder path)))
    (or (null end) (>= end (length folder)))))

(defun condition-path (condition)
  "The file that CONDITION is about, or NIL."
  (and (typep condition 'file-error)
       (ignore-errors (native (merge-pathnames (file-error-pathname condition)
                                               *default-pathname-defaults*)))))

(defun forbidden-write-p (condition)
  "True if CONDITION comes from writing where the sandbox does not allow it."
  (let ((path (and *writable-folders* (condition-path condition))))
    (and path
         (search "ermission denied" (condition-text condition))
         (notany (lambda (folder) (below-p path folder)) *writable-folders*))))

(defvar *no-input* (make-string-input-stream "")
  "What code reads from. Of characters, as a terminal is: RUN-PROGRAM asks that of streams.")

(defun input-wanted-p (condition)
  "True if CONDITION comes from asking for input, of which there is none."
  (let ((stream (and (typep condition 'end-of-file)
                     (ignore-errors (stream-error-stream condition)))))
    (or (and stream (eq stream *no-input*))
        (typep stream 'two-way-stream))))

(defun unclosed-hint (text position)
  "Where a form begins at the edge of the page inside the form at POSITION, which never ends."
  (let ((next (search (format nil "~%(") text :start2 (min (1+ position) (length text)))))
    (and next
         (format nil "the form is not closed where the next one begins, in line ~D"
                 (line-of text (1+ next))))))

(defun condition-hint (condition)
  (cond ((forbidden-write-p condition)
         (format nil "~A lies outside the action's outputs; a build may write nowhere else"
                 (condition-path condition)))
        ((input-wanted-p condition) "the code asks for input; a build has none to give")
        (t (typecase condition
             (uiop:compile-condition
              "a full warning makes a compile fail, as is ASDF's default")
             (sb-kernel::heap-exhausted-error
              "the Lisp ran out of memory; --heap gives it more")
             (storage-condition "this is most likely a recursion without an end")))))

;;; Places

(defun working-file ()
  "The source that is being compiled or loaded, as the operating system names it."
  (let ((pathname (or *compile-file-truename* *load-truename*)))
    (and pathname (ignore-errors (native pathname)))))

(defun context-file (context)
  "The source that the compiler's CONTEXT is about."
  (let ((name (sb-c::compiler-error-context-file-name context)))
    (if (pathnamep name)
        (ignore-errors (native (or (probe-file name) name)))
        (working-file))))

(defun context-words (context)
  "The definitions around CONTEXT, as \"defun frob\"."
  (let ((definitions (sb-c::compiler-error-context-context context)))
    (when definitions
      (let ((*print-pretty* nil) (*print-length* 4) (*print-level* 2))
        (format nil "~(~{~{~A~^ ~}~^ => ~}~)" definitions)))))

(defun context-place (context)
  "The place of the compiler's CONTEXT as a plist."
  (let* ((file (context-file context))
         (position (sb-c::compiler-error-context-file-position context))
         (path (reverse (sb-c::compiler-error-context-original-source-path context))))
    (append (cond ((null file) '())
                  ((null position) (list :file file))
                  (t (form-place file position (rest path)
                                 (sb-c::compiler-error-context-original-form context))))
            (let ((words (context-words context)))
              (and words (list :context words))))))

(defun current-context ()
  (ignore-errors (sb-c::find-error-context nil)))

(defun stream-position (condition)
  (ignore-errors (file-position (stream-error-stream condition))))

(defun stream-file (condition)
  "The file that the stream of CONDITION reads."
  (ignore-errors
   (let ((stream (stream-error-stream condition)))
     (and (typep stream 'file-stream) (native (probe-file (pathname stream)))))))

(defun reading-start (condition)
  "Where the top-level form began that could not be read."
  (let ((stream (ignore-errors (stream-error-stream condition))))
    (or (and (typep condition 'sb-c::input-error-in-compile-file)
             (sb-c::input-error-in-compile-file-position condition))
        (and (typep stream 'sb-impl::form-tracking-stream)
             (sb-impl::form-tracking-stream-form-start-byte-pos stream)))))

(defun token-start (text position)
  "Where the token begins that was read when the stream was at POSITION."
  (let ((last (if (find (char-at text (1- position)) '(#\Space #\Newline #\Tab #\Return))
                  (- position 2)
                  (1- position))))
    (loop for at downfrom (min last (1- (length text))) to 1
          until (find (schar text (1- at)) '(#\Space #\Newline #\Tab #\Return #\( #\' #\` #\,))
          finally (return (max at 0)))))

(defun unclosed-place (file text start)
  (let ((at (skip-atmosphere text start)))
    (append (place-plist file at)
            (let ((hint (unclosed-hint text at)))
              (and hint (list :hint hint))))))

(defun reading-place (outer inner)
  "The place of an error of the reader."
  (let* ((file (or (stream-file inner) (stream-file outer) (working-file)))
         (text (and file (source-text file)))
         (start (reading-start outer))
         (position (or (stream-position inner) (stream-position outer))))
    (cond ((null text) (and file (list :file file)))
          ((typep inner 'sb-int:character-decoding-error)
           (place-plist file (or (invalid-utf-8 text) position 0)))
          ((typep inner 'end-of-file) (unclosed-place file text (or start 0)))
          (position (let ((at (if (typep inner 'package-error)
                                  (token-start text (min position (length text)))
                                  (max 0 (1- (min position (length text)))))))
                      (place-plist file at (if start (skip-atmosphere text start) at))))
          (start (place-plist file (skip-atmosphere text start)))
          (t (list :file file)))))

(defun evaluated-form-position ()
  "Where the top-level form begins that LOAD is evaluating from a source, or NIL."
  (let ((info sb-impl::*eval-source-info*) (index sb-impl::*eval-tlf-index*))
    (and info index
         (ignore-errors (nth-value 1 (sb-c::find-source-root index info))))))

(defun loading-place ()
  "The place of the form that LOAD is evaluating from a source, or just the file."
  (let ((file (working-file)) (position (evaluated-form-position)))
    (cond ((null file) nil)
          ((and position (source-text file))
           (place-plist file (skip-atmosphere (source-text file) position)))
          (t (list :file file)))))

(defun condition-place (outer inner)
  "The place of INNER, which OUTER holds, as a plist."
  (let ((reading (reading-condition outer)) (context (current-context)))
    (cond (reading (reading-place reading inner))
          ((typep inner '(or reader-error sb-int:character-decoding-error))
           (reading-place inner inner))
          (context (context-place context))
          ((loading-place))
          ((condition-path inner) (list :file (condition-path inner))))))

;;; Recording

(defun uninteresting-p (condition)
  "True for what no Lisp would print, and for ASDF's summaries of what was recorded already."
  (or (typep condition sb-ext:*muffled-warnings*)
      (typep condition 'sb-kernel::uninteresting-redefinition)
      (and (typep condition 'uiop:compile-condition) (error-recorded-p))
      (typep condition '(or uiop:compile-warned-warning uiop:compile-failed-warning))))

(defun condition-message (condition)
  "What CONDITION says, in words of one's own where its own are about streams and objects."
  (let ((inner (innermost condition)))
    (cond ((typep inner 'uiop:compile-condition) "the compile failed because of its warnings")
          ((or (reading-condition condition) (typep inner 'reader-error))
           (reading-message inner))
          ((input-wanted-p inner) "end of file: there is no input")
          (t (condition-text inner)))))

(defun reading-message (inner)
  "What an error of the reader says without the name of its stream."
  (typecase inner
    (sb-int:simple-reader-package-error
     (apply #'format nil (simple-condition-format-control inner)
            (simple-condition-format-arguments inner)))
    (sb-int:character-decoding-error "the source is not valid UTF-8 text")
    (end-of-file "end of file inside a form: a bracket is not closed")
    (sb-int:simple-reader-error
     (apply #'format nil (simple-condition-format-control inner)
            (simple-condition-format-arguments inner)))
    (t (condition-text inner))))

(defun note-warning (condition)
  "Record a warning. Outside of the compiler, which counts them, it is muffled then: what people are
to see of it is in the diagnostic."
  (record-condition condition)
  (let ((muffle (find-restart 'muffle-warning condition)))
    (when (and muffle (or (typep condition 'uiop:compile-condition) (not (compiling-p))))
      (invoke-restart muffle))))

(defun record-condition (condition)
  "Add a diagnostic for CONDITION, wherever it comes from."
  (unless (or (member condition *recorded*) (uninteresting-p condition))
    (push condition *recorded*)
    (let* ((*recording* nil)
           (inner (innermost condition))
           (kind (if (and (reading-condition condition) (typep inner 'end-of-file))
                     :reader
                     (condition-kind inner))))
      (unless (and (not (eq inner condition)) (member inner *recorded*))
        (push inner *recorded*)
        (let ((place (ignore-errors (condition-place condition inner))))
          (apply #'add-diagnostic
                 :severity (condition-severity inner)
                 :kind kind
                 :message (or (ignore-errors (condition-message condition))
                              (condition-text inner))
                 :name (condition-name inner)
                 (if (getf place :hint)
                     place
                     (list* :hint (condition-hint inner) place))))))))

(defun record-undefined-name (warning)
  "Add a diagnostic for one of the compiler's undefined names; return the name."
  (let* ((kind (sb-c::undefined-warning-kind warning))
         (name (sb-c::undefined-warning-name warning))
         (form (name-form kind name))
         (context (first (last (sb-c::undefined-warning-warnings warning)))))
    (apply #'add-diagnostic
           :severity (if (eq kind :variable) :warning :style-warning)
           :kind (ecase kind
                   (:function :undefined-function)
                   (:variable :undefined-variable)
                   (:type :undefined-type))
           :message (format nil "undefined ~(~A~): ~A" kind
                            (let ((*package* (find-package :keyword)))
                              (prin1-to-string name)))
           :name form
           (and context (ignore-errors (context-place context))))
    form))

(defun collect-undefined-names ()
  "Record the names that the compilation unit found undefined, and let the unit forget them."
  (prog1 (mapcar #'record-undefined-name (reverse sb-c::*undefined-warnings*))
    (setf sb-c::*undefined-warnings* '())))

(defmacro recording-conditions (() &body body)
  "Run BODY; record warnings and the compiler's errors in *DIAGNOSTICS*."
  `(let ((*recording* t))
     (handler-bind ((warning #'note-warning)
                    (sb-c:compiler-error #'record-condition)
                    (sb-c::input-error-in-compile-file #'record-condition))
       ,@body)))

;;; Failing

(defun give-up (&optional condition hook)
  "What happens in place of the debugger: the work under way fails, for a reason that is recorded."
  (declare (ignore hook))
  (when condition
    (record-condition condition))
  (throw 'work-failed nil))

(defun code-exited (&rest arguments)
  "What happens when the code that is built or loaded wants to end the process."
  (declare (ignore arguments))
  (let ((*recording* nil))
    (apply #'add-diagnostic
           :severity :error :kind :other
           :message "the code called exit while it was being built"
           (ignore-errors (let ((context (current-context)))
                            (if context (context-place context) (loading-place))))))
  (throw 'work-failed nil))

(defvar *working* nil
  "True while an action or a step is under way: its code must not end the process.")

(define-wrapper sb-ext:exit refuse-exit (next arguments)
  (if *working*
      (apply #'code-exited arguments)
      (apply next arguments)))

(defun call-working (function)
  "Call FUNCTION so that nothing it does ends the process or asks a question. True if it returned."
  (let* ((*working* t)
         (sb-ext:*invoke-debugger-hook* #'give-up)
         (*debugger-hook* nil)
         (done nil))
    (catch 'work-failed
      (catch 'sb-impl::%end-of-the-world
        (catch 'sb-impl::toplevel-catcher
          (recording-conditions ()
            (with-simple-restart (abort "Give up.")
              (funcall function)
              (setf done t))))))
    (unless (or done (error-recorded-p))
      (add-diagnostic :severity :error :kind :other
                      :message "the code left its compilation by a non-local exit"))
    done))

;;; Output
;;;
;;; What the code prints is kept up to a limit: its beginning and its end.

(defparameter *output-half* 32768
  "Characters kept of the beginning, and of the end, of what an action prints.")

(defclass bounded-output (sb-gray:fundamental-character-output-stream)
  ((head :initform (make-string-output-stream) :reader output-head)
   (head-length :initform 0 :accessor output-head-length)
   (tail :initform nil :accessor output-tail)
   (written :initform 0 :accessor output-written
            :documentation "Characters that went past the head.")
   (column :initform 0 :accessor output-column))
  (:documentation "A stream that forgets the middle of what is written to it."))

(defmethod sb-gray:stream-write-char ((stream bounded-output) char)
  (if (char= char #\Newline)
      (setf (output-column stream) 0)
      (incf (output-column stream)))
  (cond ((< (output-head-length stream) *output-half*)
         (incf (output-head-length stream))
         (write-char char (output-head stream)))
        (t (unless (output-tail stream)
             (setf (output-tail stream) (make-string *output-half*)))
           (setf (char (output-tail stream) (mod (output-written stream) *output-half*)) char)
           (incf (output-written stream))))
  char)

(defmethod sb-gray:stream-line-column ((stream bounded-output))
  (output-column stream))

(defun bounded-output-text (stream)
  "What is kept of what was written to STREAM."
  (let* ((head (get-output-stream-string (output-head stream)))
         (written (output-written stream))
         (at (mod written *output-half*)))
    (cond ((zerop written) head)
          ((<= written *output-half*)
           (concatenate 'string head (subseq (output-tail stream) 0 written)))
          (t (format nil "~A~%[... ~D characters left out ...]~%~A~A" head
                     (- written *output-half*)
                     (subseq (output-tail stream) at) (subseq (output-tail stream) 0 at))))))

(defmacro with-captured-output ((stream) &body body)
  "Run BODY with all output to STREAM, a new bounded stream, and nothing to read."
  (let ((terminal (gensym "TERMINAL")))
    `(let* ((,stream (make-instance 'bounded-output))
            (*no-input* (make-string-input-stream ""))
            (,terminal (make-two-way-stream *no-input* ,stream))
            (*standard-input* *no-input*)
            (*standard-output* ,stream)
            (*error-output* ,stream)
            (*trace-output* ,stream)
            (*debug-io* ,terminal)
            (*query-io* ,terminal)
            (*terminal-io* ,terminal)
            (*compile-verbose* nil)
            (*compile-print* nil)
            (*load-verbose* nil)
            (*load-print* nil))
       ,@body)))
