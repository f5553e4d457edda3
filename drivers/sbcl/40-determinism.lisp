;;;; The same bytes each time: what would otherwise differ from run to run is fixed here.
;;;;
;;;; A FASL depends on more than its source: the date of the source file, the name it was opened by,
;;;; counters for generated names, the random state. File dates are fixed in every image (which also
;;;; makes ASDF take whatever is there for up to date: what is stale is the host's affair).

(in-package :tenon-driver)

(defvar *fixed-file-dates* nil
  "True where all files seem equally old.")

(defconstant +fixed-file-date+ (encode-universal-time 0 0 0 1 1 2000 0))

(define-wrapper file-write-date fixed-file-date (next arguments)
  (cond (*in-effect* (date-for-effect next (first arguments)))
        ((not *fixed-file-dates*) (apply next arguments))
        (t (and (probe-file (first arguments)) +fixed-file-date+))))

;;; Counters

(defun text-hash (text)
  "A number that depends on TEXT alone: 64-bit FNV-1a."
  (let ((hash #xcbf29ce484222325))
    (loop for octet across (sb-ext:string-to-octets text :external-format :utf-8)
          do (setf hash (ldb (byte 64 0) (* (logxor hash octet) #x100000001b3))))
    hash))

(defparameter *pathname-table-maker* (first (known-functions "SB-IMPL::MAKE-PATHNAME-INTERN-TABLE"))
  "What makes the Lisp's table of pathnames, or NIL where there is no such table.")

(defun forget-pathnames ()
  "A pathname has the very strings of the first one with the same folder that was made, and a FASL tells
whether these are base strings. What this process made before is not to count."
  (let ((table (find-symbol "*PATHNAMES*" :sb-impl)))
    (when (and table (boundp table) *pathname-table-maker*)
      (set table (funcall *pathname-table-maker*)))))

(defun reset-counters (seed)
  "Set all that counts or draws lots to a state that depends on the text SEED alone."
  (forget-pathnames)
  (setf *gensym-counter* 0
        *random-state* (sb-ext:seed-random-state (ldb (byte 32 0) (text-hash seed))))
  (let ((counter (find-symbol "*GENTEMP-COUNTER*" :sb-impl)))
    (when (and counter (boundp counter))
      (setf (symbol-value counter) 0))))

;; Functions that CLOS or EVAL have compiled on the way: when that happens depends on what the image
;; did before. The names in the file that is compiled must not, nor the numbers of the compiler's nodes,
;; by which it orders some of what it does.
(defparameter *compilation* (find-symbol "*COMPILATION*" :sb-c)
  "The variable that holds the compiler's state of one file, or NIL.")

(defparameter *node-counter*
  (let ((name (first (known-functions "SB-C::SSET-COUNTER"))))
    (and *compilation* name (fboundp `(setf ,name)) name))
  "The accessor of what numbers the nodes in that, or NIL where they are not numbered.")

(defparameter *compilers-at-run-time*
  (known-functions "SB-C::COMPILE-IN-LEXENV" "SB-C::EVAL-WITH-COMPILE-IN-LEXENV")
  "What compiles for COMPILE and EVAL.")

(defun call-apart (function arguments)
  "Apply FUNCTION to ARGUMENTS; what counts goes on as if that had not happened."
  (let* ((compilation (and *node-counter* (boundp *compilation*) (symbol-value *compilation*)))
         (nodes (and compilation (funcall *node-counter* compilation))))
    (multiple-value-prog1 (let ((*gensym-counter* 0))
                            (apply function arguments))
      (when compilation
        (funcall (fdefinition (list 'setf *node-counter*)) nodes compilation)))))

(dolist (function (append *compilers-at-run-time*
                          (known-functions "SB-PCL::GET-FUN" "SB-PCL::GET-DFUN-CONSTRUCTOR"
                                           "SB-PCL::INSTALL-OPTIMIZED-CONSTRUCTOR"
                                           "SB-PCL::MAKE-FINAL-DFUN")))
  (sb-int:encapsulate function 'keep-counter
                      (lambda (next &rest arguments)
                        (call-apart next arguments))))

;; Newer releases note at each call of a function whether the compiler knew it: if not, loading the FASL
;; warns unless somebody else has defined it by then. What is known depends on what else the image holds
;; and is settled by the host for the whole system. A FASL doesn't tell.
(dolist (function (known-functions "SB-VM::LINKAGE-CELL-FIXUP"))
  (sb-int:encapsulate function 'no-later-warning
                      (lambda (next &rest arguments)
                        (let ((sb-c::*undefined-warnings* '()))
                          (apply next arguments)))))

;; They also address a symbol in FASLs in another way if it was there when the core was saved: the Lisp's
;; own core, which marks its symbols, or one of the driver's. It is the former that counts.
(let ((placement (known-functions "SB-C::IMMEDIATE-CONSTANT-SC"))
      (immobile-p (known-functions "SB-VM::IMMOBILE-SPACE-OBJ-P"))
      (mark (find-symbol "+SYMBOL-INITIAL-CORE+" "SB-VM")))
  (when (and placement immobile-p mark)
    (let ((immobile-p (fdefinition (first immobile-p))) (mark (symbol-value mark)))
      (declare (type function immobile-p) (type sb-ext:word mark))
      (sb-int:encapsulate (first placement) 'first-core
                          (lambda (next value)
                            (declare (type function next))
                            (unless (and (symbolp value)
                                         (sb-c::producing-fasl-file)
                                         (not (logtest mark (sb-kernel:get-header-data value)))
                                         (funcall immobile-p value))
                              (funcall next value)))))))

;; A FASL tells of each symbol whether its name is a base string. Whoever interned it first, in this
;; image, has decided that: the reader in one way, code that made the name in another.
(sb-int:encapsulate 'sb-impl::%intern 'base-names
                    (lambda (next name length package element-type &rest more)
                      (declare (dynamic-extent more))
                      (apply next name length package
                             (if (and (eq element-type 'character)
                                      (loop for i from 0 below length
                                            always (typep (char name i) 'base-char)))
                                 'base-char
                                 element-type)
                             more)))

;;; The header of a FASL
;;;
;;; It is text up to an octet 255, and says which file it was compiled from. A line that lets the
;;; file be executed may stand before it.

(defconstant +header-end+ 255)

(defun file-octets (path)
  "What the file PATH holds, or NIL where it can't be read. The driver's own reads are no action's, and
too many for streams."
  (let ((descriptor (open-descriptor path +o-cloexec+)))
    (unless (minusp descriptor)
      (unwind-protect
           (let ((octets (make-array (or (file-size path) 0) :element-type '(unsigned-byte 8))))
             (and (transfer :read descriptor octets) octets))
        (close-descriptor descriptor)))))

(defun ascii-octets (text)
  (sb-ext:string-to-octets text :external-format :utf-8))

(defun header-name-bounds (octets)
  "Where the name in the FASL header in OCTETS begins and ends, or NIL."
  (let* ((end (position +header-end+ octets))
         (mark (ascii-octets (format nil "# FASL~%  compiled from \"")))
         (at (and end (search mark octets :end2 end)))
         (start (and at (+ at (length mark))))
         (stop (and start (search (ascii-octets (format nil "\"~%")) octets
                                  :start2 start :end2 end))))
    (and stop (values start stop))))

(defun overwrite-file (path octets)
  "Let OCTETS be all that the file PATH holds. It is not emptied first: file systems take that for the
replacement of a precious file, and write the new content to the disk at once."
  (let ((descriptor (open-descriptor path (logior +o-wronly+ +o-cloexec+))))
    (when (minusp descriptor)
      (error "~A can't be written: ~A" path (errno-text)))
    (unwind-protect
         (unless (and (transfer :write descriptor octets)
                      (zerop (libc "ftruncate" sb-alien:int (sb-alien:int descriptor)
                                   (sb-alien:long (length octets)))))
           (error "~A can't be written: ~A" path (errno-text)))
      (close-descriptor descriptor))))

(defun rewrite-fasl-header (path logical)
  "Let the header of the FASL file PATH say that it was compiled from LOGICAL."
  (let ((octets (file-octets path)))
    (when octets
      (multiple-value-bind (start stop) (header-name-bounds octets)
        (when start
          (overwrite-file path
                          (concatenate '(simple-array (unsigned-byte 8) (*))
                                       (subseq octets 0 start)
                                       (ascii-octets logical)
                                       (subseq octets stop))))))))

;;; Absolute names in outputs

(defun utf-32-octets (text)
  "TEXT as SBCL writes character strings into FASLs."
  (sb-ext:string-to-octets text :external-format :utf-32le))

(defun embeds-path-p (octets folder)
  "True if a file of OCTETS holds the name FOLDER, in one of the ways in which a FASL holds strings."
  (or (octets-search (ascii-octets folder) octets)
      (octets-search (utf-32-octets folder) octets)
      (embeds-pathname-p octets folder)))

(defun embeds-pathname-p (octets folder)
  "True if a literal pathname in the FASL may be below FOLDER: its folders' names are all there,
each a string behind its length, but not in a row."
  (and (octets-search (ascii-octets "INTERN-PATHNAME") octets)
       (loop for name in (rest (pathname-directory (native-directory folder)))
             always (octets-search (concatenate '(simple-array (unsigned-byte 8) (*))
                                                (vector (min 255 (length name)))
                                                (ascii-octets name))
                                   octets))))

(defun octets-search (needle octets)
  "True if the vector NEEDLE of octets occurs in OCTETS."
  (declare (type (simple-array (unsigned-byte 8) (*)) needle octets))
  (flet ((address (vector)
           (sb-sys:sap-int (sb-sys:vector-sap vector))))
    (sb-sys:with-pinned-objects (needle octets)
      (/= 0 (libc "memmem" sb-alien:unsigned-long
                  (sb-alien:unsigned-long (address octets)) (sb-alien:unsigned-long (length octets))
                  (sb-alien:unsigned-long (address needle)) (sb-alien:unsigned-long (length needle)))))))
