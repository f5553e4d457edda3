;;;; Sessions: the base core in the user's terminal.

(in-package :tenon-driver)

(defvar *default-nursery* 53687091
  "Bytes between collections as the Lisp comes; noted when the base core is made.")

(defun restore-surroundings ()
  "Undo what the driver changed for building: this is the user's own Lisp now."
  (setf *image-mode* nil
        *fixed-file-dates* nil
        *describing* nil
        (sb-ext:bytes-consed-between-gcs) *default-nursery*)
  (uiop/configuration::compute-user-cache)
  (setf asdf/output-translations:*output-translations-parameter* nil)
  (asdf:clear-configuration)
  (start-finalizer-thread))

;;; What ASDF takes for done

(defvar *session-start* nil
  "The universal time before the session's systems were loaded; NIL where there is no session.")

(defun system-changed-p (system)
  "True if SYSTEM's definition or one of its files was written since the session's systems were loaded."
  (flet ((changed-p (path)
           (let ((date (and path (ignore-errors (file-write-date path)))))
             (and date (> date *session-start*)))))
    (or (changed-p (asdf:system-source-file system))
        (some (lambda (component)
                (and (typep component 'asdf:file-component)
                     (changed-p (asdf:component-pathname component))))
              (asdf/component:sub-components system)))))

(defun direct-system-names (system)
  "Names of the systems that SYSTEM depends on."
  (remove nil (mapcar #'dependency-name (append (asdf:system-defsystem-depends-on system)
                                                (asdf:system-depends-on system)
                                                (asdf:system-weakly-depends-on system)))))

(defun release-changed-systems ()
  "The session's systems came from steps, and ASDF takes them for done (MARK-LOADED). No longer those
that have changed since, nor what depends on them."
  (let ((marked asdf/system-registry:*immutable-systems*)
        (released '()))
    (flet ((release-if (predicate)
             (loop for name being the hash-keys of marked
                   for system = (asdf:registered-system name)
                   when (and system (funcall predicate system))
                     collect name into names
                   finally (dolist (name names)
                             (remhash name marked))
                           (setf released (append names released))
                           (return names))))
      (release-if #'system-changed-p)
      (loop while (and released
                       (release-if (lambda (system)
                                     (intersection (direct-system-names system) released
                                                   :test #'equal))))))))

(defmethod asdf:find-system :before ((name string) &optional error-p)
  (declare (ignore error-p))
  (when *session-start*
    (asdf/session:do-asdf-cache '(release-changed-systems) (release-changed-systems))))

;; Being done with a system means that it is loaded: its tests, say, have not been run.
(defmethod asdf/forcing:action-forced-not-p :around (forcing operation component)
  (and (call-next-method)
       (or (null *session-start*)
           (typep operation '(or asdf:load-op asdf:define-op)))))

(defun map-sources (sources)
  "Let what was compiled from logical names say where its sources are: ((LOGICAL PATH)...)."
  (let ((paths (make-hash-table :test 'equal)))
    (loop for (logical path) in sources
          do (setf (gethash logical paths) path))
    (flet ((fix (object type size)
             (declare (ignore type size))
             (when (typep object '(or sb-c::debug-source sb-c:definition-source-location))
               (let ((path (gethash (slot-value object 'sb-c::namestring) paths)))
                 (when path
                   (setf (slot-value object 'sb-c::namestring) path))))))
      (sb-vm::map-allocated-objects #'fix :dynamic))))

(defun report-failure ()
  "Tell the user why the session's system could not be loaded."
  (dolist (diagnostic (reverse *diagnostics*))
    (with-plist (severity message file line) (rest diagnostic)
      (when (eq severity :error)
        (format *error-output* "~@[~A:~]~@[~D:~]~@[ ~*~]~A~%" file line file message))))
  (finish-output *error-output*))

(defun load-session (out steps sources)
  "Carry out the steps of the session, or say why not and exit."
  (use-output-folder out)
  ;; Sources have the same place below OUT as below ASDF's cache, and some look for theirs that way.
  (setf asdf:*user-cache* (native-directory out))
  (with-diagnostics ()
    (when (carry-out-all steps)
      (report-failure)
      (exit-now 1)))
  (setf *out* nil)
  (when sources
    (map-sources sources)))

(defun evaluate-text (text)
  "Evaluate each form in TEXT and print its values as the prompt does. The exit code."
  (handler-case
      (with-input-from-string (in text)
        (loop with end = (list nil)
              for form = (read in nil end)
              until (eq form end)
              do (format t "~&~{~S~%~}" (multiple-value-list (eval form))))
        (finish-output)
        0)
    (error (condition)
      (ignore-errors (finish-output)) ; there may be no room for it
      (format *error-output* "~&~A~%" condition)
      (finish-output *error-output*)
      1)))

(defun read-session (path)
  (with-open-file (in (native-pathname path) :external-format :utf-8)
    (let* ((text (make-string (file-length in)))
           (end (read-sequence text in)))
      (wire-read (subseq text 0 end)))))

(defun load-init-file (pathname-function)
  (let ((pathname (funcall pathname-function)))
    (when pathname
      (load pathname :if-does-not-exist nil))))

(defun prompt (user-init)
  "Start SBCL's own prompt, after the user's init file if USER-INIT is true."
  (setf sb-ext:*invoke-debugger-hook* nil)
  (sb-ext:enable-debugger)
  (when user-init
    (load-init-file sb-ext:*sysinit-pathname-function*)
    (load-init-file sb-ext:*userinit-pathname-function*))
  (sb-impl::flush-standard-output-streams)
  (sb-impl::toplevel-repl nil))

(defun run-session (path)
  "Do what the session file PATH says."
  (destructuring-bind (&key out steps form user-init sources) (rest (read-session path))
    (setf *image-mode* t
          *fixed-file-dates* t
          *session-start* (get-universal-time)
          *bare-features* (copy-list *features*))
    (install-output-translations)
    (use-registry)
    (load-session out steps sources)
    (restore-surroundings)
    (in-package :cl-user)
    (cond (form (let ((code (evaluate-text form)))
                  (sb-ext:exit :code code :abort nil)))
          (t (prompt user-init)))))
