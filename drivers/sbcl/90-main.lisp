;;;; The process: hello, then requests, one after the other, until there are no more.

(in-package :tenon-driver)

(defparameter *image-nursery* (* 800 1024 1024)
  "Bytes between collections in a process that others are forked from. None is best: a collection leaves
holes, and each page of a hole that a child fills has to be copied for it first.")

(defun say-hello (token)
  "Open a connection of this process's own and say who it is."
  (setf *connection* (connect-abstract (environment-value "TENON_SOCKET")))
  (send-frame (list :hello token (process-id))))

(defun environment-value (name)
  (or (sb-ext:posix-getenv name) (error "~A is not set" name)))

(defvar *rehearsal-due* nil
  "In a root that was not started from a base core, until it has rehearsed: the native name of the folder
to do it in.")

(defun become-child (token)
  "After a fork: leave the parent's connection and open one's own."
  (setf *rehearsal-due* nil
        *own-forks* 0)
  (set-nursery *image-nursery*)
  (close-descriptor *connection*)
  (say-hello token))

(defun answer-fork (token &rest requests)
  "Answer to (:FORK TOKEN request...). In the child: carry out the requests."
  (cond ((not (single-threaded-p))
         (list :fork-failed token "the image has several threads"))
        (t
         (note-fork)
         (forget-spares)
         (let ((pid (fork-process)))
           (cond ((minusp pid) (list :fork-failed token (errno-text)))
                 ((plusp pid) (list :forked token pid))
                 (t (become-child token)
                    (mapc #'carry-out-request requests)
                    nil))))))

(defun answer-memory ()
  (list :memory (sb-kernel:dynamic-usage)))

(defun answer (request)
  "The answer to REQUEST, or NIL for none."
  (destructuring-bind (kind &rest arguments) request
    (ecase kind
      (:fork (apply #'answer-fork arguments))
      (:steps (apply #'answer-steps arguments))
      (:act (call-as-action (lambda () (apply #'answer-act arguments))))
      (:describe (apply #'answer-describe arguments))
      (:definers (apply #'answer-definers arguments))
      (:survey (apply #'answer-survey arguments))
      (:changers (apply #'answer-changers arguments))
      (:replay (apply #'answer-replay arguments))
      (:reap (list* :reaped (reap-children)))
      (:memory (answer-memory))
      (:snapshot (save-snapshot (first arguments)))
      (:base-core (save-fresh (first arguments)))
      (:versions (list :versions :lisp (lisp-implementation-version) :asdf (asdf:asdf-version)))
      (:exit (exit-now 0)))))

(defun carry-out-request (request)
  "Answer REQUEST; an action or a description is the last thing that a process does."
  (let ((form (answer request)))
    (when form
      (send-frame form))
    (when (member (first request) '(:act :survey :describe :replay))
      (exit-now 0))))

(defun rehearse-in-root ()
  "Go through what a build does in a root that builds already, and put its heap in order: what is
forked from it later pays for no first calls and copies little, as if the root had been started from
a base core."
  (handler-case (rehearse (shiftf *rehearsal-due* nil))
    (serious-condition () (forget-rehearsal)))
  (setf *tenures* (tenure-works-p))
  (install-output-translations)
  (use-registry)
  (sb-ext:gc :full t)
  (collapse-heap :all t)
  (set-nursery *image-nursery*))

(defun forks-to-describe-p (request)
  "True if REQUEST is for a child that describes systems: most are built from the start then."
  (destructuring-bind (kind &optional token &rest requests) request
    (declare (ignore token))
    (and (eq kind :fork) (find :describe requests :key #'first))))

(defun serve ()
  "Answer requests until the host hangs up."
  (loop for request = (receive-frame)
        while request
        do (carry-out-request request)
           ;; While the child describes, the host waits for it and the other processors idle.
           (when (forks-to-describe-p request)
             (when *rehearsal-due*
               (rehearse-in-root))
             (move-core)))
  (exit-now 0))

(defun die (condition hook)
  "In place of the debugger, outside of any work: the driver itself is wrong. Say so and end."
  (declare (ignore hook))
  (ignore-errors
   (format sb-sys:*stderr* "~&tenon driver: ~A~%" condition)
   (sb-debug:print-backtrace :stream sb-sys:*stderr* :count 40)
   (finish-output sb-sys:*stderr*))
  (exit-now 70))

(defun become-host-process ()
  "What a process that the host starts does first, whatever core it was started from."
  (stop-finalizer-thread)
  (setf *runtime-addresses* '()
        *forks* 0
        *own-forks* 0
        *core-moved* nil)
  (when *tenures*
    (mapc #'runtime-address *runtime-tables*))
  (use-huge-pages)
  (set-nursery *image-nursery*)
  (sb-sys:enable-interrupt sb-unix:sigint :default)
  (sb-sys:enable-interrupt sb-unix:sigpipe :default))

(defun become-root ()
  "Make this process fit for forking and building."
  (become-host-process)
  (refine-interpreter)
  (note-lisp-folders)
  (setf sb-ext:*invoke-debugger-hook* #'die
        *fixed-file-dates* t
        *image-mode* t
        *bare-features* (copy-list *features*)
        *package* (find-package :cl-user))
  (install-output-translations)
  (use-registry))

(defun main ()
  "Where the base core starts."
  (tidy-again)
  (let ((session (sb-ext:posix-getenv "TENON_SESSION")))
    (cond (session (run-session session))
          (t (become-root)
             (say-hello (environment-value "TENON_TOKEN"))
             (serve)))))

;;; Making the base core

(defun quiet-asdf ()
  "Nothing may replace the ASDF that is in the core, nor look for it."
  (dolist (name '("asdf" "uiop"))
    (asdf:register-immutable-system name)))

(defun prepare-base ()
  "What is to be known of the bare Lisp and of ASDF before anything is built."
  (setf *default-nursery* (sb-ext:bytes-consed-between-gcs))
  (quiet-asdf)
  (note-standard-methods)
  (note-standard-operate-methods)
  (note-info-kinds)
  (note-bare-packages))

(defun save-rehearsed (path)
  "Write the base core to the file that the system calls PATH and exit. What is compiled from it has the bytes that the bare Lisp would
give it: tables of symbols keep their order."
  (stop-finalizer-thread)
  (setf *tenures* (tenure-works-p))
  (leave-image-as-it-is)
  (sb-ext:save-lisp-and-die (native-pathname path) :toplevel #'main :executable nil))

(defun save-base (folder)
  "Write the base core to base.core in the host's scratch folder FOLDER, by its native name, and exit."
  (prepare-base)
  (rehearse folder)
  (save-rehearsed (concatenate 'string folder "/base.core")))

(defun start-fresh (folder)
  "Be a root at once, in a process that has just loaded the driver: no base core is there yet. FOLDER: the
native name of the host's scratch folder."
  (prepare-base)
  (setf *rehearsal-due* folder)
  (main))

(defun save-fresh (path)
  "The work is done for which this process was started. Become what the driver was when it had been
loaded, write the base core to PATH and exit."
  (close-descriptor *connection*)
  (setf *connection* nil)
  (handler-case
      (progn
        (restore-surroundings)
        (restore-interpreter)
        (clrhash *perform-methods-by-class*)
        (setf *bare-features* '()
              *registry* nil
              sb-ext:*invoke-debugger-hook* nil)
        (when *rehearsal-due*
          (rehearse (shiftf *rehearsal-due* nil)))
        (save-rehearsed path))
    (serious-condition () (exit-now 4))))
