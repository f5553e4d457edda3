;;;; Snapshots: an image in a file, so that a later build needn't put it together again.
;;;;
;;;; A process that stands at a node of the image tree is forked for this, and SBCL writes its heap.
;;;; What starts from the file must be what a fork would have been: the same global state, the same
;;;; sandbox, the same bytes from the compiler. What a file can't hold makes the image unfit, and no
;;;; snapshot of it is made: memory outside of the Lisp, open files.

(in-package :tenon-driver)

;;; What a file can't hold

(defun lisp-address-p (address)
  "True if ADDRESS is in the Lisp's own heap, in its table of foreign functions, or nowhere."
  (or (zerop address)
      (< -1 (- address (renamed "SB-VM" "ALIEN-LINKAGE-SPACE-START" "ALIEN-LINKAGE-TABLE-SPACE-START"))
         (renamed "SB-VM" "ALIEN-LINKAGE-SPACE-SIZE" "ALIEN-LINKAGE-TABLE-SPACE-SIZE"))
      (< -1 (- address sb-vm:dynamic-space-start) (sb-ext:dynamic-space-size))))

(defun own-stream-p (stream)
  (or (<= (sb-sys:fd-stream-fd stream) 2)
      (eq stream sb-sys:*tty*)
      (not (open-stream-p stream))))

(defun address-of (pointer)
  "The address that POINTER, a system area pointer or an address itself, tells."
  (if (integerp pointer) pointer (sb-sys:sap-int pointer)))

(defun library-handles ()
  "Addresses that stand for the shared libraries: these are opened again at the start."
  (mapcar #'address-of
          (remove nil (cons sb-sys::*runtime-dlhandle*
                            (mapcar #'sb-alien::shared-object-handle sb-sys::*shared-objects*)))))

(defun drop-finalizers ()
  "Let go of what finalizers hold. The streams that newer releases close then, because files that they
read or write are open."
  (let ((closed (find-symbol "*STREAMS-CLOSED-BY-SLAD*" "SB-IMPL")))
    (when closed
      (sb-ext:gc :full t))
    (progv (and closed (list closed)) '(())
      (sb-impl::finalizers-deinit)
      (and closed (mapcar #'first (symbol-value closed))))))

(defun unfit-objects ()
  "What is in this image and would be worth nothing in another process."
  (let ((streams (drop-finalizers))     ; some hold what is garbage by now
        (pointers '())
        (known (library-handles)))
    (sb-ext:gc :full t)
    (sb-vm:map-allocated-objects
     (lambda (object type size)
       (declare (ignore type size))
       (typecase object
         (sb-sys:system-area-pointer (push object pointers))
         ;; Streams get new ones.
         (sb-impl::buffer (push (address-of (sb-impl::buffer-sap object)) known))
         (sb-sys:fd-stream (unless (own-stream-p object)
                             (push object streams)))))
     :dynamic)
    (append streams
            (remove-if (lambda (pointer)
                         (let ((address (address-of pointer)))
                           (or (lisp-address-p address) (member address known))))
                       pointers))))

;;; What SBCL sets anew at a start, or would do for its own ends

(defparameter *kept-variables*
  '(*default-pathname-defaults* sb-ext:*posix-argv* sb-ext:*core-pathname* sb-ext:*init-hooks*
    sb-ext:*save-hooks*)
  "Variables whose values are those of the process that was saved.")

(defvar *kept-values* '())

(defvar *kept-environment* '()
  "The environment of the process that was saved: \"NAME=VALUE\".")

(defun own-setting-p (setting)
  "True if SETTING, \"NAME=VALUE\", is the host's word to one process."
  (or (uiop:string-prefix-p "TENON_SOCKET=" setting)
      (uiop:string-prefix-p "TENON_TOKEN=" setting)))

(defun setting-name (setting)
  (subseq setting 0 (position #\= setting)))

(defun restore-environment ()
  (dolist (setting (sb-ext:posix-environ))
    (unless (or (own-setting-p setting)
                (member setting *kept-environment* :test #'string=))
      (unset-environment (setting-name setting))))
  (dolist (setting *kept-environment*)
    (unless (own-setting-p setting)
      (set-environment (setting-name setting)
                       (subseq setting (1+ (position #\= setting)))))))

(defparameter *tidying*
  (known-functions "SB-IMPL::TUNE-IMAGE-FOR-DUMP" "SB-IMPL::COALESCE-CTYPES"
                   ;; There is no such thread in a process that builds.
                   "SB-IMPL::FINALIZER-THREAD-STOP" "SB-IMPL::FINALIZER-THREAD-START")
  "What SBCL does to an image that it saves, or starts from. Tables of symbols in another order, or
types that became one, would be another image than that of a fork.")

(defun leave-image-as-it-is ()
  (dolist (function *tidying*)
    (sb-int:encapsulate function 'not-now (constantly nil))))

(defun tidy-again ()
  (dolist (function *tidying*)
    (sb-int:unencapsulate function 'not-now)))

;;; Files that the image has read
;;;
;;; What is in the image may come from them, and no key of the host's names them: a snapshot serves as
;;; long as they are what they were.

(defvar *read-files* '()
  "(KIND PATH STATE) of all that was read, looked for or listed for this image.")

(defun read-state (kind path)
  "What counts of it now: of a file that was only looked for, whether it is there."
  (let ((stamp (change-stamp path)))
    (if (eq kind :probe)
        (plusp stamp)
        stamp)))

(defun read-files ()
  (loop for (kind path stamp) in (noted-reads)
        collect (list kind path (if (eq kind :file) stamp (read-state kind path)))))

(defun read-files-unchanged-p ()
  (loop for (kind path state) in *read-files*
        always (or (eql state (read-state kind path))
                   (format sb-sys:*stderr* "~&~A is not what the saved image has read~%" path))))

;;; Saving

(defun save-snapshot (path)
  "Write this image to the file PATH and exit; the code is 0 then. It is 0, and there is no file, if
the image is unfit."
  (close-descriptor *connection*)
  (setf *connection* nil)
  (handler-case
      (progn
        (let ((objects (unfit-objects)))
          (when objects
            (format sb-sys:*stderr* "~&no snapshot can hold ~{~A~^, ~}~%" objects)
            (finish-output sb-sys:*stderr*)
            (exit-now 0)))
        (setf *kept-environment* (sb-ext:posix-environ)
              *kept-values* (mapcar #'symbol-value *kept-variables*)
              *read-files* (read-files)
              sb-ext:*init-hooks* '()
              sb-ext:*save-hooks* '())
        (leave-image-as-it-is)
        (sb-ext:save-lisp-and-die (native-pathname path) :toplevel #'resume :executable nil))
    (serious-condition (condition)
      (format sb-sys:*stderr* "~&the image can't be saved: ~A~%" condition)
      (finish-output sb-sys:*stderr*)
      (exit-now 4))))

;;; Starting

(defun return-to-sandbox ()
  "The process that was saved could write to some places only; so shall this one."
  (let ((folders (shiftf *writable-folders* '())))
    (when folders
      (enter-sandbox folders))))

(defun resume ()
  "Where a snapshot starts: this process becomes what the saved one was, or ends: the host makes the
image anew then."
  (unless (read-files-unchanged-p)
    (exit-now 5))
  (tidy-again)
  (become-host-process)
  (mapc #'set *kept-variables* *kept-values*)
  (restore-environment)
  (return-to-sandbox)
  (say-hello (environment-value "TENON_TOKEN"))
  (serve))
