;;;; Tenure: what an image holds is not collected by the actions that are forked from it.
;;;;
;;;; A collection moves what lives and looks at all that may point to it. To an action all of its image
;;;; is young: its first collection would copy the image, and each one look through it, which takes many
;;;; times as long as the action's own objects do. So the pages that are in use when an action begins
;;;; join SBCL's pseudo-static generation, where what comes from the core file is: nothing there moves or
;;;; goes, and of its cards only those are looked at that are written to from then on.
;;;;
;;;; SBCL has no function for that. The tables of its runtime are written to here; where they are not
;;;; what this file knows, or where a trial in a process of its own fails, nothing is tenured, and
;;;; collections take longer. It changes no bytes of any output.

(in-package :tenon-driver)

(defvar *tenures* nil
  "True if this runtime was tried, and tenure works.")

;;; The runtime's memory

(deftype address ()
  '(unsigned-byte 62))

(declaim (inline octet word (setf octet) (setf word)))

(defun octet (address)
  (sb-sys:sap-ref-8 (sb-sys:int-sap address) 0))

(defun (setf octet) (value address)
  (setf (sb-sys:sap-ref-8 (sb-sys:int-sap address) 0) value))

(defun word (address)
  (sb-sys:sap-ref-64 (sb-sys:int-sap address) 0))

(defun (setf word) (value address)
  (setf (sb-sys:sap-ref-64 (sb-sys:int-sap address) 0) value))

(defparameter *runtime-tables*
  '("FIXEDOBJ_SPACE_START" "TEXT_SPACE_START" "close_code_region" "fixedobj_free_pointer" "fixedobj_pages" "gc_card_mark" "gc_card_table_mask"
    "gc_close_thread_regions" "generations" "next_free_page" "page_table" "text_page_genmask"
    "text_page_scan_start" "text_space_highwatermark")
  "The runtime's names that are used here.")

(defmacro with-runtime ((&rest bindings) &body body)
  "Run BODY with each variable of BINDINGS, (VARIABLE NAME), bound to the address of what the runtime
calls NAME."
  `(let ,(loop for (variable name) in bindings
               collect `(,variable (runtime-address ,name)))
     (declare (type address ,@(mapcar #'first bindings)))
     ,@body))

(defmacro call-runtime (address result &rest arguments)
  "Call the function at ADDRESS. ARGUMENTS are (TYPE VALUE) pairs."
  `(sb-alien:alien-funcall
    (sb-alien:sap-alien (sb-sys:int-sap ,address) (function ,result ,@(mapcar #'first arguments)))
    ,@(mapcar #'second arguments)))

(defmacro vm (name)
  "The constant that SB-VM calls NAME. Where it has none, TABLES-KNOWN-P is false."
  (let ((symbol (find-symbol name :sb-vm)))
    (if (and symbol (constantp symbol)) (symbol-value symbol) 1)))

(defparameter *page-entry*
  '((0 32) (32 16) (48 8) (56 8))
  "Where in an entry of the table of pages its fields are, and how long, in bits: the start of the first
object, words in use, flags, the generation.")

(defun page-entry ()
  (sort (mapcar (lambda (field)
                  (list (sb-alien::alien-record-field-offset field)
                        (sb-alien::alien-type-bits (sb-alien::alien-record-field-type field))))
                (sb-alien::alien-record-type-fields
                 (sb-alien-internals:parse-alien-type
                  (list 'sb-alien:struct (find-symbol "PAGE" :sb-vm)) nil)))
        #'< :key #'first))

(defun tables-known-p ()
  "True if the runtime's tables look as this file expects them to."
  (ignore-errors
   (and (every #'sb-sys:find-foreign-symbol-address *runtime-tables*)
        (subsetp '(:soft-card-marks :immobile-space :immobile-code) sb-impl:+internal-features+)
        (equal (page-entry) *page-entry*)
        (notany (lambda (name) (eql 1 (eval `(vm ,name))))
                '("GENCGC-PAGE-BYTES" "GENCGC-CARD-BYTES" "IMMOBILE-CARD-BYTES" "FDEFN-WIDETAG"
                  "CODE-HEADER-WIDETAG")))))

(defconstant +pseudo-static+ (vm "+PSEUDO-STATIC-GENERATION+"))
(defconstant +younger+ (1- (ash 1 +pseudo-static+))
  "The bits of all other generations, where there is one for each.")

;;; Objects outside of the heap

(defun tenure-object (object)
  "Tenure the one at this address, in one of the spaces where nothing moves."
  (declare (type address object) (optimize speed (safety 0)))
  (let* ((where (+ object (if (= (octet object) (vm "FDEFN-WIDETAG")) 1 3)))
         (flags (octet where)))
    (declare (type address where))
    (when (< (logand flags #xf) +pseudo-static+)
      (setf (octet where) (logior (logand flags #xe0) +pseudo-static+)))))

(defmacro do-immobile-pages ((page start end entry first-entry entry-size) &body body)
  "Do BODY for each PAGE between START and END where something is young, with the address of its ENTRY,
which tells the generations of what is there; nothing is young afterwards. ENTRY-SIZE: in bytes."
  `(loop for ,page of-type address from ,start below ,end by (vm "IMMOBILE-CARD-BYTES")
         for ,entry of-type address from ,first-entry by ,entry-size
         when (logtest (octet ,entry) +younger+)
           do (progn ,@body)
              (setf (octet ,entry) (logior (logandc2 (octet ,entry) +younger+)
                                           (ash 1 +pseudo-static+)))))

(defun tenure-fixed-objects ()
  "Layouts, FDEFNs and what else has a size of its own: pages of objects that are all of one size."
  (declare (optimize speed (safety 0)))
  (with-runtime ((start "FIXEDOBJ_SPACE_START") (end "fixedobj_free_pointer") (pages "fixedobj_pages"))
    (do-immobile-pages (page (the address (word start)) (the address (word end))
                        entry (+ 7 (the address (word pages))) 8)
      (let ((size (* sb-vm:n-word-bytes (octet (- entry 2)))))
        (declare (type (unsigned-byte 16) size))
        (when (plusp size)
          (loop for object of-type address from page to (- (+ page (vm "IMMOBILE-CARD-BYTES")) size) by size
                when (logtest 1 (octet object)) ; a header; free space begins with a fixnum
                  do (tenure-object object)))))))

(defun tenure-code ()
  "Code that does not move."
  (declare (optimize speed (safety 0)))
  (with-runtime ((start "TEXT_SPACE_START") (end "text_space_highwatermark")
                 (generations "text_page_genmask") (scan-start "text_page_scan_start"))
    (let ((start (word start)) (end (word end)))
      (declare (type address start end))
      (do-immobile-pages (page start end entry (the address (word generations)) 1)
        (loop with object of-type address
                = (call-runtime scan-start sb-alien:unsigned-long
                                (sb-alien:int (the (unsigned-byte 31)
                                                   (floor (- page start)
                                                          (vm "IMMOBILE-CARD-BYTES")))))
              with limit of-type address = (min end (+ page (vm "IMMOBILE-CARD-BYTES")))
              while (and (plusp object) (< object limit))
              do (let ((size (* sb-vm:n-word-bytes (the (unsigned-byte 32) (ash (word object) -32)))))
                   (when (zerop size)
                     (return))
                   (when (= (octet object) (vm "CODE-HEADER-WIDETAG"))
                     (tenure-object object))
                   (setf object (+ object size))))))))

;;; The heap

(defconstant +open-region+ 32
  "The flag of a page that objects are being allocated on.")
(defconstant +unmarked+ #xffffffffffffffff
  "Eight cards to which nothing was written.")

(declaim (inline tenure-page))
(defun tenure-page (page entry words cards mask generations)
  "Tenure the page at the address PAGE, with its ENTRY in the table; so many WORDS of it are in use."
  (declare (type address page entry cards generations) (type (unsigned-byte 16) words)
           (type (unsigned-byte 32) mask) (optimize speed (safety 0)))
  (let ((generation (octet (+ entry 7))) (bytes (* sb-vm:n-word-bytes words))
        (first (+ cards (logand mask (floor page (vm "GENCGC-CARD-BYTES"))))))
    (declare (type address first) (type (unsigned-byte 32) bytes))
    (setf (octet (+ entry 7)) +pseudo-static+)
    (decf (word (+ generations (* 48 generation))) bytes)
    (incf (word (+ generations (* 48 +pseudo-static+))) bytes)
    (loop for offset of-type fixnum from 0 below (floor (vm "GENCGC-PAGE-BYTES") (vm "GENCGC-CARD-BYTES"))
            by 8
          do (setf (word (+ first offset)) +unmarked+))))

(defun tenure-pages (thread)
  "Tenure what is in use, after nothing more is allocated there by THREAD, this one's address. True if
nothing is left: something may have been allocated meanwhile, on the last page then, among older objects."
  (declare (type address thread) (optimize speed (safety 0)))
  (with-runtime ((table "page_table") (count "next_free_page") (cards "gc_card_mark")
                 (mask "gc_card_table_mask") (generations "generations")
                 (close-code "close_code_region") (close-others "gc_close_thread_regions"))
    (let ((complete t))
      (call-runtime close-code sb-alien:void)
      (call-runtime close-others sb-alien:void (sb-alien:unsigned-long thread) (sb-alien:int 0))
      (loop repeat (the (unsigned-byte 32) (word count))
            for entry of-type address from (the address (word table)) by 8
            for page of-type address from sb-vm:dynamic-space-start by (vm "GENCGC-PAGE-BYTES")
            for words of-type (unsigned-byte 16) = (ldb (byte 15 33) (word entry))
            do (cond ((or (zerop words) (>= (octet (+ entry 7)) +pseudo-static+)))
                     ((logtest +open-region+ (octet (+ entry 6)))
                      (setf complete nil))
                     (t (tenure-page page entry words (the address (word cards))
                                     (ldb (byte 32 0) (word mask)) generations))))
      complete)))

(defun tenure-heap ()
  "From now on nothing that is in this process's heap moves or is collected. There must be one thread,
and there is no way back. True if that can be had."
  (when *tenures*
    (let ((thread (sb-thread::thread-primitive-thread sb-thread:*current-thread*)))
      (sb-sys:without-gcing
        (tenure-fixed-objects)
        (tenure-code)
        (loop until (tenure-pages thread))))
    t))

(defconstant +long-file+ 3000
  "What is shorter, in bytes, is hardly ever compiled for so long that anything is collected; and tenure
copies some hundred pages of tables.")

(defun tenure-for (component)
  "This process is about to compile COMPONENT. True if that is worth a tenure."
  (let ((path (asdf:component-pathname component)))
    (when (and path (< +long-file+ (or (ignore-errors (file-size (native path))) 0)))
      (tenure-heap))))

;;; The trial

(defun trial-function (text)
  "A new function that makes a new structure, which holds TEXT."
  (let ((name (gensym)) (constructor (gensym)))
    (eval `(defstruct (,name (:constructor ,constructor) (:conc-name ,name)) (text ,text)))
    (setf (fdefinition name) (compile nil `(lambda () (,constructor))))
    name))

(defun tenure-trial ()
  "True if objects of all kinds survive what is done to them here, and those that they point to."
  (let ((places (make-array 3000)) (keys '()) (table (make-hash-table :test 'eq)))
    (flet ((renew (round)
             (loop for place from (mod round 3) below (length places) by 3
                   do (setf (svref places place) (list round (princ-to-string round))))
             (push (list round) keys)
             (setf (gethash (first keys) table) (list (trial-function (princ-to-string round)))))
           (whole-p ()
             (and (loop for (round text) across places
                        always (equal text (princ-to-string round)))
                  (loop for key in keys
                        always (search (princ-to-string (first key))
                                       (princ-to-string (funcall (first (gethash key table)))))))))
      (dotimes (round 3)
        (renew round))
      (loop for round from 3 to 6
            do (tenure-heap)
               (renew round)
               (make-list 1000000)
               (sb-ext:gc :full (= round 5))
            always (and (= (sb-kernel:generation-of places) +pseudo-static+)
                        (whole-p))))))

(defun tenure-works-p ()
  "Try it in a process of its own."
  (and (tables-known-p)
       (single-threaded-p)
       (let ((pid (fork-process)))
         (when (zerop pid)
           (redirect-descriptors "/dev/null")
           (limit-processor-time 5000000)
           (setf *tenures* t)
           (exit-now (handler-case (if (tenure-trial) 0 1)
                       (serious-condition () 2))))
         (and (plusp pid) (eql (wait-for pid) 0)))))
