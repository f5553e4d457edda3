;;;; The operating system: processes, sockets, descriptors, clocks and the sandbox, straight from
;;;; libc.

(in-package :tenon-driver)

(defmacro libc (name result &rest arguments)
  "Call libc's function NAME. ARGUMENTS are (TYPE VALUE) pairs."
  `(sb-alien:alien-funcall
    (sb-alien:extern-alien ,name (function ,result ,@(mapcar #'first arguments)))
    ,@(mapcar #'second arguments)))

(defconstant +eintr+ 4)

(defun errno-text ()
  (sb-int:strerror (sb-alien:get-errno)))

(defun exit-now (code)
  "End this process at once: nothing is flushed, no hook runs."
  (libc "_exit" sb-alien:void (sb-alien:int code)))

;;; Descriptors

(defun transfer (name descriptor octets)
  "Call libc's read or write until all of OCTETS went through. NIL when the other side is gone."
  (declare (type (simple-array (unsigned-byte 8) (*)) octets))
  (sb-sys:with-pinned-objects (octets)
    (loop with start = 0
          while (< start (length octets))
          do (let* ((sap (sb-sys:sap+ (sb-sys:vector-sap octets) start))
                    (count (- (length octets) start))
                    (done (ecase name
                            (:read (libc "read" sb-alien:long (sb-alien:int descriptor)
                                         (sb-sys:system-area-pointer sap)
                                         (sb-alien:unsigned-long count)))
                            (:write (libc "write" sb-alien:long (sb-alien:int descriptor)
                                          (sb-sys:system-area-pointer sap)
                                          (sb-alien:unsigned-long count))))))
               (cond ((plusp done) (incf start done))
                     ((and (minusp done) (= (sb-alien:get-errno) +eintr+)))
                     (t (return nil))))
          finally (return t))))

(defun read-octets (descriptor octets)
  "Fill OCTETS from DESCRIPTOR; NIL when it ended before."
  (transfer :read descriptor octets))

(defun write-octets (descriptor octets)
  "Write OCTETS to DESCRIPTOR. When nobody reads any more there is nothing left to do here."
  (or (transfer :write descriptor octets)
      (exit-now 0)))

(defun close-descriptor (descriptor)
  (libc "close" sb-alien:int (sb-alien:int descriptor)))

(defconstant +o-append+ #o2000)
(defconstant +o-creat+ #o100)
(defconstant +o-trunc+ #o1000)
(defconstant +o-wronly+ 1)
(defconstant +o-rdwr+ 2)
(defconstant +o-path+ #o10000000)
(defconstant +o-cloexec+ #o2000000)
(defconstant +f-lock+ 1)

(defun open-descriptor (path flags)
  (libc "open" sb-alien:int (sb-alien:c-string path) (sb-alien:int flags) (sb-alien:int #o666)))

(defconstant +at-fdcwd+ -100)
(defconstant +statx-ctime+ #x80)
(defconstant +statx-type+ #x1)
(defconstant +statx-file-size+ #x200)
(defconstant +statx-size+ 256
  "Octets of a struct statx. Its layout is the same on every machine.")

(defun file-status (path mask)
  "The struct statx of the file PATH, with what MASK asks for; NIL if it is not there."
  (let ((octets (make-array +statx-size+ :element-type '(unsigned-byte 8) :initial-element 0)))
    (sb-sys:with-pinned-objects (octets)
      (and (zerop (libc "statx" sb-alien:int (sb-alien:int +at-fdcwd+) (sb-alien:c-string path)
                        (sb-alien:int 0) (sb-alien:unsigned-int mask)
                        (sb-sys:system-area-pointer (sb-sys:vector-sap octets))))
           octets))))

(defun change-stamp (path)
  "When the file PATH, or what is known of it, was last changed: nanoseconds since 1970. 0: it is not
there."
  (let ((status (file-status path +statx-ctime+)))
    (if status
        (sb-sys:with-pinned-objects (status)
          (let ((sap (sb-sys:vector-sap status)))
            (+ (* (sb-sys:signed-sap-ref-64 sap 96) 1000000000) (sb-sys:sap-ref-32 sap 104))))
        0)))

(defun file-size (path)
  "Octets in the file PATH; NIL if it is not there."
  (let ((status (file-status path +statx-file-size+)))
    (and status
         (sb-sys:with-pinned-objects (status)
           (sb-sys:sap-ref-64 (sb-sys:vector-sap status) 40)))))

(defconstant +file-type-bits+ #o170000)
(defconstant +folder-type+ #o40000)

(defun folder-p (path)
  "True if there is a folder PATH."
  (let ((status (file-status path +statx-type+)))
    (and status
         (sb-sys:with-pinned-objects (status)
           (= (logand +file-type-bits+ (sb-sys:sap-ref-16 (sb-sys:vector-sap status) 28))
              +folder-type+)))))

;;; Folders

(defconstant +entry-unknown+ 0)
(defconstant +entry-folder+ 4)
(defconstant +entry-link+ 10)

(defun some-entry (predicate path)
  "Call PREDICATE with the type, a number that readdir gives, and the address of the name of each entry of
the folder PATH, until it is true. What it is then; and true if PATH could be listed."
  (let ((folder (libc "opendir" sb-sys:system-area-pointer (sb-alien:c-string (or path "")))))
    (if (zerop (sb-sys:sap-int folder))
        (values nil nil)
        (unwind-protect
             (loop
               (let ((entry (libc "readdir" sb-sys:system-area-pointer
                                  (sb-sys:system-area-pointer folder))))
                 (when (zerop (sb-sys:sap-int entry))
                   (return (values nil t)))
                 (let ((found (funcall predicate (sb-sys:sap-ref-8 entry 18)
                                       (sb-sys:sap+ entry 19))))
                   (when found
                     (return (values found t))))))
          (libc "closedir" sb-alien:int (sb-sys:system-area-pointer folder))))))

(defun name-length (name)
  "Octets of the string at the address NAME."
  (loop for length from 0
        until (zerop (sb-sys:sap-ref-8 name length))
        finally (return length)))

(defun name-ends-p (name ending)
  "True if the string at the address NAME ends in ENDING, whatever the case."
  (let ((start (- (name-length name) (length ending))))
    (and (>= start 0)
         (loop for i from start
               for char across ending
               always (char-equal char (code-char (sb-sys:sap-ref-8 name i)))))))

(defun names-parent-p (name)
  "True if the string at the address NAME is \".\" or \"..\"."
  (flet ((octet (i) (sb-sys:sap-ref-8 name i)))
    (and (= (octet 0) 46)
         (or (zerop (octet 1))
             (and (= (octet 1) 46) (zerop (octet 2)))))))

(defun no-folders-p (path)
  "True if no folder, and no link to one, lies in the folder PATH."
  (multiple-value-bind (found listed)
      (some-entry (lambda (type name)
                    (and (member type (list +entry-unknown+ +entry-folder+ +entry-link+))
                         (not (names-parent-p name))))
                  path)
    (and listed (not found))))

(defun no-names-p (path ending)
  "True if no name in the folder PATH ends in ENDING."
  (multiple-value-bind (found listed)
      (some-entry (lambda (type name)
                    (declare (ignore type))
                    (name-ends-p name ending))
                  path)
    (and listed (not found))))

(defun redirect-descriptors (path)
  "Let descriptors 1 and 2 write at the end of the file PATH, which is empty then."
  (let ((descriptor (open-descriptor path (logior +o-wronly+ +o-creat+ +o-trunc+ +o-append+))))
    (unless (minusp descriptor)
      (libc "dup2" sb-alien:int (sb-alien:int descriptor) (sb-alien:int 1))
      (libc "dup2" sb-alien:int (sb-alien:int descriptor) (sb-alien:int 2))
      (close-descriptor descriptor))))

;;; The connection

(defconstant +af-unix+ 1)
(defconstant +sock-stream-cloexec+ (logior 1 #o2000000))

(defun socket-address (name)
  "The octets of a sockaddr_un for the abstract socket NAME."
  (let* ((octets (sb-ext:string-to-octets name :external-format :utf-8))
         (address (make-array (+ 3 (length octets)) :element-type '(unsigned-byte 8)
                                                    :initial-element 0)))
    (setf (aref address 0) +af-unix+)
    (replace address octets :start1 3)))

(defun connect-abstract (name)
  "A descriptor connected to the abstract Unix socket NAME."
  (let ((descriptor (libc "socket" sb-alien:int (sb-alien:int +af-unix+)
                          (sb-alien:int +sock-stream-cloexec+) (sb-alien:int 0)))
        (address (socket-address name)))
    (when (minusp descriptor)
      (error "no socket: ~A" (errno-text)))
    (sb-sys:with-pinned-objects (address)
      (unless (zerop (libc "connect" sb-alien:int (sb-alien:int descriptor)
                           (sb-sys:system-area-pointer (sb-sys:vector-sap address))
                           (sb-alien:unsigned-int (length address))))
        (error "no connection to the host: ~A" (errno-text))))
    descriptor))

;;; Processes

(defun process-id ()
  (libc "getpid" sb-alien:int))

(defun single-threaded-p ()
  (sb-thread::%dispose-thread-structs)
  (null (rest (sb-thread:list-all-threads))))

(defun stop-finalizer-thread ()
  "End the thread that runs finalizers. Nothing but an explicit start brings it back."
  (when (typep sb-impl::*finalizer-thread* 'sb-thread:thread)
    (sb-impl::finalizer-thread-stop)))

(defun start-finalizer-thread ()
  (unless sb-impl::*finalizer-thread*
    (sb-impl::finalizer-thread-start)))

(defun fork-process ()
  "Fork. The child becomes the leader of a process group, so that it can be ended with all that it
started. 0 in the child, its id in the parent, negative on failure."
  (finish-output)
  (finish-output *error-output*)
  (let ((pid (sb-sys:without-interrupts (libc "fork" sb-alien:int))))
    ;; Both do it: when either goes on, it is done. The host may end the parent's group at any time.
    (unless (minusp pid)
      (libc "setpgid" sb-alien:int (sb-alien:int pid) (sb-alien:int pid)))
    pid))

(defconstant +itimer-virtual+ 1)

(defun set-virtual-timer (microseconds &optional (interval 0))
  "Have SIGVTALRM sent once this process has computed for MICROSECONDS more, then every INTERVAL microseconds
if that isn't 0. 0 MICROSECONDS: never."
  (sb-alien:with-alien ((timer (array sb-alien:long 4)))
    (setf (sb-alien:deref timer 0) (floor interval 1000000)
          (sb-alien:deref timer 1) (mod interval 1000000)
          (sb-alien:deref timer 2) (floor microseconds 1000000)
          (sb-alien:deref timer 3) (mod microseconds 1000000))
    (libc "setitimer" sb-alien:int (sb-alien:int +itimer-virtual+)
          ((* t) (sb-alien:alien-sap timer)) ((* t) (sb-sys:int-sap 0)))))

(defun limit-processor-time (microseconds)
  "End this process by a signal (SIGVTALRM) once it has computed for MICROSECONDS more; 0: never."
  (set-virtual-timer microseconds))

(defun call-every (microseconds tick function)
  "Call FUNCTION, and TICK, wherever it is then, whenever this process has computed for so many MICROSECONDS.
If TICK gives true, the process ends by that signal."
  (unwind-protect
       (progn
         (sb-sys:enable-interrupt sb-unix::sigvtalrm
                                  (lambda (&rest arguments)
                                    (declare (ignore arguments))
                                    (when (funcall tick)
                                      (sb-sys:enable-interrupt sb-unix::sigvtalrm :default))))
         (set-virtual-timer microseconds microseconds)
         (funcall function))
    (set-virtual-timer 0)
    (sb-sys:enable-interrupt sb-unix::sigvtalrm :default)))

(defconstant +rlimit-cpu+ 0)

(defun limit-all-processor-time (seconds)
  "End this process by a signal (SIGXCPU) once it has used SECONDS more of a processor, whatever it does; NIL:
never."
  (sb-alien:with-alien ((limits (array sb-alien:unsigned-long 2)))
    (libc "getrlimit" sb-alien:int (sb-alien:int +rlimit-cpu+) ((* t) (sb-alien:alien-sap limits)))
    (setf (sb-alien:deref limits 0)
          (if seconds
              (min (sb-alien:deref limits 1) (+ seconds (ceiling (cpu-ns) 1000000000)))
              (sb-alien:deref limits 1)))
    (libc "setrlimit" sb-alien:int (sb-alien:int +rlimit-cpu+) ((* t) (sb-alien:alien-sap limits)))))

(defconstant +wnohang+ 1)

(defun reap-children ()
  "((PID STATUS)...) of the children that ended since the last time."
  (sb-alien:with-alien ((status sb-alien:int 0))
    (loop for pid = (libc "waitpid" sb-alien:int (sb-alien:int -1)
                          ((* sb-alien:int) (sb-alien:addr status)) (sb-alien:int +wnohang+))
          while (plusp pid)
          collect (list pid status))))

(defun wait-for (pid)
  "Wait until the child PID has ended. Its status as waitpid tells it; NIL if there is no such child."
  (sb-alien:with-alien ((status sb-alien:int 0))
    (and (= pid (libc "waitpid" sb-alien:int (sb-alien:int pid)
                      ((* sb-alien:int) (sb-alien:addr status)) (sb-alien:int 0)))
         status)))

(defun set-environment (name value)
  (libc "setenv" sb-alien:int (sb-alien:c-string name) (sb-alien:c-string value)
        (sb-alien:int 1)))

(defun unset-environment (name)
  (libc "unsetenv" sb-alien:int (sb-alien:c-string name)))

(defun change-directory (path)
  "Make the folder PATH the current one, for the process and for Lisp."
  (libc "chdir" sb-alien:int (sb-alien:c-string path))
  (setf *default-pathname-defaults* (native-directory path)))

;;; Clocks, in nanoseconds

(defun clock-ns (clock)
  (multiple-value-bind (seconds nanoseconds) (sb-unix::clock-gettime clock)
    (+ (* seconds 1000000000) nanoseconds)))

(defconstant +clock-monotonic+ 1)
(defconstant +clock-process-cpu+ 2)

(defun wall-ns () (clock-ns +clock-monotonic+))
(defun cpu-ns () (clock-ns +clock-process-cpu+))

;;; The sandbox: Landlock
;;;
;;; Only the rights that write are handled, so reading stays free. A kernel knows more rights with
;;; each version of the interface and refuses those that it does not know.

(defconstant +sys-landlock-create-ruleset+ 444)
(defconstant +sys-landlock-add-rule+ 445)
(defconstant +sys-landlock-restrict-self+ 446)
(defconstant +landlock-create-ruleset-version+ 1)
(defconstant +landlock-rule-path-beneath+ 1)
(defconstant +pr-set-no-new-privs+ 38)

(defparameter *landlock-write-rights*
  '((1 . (1                             ; write_file
          4 5                           ; remove_dir, remove_file
          6 7 8 9 10 11 12))            ; make_char, _dir, _reg, _sock, _fifo, _block, _sym
    (2 . (13))                          ; refer: link and rename across folders
    (3 . (14)))                         ; truncate
  "Bits of the rights that write, by the version of the interface that brought them.")

(defconstant +landlock-file-rights+ (logior (ash 1 1) (ash 1 14))
  "Those of the rights that make sense for a file rather than a folder.")

(defparameter *always-writable* '("/dev/null" "/dev/zero" "/dev/full" "/dev/tty" "/dev/shm"
                                  "/dev/ptmx" "/dev/pts")
  "What any program may expect to write to.")

(defmacro syscall (number &rest arguments)
  `(libc "syscall" sb-alien:long (sb-alien:long ,number) ,@arguments))

(defun landlock-version ()
  "The version of Landlock that this kernel has, or NIL."
  (let ((version (syscall +sys-landlock-create-ruleset+ (sb-alien:unsigned-long 0)
                          (sb-alien:unsigned-long 0)
                          (sb-alien:unsigned-long +landlock-create-ruleset-version+))))
    (and (plusp version) version)))

(defun landlock-rights (version)
  (loop for (since . bits) in *landlock-write-rights*
        when (<= since version)
          sum (loop for bit in bits sum (ash 1 bit))))

(defun landlock-ruleset (rights)
  "A descriptor of a new set of rules that forbids RIGHTS everywhere."
  (let ((attributes (make-array 8 :element-type '(unsigned-byte 8))))
    (setf (sb-kernel:%vector-raw-bits attributes 0) rights)
    (sb-sys:with-pinned-objects (attributes)
      (syscall +sys-landlock-create-ruleset+
               (sb-sys:system-area-pointer (sb-sys:vector-sap attributes))
               (sb-alien:unsigned-long 8) (sb-alien:unsigned-long 0)))))

(defun landlock-allow (ruleset rights path)
  "Let RULESET allow RIGHTS below PATH. What does not exist needs no rule."
  (let ((descriptor (open-descriptor path (logior +o-path+ +o-cloexec+)))
        (attributes (make-array 16 :element-type '(unsigned-byte 8) :initial-element 0)))
    (unless (minusp descriptor)
      (setf (sb-kernel:%vector-raw-bits attributes 0)
            (if (folder-p path)
                rights
                (logand rights +landlock-file-rights+)))
      (setf (aref attributes 8) (ldb (byte 8 0) descriptor)
            (aref attributes 9) (ldb (byte 8 8) descriptor))
      (sb-sys:with-pinned-objects (attributes)
        (syscall +sys-landlock-add-rule+ (sb-alien:long ruleset)
                 (sb-alien:unsigned-long +landlock-rule-path-beneath+)
                 (sb-sys:system-area-pointer (sb-sys:vector-sap attributes))
                 (sb-alien:unsigned-long 0)))
      (close-descriptor descriptor))))

(defun restrict-writing (folders)
  "From now on this process and its children can write below FOLDERS only. NIL where the kernel
can't do it: then nothing has changed."
  (let* ((version (landlock-version))
         (rights (and version (landlock-rights version)))
         (ruleset (and version (landlock-ruleset rights))))
    (when (and ruleset (not (minusp ruleset)))
      (dolist (path (append folders *always-writable*))
        (landlock-allow ruleset rights path))
      (libc "prctl" sb-alien:int (sb-alien:int +pr-set-no-new-privs+)
            (sb-alien:unsigned-long 1) (sb-alien:unsigned-long 0)
            (sb-alien:unsigned-long 0) (sb-alien:unsigned-long 0))
      (let ((result (syscall +sys-landlock-restrict-self+ (sb-alien:long ruleset)
                             (sb-alien:unsigned-long 0))))
        (close-descriptor ruleset)
        (zerop result)))))
