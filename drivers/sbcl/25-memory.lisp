;;;; Memory: when garbage is collected, and that the heap and SBCL's code lie in huge pages, which are
;;;; quicker to fork, to leave and to compute on.

(in-package :tenon-driver)

(defvar *runtime-addresses* '()
  "Names in SBCL's runtime and where they are in this process and those forked from it.")

(defun runtime-address (name)
  "Where SBCL's runtime has what it calls NAME, or NIL: it may not have it."
  (let ((known (assoc name *runtime-addresses* :test #'equal)))
    (unless known
      (setf known (cons name (sb-sys:find-foreign-symbol-address name)))
      (push known *runtime-addresses*))
    (rest known)))

(defun runtime-word (name)
  "A pointer to the word that SBCL's runtime calls NAME, or NIL."
  (let ((address (runtime-address name)))
    (and address (sb-sys:int-sap address))))

(defun set-nursery (bytes)
  "Let a garbage collection be due when this process has allocated BYTES, and after each BYTES from
then on. What it inherited from its parent is shared until it is moved: collecting it is worth nothing."
  (setf (sb-ext:bytes-consed-between-gcs) (min bytes (floor (sb-ext:dynamic-space-size) 5)))
  (let ((due (runtime-word "auto_gc_trigger"))
        (allocated (runtime-word "bytes_allocated")))
    (when (and due allocated)
      (setf (sb-sys:sap-ref-word due 0)
            (+ (sb-sys:sap-ref-word allocated 0) (sb-ext:bytes-consed-between-gcs))))))

(defconstant +huge-page+ (* 2 1024 1024))
(defconstant +madv-hugepage+ 14)
(defconstant +madv-collapse+ 25)

(defun advise-memory (start length advice)
  (libc "madvise" sb-alien:int (sb-alien:unsigned-long start) (sb-alien:unsigned-long length)
        (sb-alien:int advice)))

(defvar *collapsed* 0
  "Up to this address the heap lies in huge pages again, as far as it can.")

(defvar *own-forks* 0
  "How often this process has forked.")

(defun heap-end ()
  "The address behind the last page of the heap that is in use; 0 where the runtime doesn't tell."
  (let ((pages (runtime-word "next_free_page"))
        (size (find-symbol "GENCGC-PAGE-BYTES" :sb-vm)))
    (if (and pages size)
        (+ sb-vm:dynamic-space-start (* (sb-sys:sap-ref-word pages 0) (symbol-value size)))
        0)))

(defun use-huge-pages ()
  "Ask the kernel to back the heap with huge pages. A compile allocates some 50 MB afresh in a process
of its own: without, a fault for each 4 KB of them takes as long as a third of the compiling."
  #+linux
  (advise-memory sb-vm:dynamic-space-start (sb-ext:dynamic-space-size) +madv-hugepage+)
  (setf *collapsed* (* +huge-page+ (ceiling (heap-end) +huge-page+))))

(defun touch (address)
  "Write to the word at ADDRESS what it holds. No other thread may do so at the same time."
  (let ((memory (sb-sys:int-sap address)))
    (setf (sb-sys:sap-ref-word memory 0) (sb-sys:sap-ref-word memory 0))))

(defun collapse (from to)
  "Put what lies between FROM and TO into huge pages again where the kernel has split them: it does so
when something is written to one that another process shares. Where nothing was written to since the
last fork, it would not."
  (loop for page from from below to by +huge-page+
        do (touch page)
           (advise-memory page +huge-page+ +madv-collapse+)))

(defconstant +warm-memory+ (* 8 1024 1024)
  "What was allocated so long ago is hardly written to any more.")

(defun collapse-heap (&key all)
  "A process that forks again and again and writes in between has its huge pages split, and copying its
page table takes longer with each fork: put what was allocated since the last time into huge pages, and,
since that is written to for a while yet, what was put there some time ago once more; or all of the heap."
  #+linux
  (let ((end (* +huge-page+ (floor (heap-end) +huge-page+))))
    (cond (all
           (collapse sb-vm:dynamic-space-start end)
           (setf *collapsed* end))
          ((< *collapsed* end)
           (collapse *collapsed* end)
           (collapse (max sb-vm:dynamic-space-start (- *collapsed* +warm-memory+)) (- end +warm-memory+))
           (setf *collapsed* end)))))

(defconstant +heap-per-fork+ (* 3 1024 1024)
  "So much of a heap is worth moving for each time that it was forked so far.")

(defun heap-is-due-p (forks)
  "True if a process has just forked so often, FORKS times, that all of its heap had better be put into
huge pages: after 16 times, and after twice as many each time, as far as the heap is not too large for
that. Those that were forked before keep the old pages, so this costs memory as well; and what is written
to all the time is soon split again."
  (and (<= 16 forks)
       (= (logcount forks) 1)
       (<= (- (heap-end) sb-vm:dynamic-space-start) (* forks +heap-per-fork+))))

;;; What comes from the core file

(defconstant +prot-read+ 1)
(defconstant +prot-write+ 2)
(defconstant +prot-exec+ 4)
(defconstant +map-private-anonymous+ #x22)
(defconstant +mremap-maymove-fixed+ 3)

(defconstant +large-mapping+ (* 8 1024 1024)
  "SBCL's code and what the core's heap holds take more, data of foreign libraries less.")
(defconstant +many-forks+ 8
  "After so many forks of a process and those before it there will be more.")
(defvar *forks* 0
  "How often this process and those before it have forked.")
(defvar *core-moved* nil
  "True where what comes from the core file lies in huge pages, in this process or one before it.")

(defun has-huge-pages-p ()
  "True if the kernel gives huge pages of the size that this file reckons with to who asks for them."
  (flet ((setting (name)
           (ignore-errors
            (with-open-file (in (concatenate 'string "/sys/kernel/mm/transparent_hugepage/" name))
              (read-line in nil)))))
    (let ((enabled (setting "enabled")) (size (setting "hpage_pmd_size")))
      (and enabled size
           (not (search "[never]" enabled))
           (equal size (princ-to-string +huge-page+))))))

(defun parse-mapping (line)
  "Start, end and protection of the mapping that LINE of /proc/self/maps tells of; NIL if it is not
a private and writable one of a file."
  (let ((dash (position #\- line)) (space (position #\Space line)))
    (flet ((flag (offset character value)
             (if (eql (char line (+ space offset)) character) value 0)))
      (when (and (find #\/ line)
                 (eql (char line (+ space 2)) #\w)
                 (eql (char line (+ space 4)) #\p))
        (list (parse-integer line :end dash :radix 16)
              (parse-integer line :start (1+ dash) :end space :radix 16)
              (+ (flag 1 #\r +prot-read+) +prot-write+ (flag 3 #\x +prot-exec+)))))))

(defun large-file-mappings ()
  (with-open-file (in "/proc/self/maps" :external-format :latin-1 :if-does-not-exist nil)
    (loop for line = (and in (read-line in nil))
          for mapping = (and line (parse-mapping line))
          while line
          when (and mapping (<= +large-mapping+ (- (second mapping) (first mapping))))
            collect mapping)))

(defun move-into-huge-pages (start end protection)
  "Put anonymous memory with the same content in the place of the whole huge pages between START and
END, without anybody noticing: nothing here may write to them between the copy and the move."
  (let* ((from (* +huge-page+ (ceiling start +huge-page+)))
         (length (- (* +huge-page+ (floor end +huge-page+)) from))
         (room (libc "mmap" sb-alien:long
                     (sb-alien:unsigned-long 0) (sb-alien:unsigned-long (+ length +huge-page+))
                     (sb-alien:int protection) (sb-alien:int +map-private-anonymous+)
                     (sb-alien:int -1) (sb-alien:unsigned-long 0)))
         (copy (* +huge-page+ (ceiling room +huge-page+)))
         (before (- copy room)))
    (declare (type fixnum from length room copy before))
    (unless (minusp room)
      (flet ((unmap (address length)
               (when (plusp length)
                 (libc "munmap" sb-alien:int (sb-alien:unsigned-long address)
                       (sb-alien:unsigned-long length)))))
        (unmap room before)
        (unmap (+ copy length) (- +huge-page+ before)))
      (advise-memory copy length +madv-hugepage+)
      (sb-sys:without-gcing
        (libc "memcpy" sb-alien:void (sb-alien:unsigned-long copy) (sb-alien:unsigned-long from)
              (sb-alien:unsigned-long length))
        (libc "mremap" sb-alien:void (sb-alien:unsigned-long copy) (sb-alien:unsigned-long length)
              (sb-alien:unsigned-long length) (sb-alien:int +mremap-maymove-fixed+)
              (sb-alien:unsigned-long from))))))

(defun move-core ()
  "Put what the core file holds, SBCL's code and all, into huge pages, here and in all that are forked from
this process."
  #+linux
  (when (and (not *core-moved*) (has-huge-pages-p))
    (setf *core-moved* t)
    (loop for mapping in (large-file-mappings)
          do (apply #'move-into-huge-pages mapping))))

(defun note-fork ()
  "A process that forks often gets what its core file holds into huge pages, once, and its heap again and
again, and with it all that are forked from it: each small page costs something at a fork, when it is
used first, and when the child ends. Of the processors' time for a thousand small files the one takes off
a tenth, the other a twentieth."
  (when (= (incf *forks*) +many-forks+)
    (move-core))
  (collapse-heap :all (heap-is-due-p (incf *own-forks*))))

(defparameter *filler* nil
  "What LEAVE-SHARED-PAGE has put into the rest of a page.")

(defun leave-shared-page ()
  "Allocate from the next huge page on. The one that the heap ends in is shared with the process that
this one was forked from: each 4 KB of it would be copied when something is put there first."
  #+linux
  (let ((free (mod (- (heap-end)) +huge-page+)))
    (when (> free (* 256 1024))         ; what is smaller lies among other objects
      (setf *filler* (make-array (- free (* 2 sb-vm:n-word-bytes))
                                 :element-type '(unsigned-byte 8))))))

;;; What is used again and again

(defvar *spares* '()
  "Names of the variables that DEFINE-SPARES has defined.")

(defmacro define-spares (name docstring)
  "Let the variable NAME hold objects that nobody uses just now: who needs one does not allocate it."
  `(progn
     (defvar ,name '() ,docstring)
     (pushnew ',name *spares*)))

(defun take-spare (name)
  "One of the objects that the variable NAME holds, or NIL. Any thread may do so."
  (sb-ext:atomic-pop (symbol-value name)))

(defun give-spare (name object)
  (sb-ext:atomic-push object (symbol-value name)))

(defun forget-spares ()
  "This process is about to fork. What is written to the old ones later would have to be copied."
  (dolist (name *spares*)
    (set name '())))
