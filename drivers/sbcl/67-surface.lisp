;;;; The surface of a file: what of it its dependents may come to see while they are compiled.
;;;;
;;;; A file is digested form by form, as its top-level forms are processed. The digest has two parts:
;;;; the REST, which counts for every dependent (types, structures, constants, declarations, packages,
;;;; lambda lists, whatever is executed while the file is loaded), and ROWS, one for each top-level
;;;; form that makes functions: their bodies, which count only for those that call them. Which are
;;;; called is noted when it happens: see 67-uses.lisp.

(in-package :tenon-driver)

;;; A hash of structure: of names and values, not of addresses. Two lanes of 64 bits.

(deftype hash-word () '(unsigned-byte 64))
(deftype hash-state () '(simple-array (unsigned-byte 64) (2)))

(defun make-hash-state ()
  (make-array 2 :element-type 'hash-word
                :initial-contents '(#x9e3779b97f4a7c15 #xc2b2ae3d27d4eb4f)))

(declaim (inline rotate-word))
(defun rotate-word (word bits)
  (declare (type hash-word word) (type (integer 1 63) bits) (optimize speed (safety 0)))
  (logior (ldb (byte 64 0) (ash word bits)) (ash word (- bits 64))))

(declaim (ftype (function (hash-state hash-word) (values)) mix-word))
(defun mix-word (state word)
  (declare (type hash-state state) (type hash-word word) (optimize speed (safety 0)))
  (let ((a (logxor (aref state 0) word))
        (b (ldb (byte 64 0) (+ (aref state 1) (ldb (byte 64 0) (* word #x87c37b91114253d5))))))
    (declare (type hash-word a b))
    (setf (aref state 0) (ldb (byte 64 0)
                              (+ (ldb (byte 64 0) (* (rotate-word a 27) #xff51afd7ed558ccd)) b))
          (aref state 1) (ldb (byte 64 0)
                              (logxor (ldb (byte 64 0) (* (rotate-word b 31) #xc4ceb9fe1a85ec53))
                                      (ash a -29))))
    (values)))

(defun hash-text (state)
  "What STATE has come to, as hexadecimal digits."
  (mix-word state 1)
  (mix-word state 2)
  (plain-text "~(~16,'0x~16,'0x~)" (aref state 0) (aref state 1)))

(defmacro do-codes ((code string) &body body)
  "Run BODY with CODE bound to the code of each character of STRING in turn."
  `(sb-kernel:with-array-data ((data ,string) (start) (end))
     (macrolet ((over (type)
                  `(loop for i of-type fixnum from start below end
                         do (let ((,',code (char-code (schar (the ,type data) i))))
                              ,@',body))))
       (etypecase data
         (simple-base-string (over simple-base-string))
         ((simple-array character (*)) (over (simple-array character (*))))
         ((simple-array nil (*)))))))

(defun string-word (string)
  "A number for STRING's characters."
  (let ((hash #xcbf29ce484222325))
    (declare (type hash-word hash) (type string string) (optimize speed))
    (do-codes (code string)
      (setf hash (ldb (byte 64 0) (* (logxor hash code) #x100000001b3))))
    hash))

(defun mix-string (state string)
  (declare (type string string) (optimize speed))
  (mix-word state (length string))
  (do-codes (code string)
    (mix-word state code)))

;;; Forms

(defvar *package-words* (make-hash-table :test 'eq)
  "Packages and the numbers of their names.")

(defun package-word (package)
  (or (gethash package *package-words*)
      (setf (gethash package *package-words*) (string-word (package-name package)))))

;;; Where a form makes a function, the function's body is no part of the outline. What only looks like one,
;;; in data or in the argument of a macro that isn't expanded yet, is: a macro may take it apart.

;;; How much code a file will be compiled to is no part of its surface. But what makes small files long to
;;; compile is code from elsewhere that goes into theirs, and here all names that call it come by.

(defvar *inlined* (make-hash-table :test 'eq)
  "Names of inline functions -> how many conses their code has, and that which goes into it in turn.")

(deftype code-size () '(integer 0 1000000))

(declaim (inline inlined-size))
(defun inlined-size (name)
  "How many conses a call of NAME turns into; 0 if it stays a call."
  (the code-size (if (symbolp name) (gethash name *inlined* 0) 0)))

(defun code-size (code)
  "How many conses CODE has, and what is inlined in it."
  (declare (optimize speed))
  (let ((size 0))
    (declare (type fixnum size))
    (labels ((add (form)
               (when (consp form)
                 (incf size (inlined-size (car form))))
               (loop while (and (consp form) (< size 100000))
                     do (incf size)
                        (add (car form))
                        (setf form (cdr form)))))
      (add code))
    (min size 100000)))

(defun note-inline (name code)
  "CODE, if there is any, is compiled in place of calls of the function NAME from now on."
  (when (symbolp name)
    (cond (code
           (setf (gethash name *inlined*) (code-size code)))
          ((gethash name *inlined*)
           (remhash name *inlined*)))))

(defstruct (form-hash (:conc-name fh-))
  "The hash of one form under way."
  (whole (make-hash-state) :type hash-state)    ; of everything in it
  (outline (make-hash-state) :type hash-state)  ; of all but the bodies of its functions
  (inside 0 :type fixnum)                       ; how many function bodies the walk is in
  (budget 2000000 :type fixnum)                 ; conses that may still be walked
  (inlined 0 :type fixnum)                      ; how many go into it from elsewhere
  (functions nil)                               ; true if it makes functions
  (opaque nil)                                  ; true if it holds what has no printable content
  (lexenv nil)                                  ; definitions around it, of local macros for the most part
  (local nil)                                   ; true if its outline may depend on those
  (docstrings '())                              ; of its functions
  (nameless '()))                               ; symbols without a package, by first appearance

(declaim (inline emit))
(defun emit (hash word)
  (mix-word (fh-whole hash) word)
  (when (zerop (fh-inside hash))
    (mix-word (fh-outline hash) word)))

(defun stem-word (symbol)
  "A number for SYMBOL's name without the number at its end."
  (let ((name (symbol-name symbol)))
    (string-word (string-right-trim "0123456789" name))))

(defun nameless-word (hash symbol)
  "Generated symbols are told apart by when they came first, not by the numbers in their names."
  (let ((known (assoc symbol (fh-nameless hash) :test #'eq)))
    (unless known
      (setf known (cons symbol (length (fh-nameless hash))))
      (push known (fh-nameless hash)))
    (logxor (stem-word symbol) (cdr known))))

(defun hash-symbol (hash symbol)
  (let ((package (symbol-package symbol)))
    (cond (package
           (emit hash (package-word package))
           (emit hash (sxhash symbol)))
          (t (emit hash (nameless-word hash symbol))))))

(defun hash-atom (hash atom)
  (typecase atom
    (symbol (hash-symbol hash atom))
    (fixnum (emit hash 11) (emit hash (ldb (byte 64 0) atom)))
    (character (emit hash 12) (emit hash (char-code atom)))
    (string (emit hash 13) (emit hash (length atom)) (emit hash (string-word atom)))
    (integer (emit hash 14) (emit hash (string-word (plain-text "~D" atom))))
    (double-float (emit hash 15)
     (emit hash (ldb (byte 64 0) (sb-kernel:double-float-bits atom))))
    (single-float (emit hash 16)
     (emit hash (ldb (byte 64 0) (sb-kernel:single-float-bits atom))))
    (ratio (hash-atom hash (numerator atom)) (hash-atom hash (denominator atom)))
    (complex (hash-atom hash (realpart atom)) (hash-atom hash (imagpart atom)))
    (pathname (emit hash 17) (emit hash (string-word (plain-text "~S" atom))))
    (bit-vector (emit hash 18) (loop for bit across atom do (emit hash bit)))
    (array (emit hash 19)
     (hash-form hash (array-dimensions atom))
     (dotimes (i (array-total-size atom))
       (hash-form hash (row-major-aref atom i))))
    (package (emit hash 20) (emit hash (package-word atom)))
    (sb-c:definition-source-location)
    (sb-impl::comma (emit hash 21) (emit hash (sb-impl::comma-kind atom))
     (hash-form hash (sb-impl::comma-expr atom)))
    (t (emit hash 22) (setf (fh-opaque hash) t))))

(defun lambda-parts (form)
  "If FORM makes a function: what is to be seen of it from outside, and its body."
  (when (listp (cdr form))
    (case (first form)
      (lambda (when (consp (rest form))
                (values (list (second form)) (cddr form) t)))
      (sb-int:named-lambda (when (and (consp (rest form)) (consp (cddr form)))
                             (values (list (second form) (third form)) (cdddr form) t))))))

(defun docstring-of (body)
  "The docstring among the first forms of a function's BODY, or NIL. Releases of SBCL put declarations of
their own before it."
  (loop for (form . rest) on body
        while (typep form '(or string (cons (eql declare))))
        do (when (stringp form)
             (return (and rest form)))))

(defun hash-function (hash head outside body)
  (setf (fh-functions hash) t)
  (hash-symbol hash head)
  (hash-form hash outside t)
  (incf (fh-inside hash))
  ;; A docstring changes nothing for those who call the function.
  (let ((docstring (and (sb-int:proper-list-p body) (docstring-of body))))
    (when docstring
      (push docstring (fh-docstrings hash)))
    (hash-form hash (if docstring (remove docstring body :test #'eq :count 1) body) t))
  (decf (fh-inside hash)))

(defun data-head-p (hash head)
  "True if the rest of a form that begins with HEAD needn't be what is evaluated."
  (and (symbolp head)
       (or (and (fh-lexenv hash) (assoc head (sb-c::lexenv-funs (fh-lexenv hash)) :test #'equal))
           (macro-function head)
           (and (special-operator-p head)
                (not (member head '(progn let let* if setq the function locally eval-when
                                    multiple-value-prog1 multiple-value-call unwind-protect
                                    block return-from catch throw progv)))))))

(defun note-local-use (hash name)
  "The form holds NAME where it is evaluated."
  (when (and (fh-lexenv hash) (zerop (fh-inside hash))
             (or (not (symbolp name))
                 (data-head-p hash name)
                 (assoc name (sb-c::lexenv-vars (fh-lexenv hash)) :test #'eq)))
    (setf (fh-local hash) t)))

(defun hash-form (hash form &optional quoted)
  "Mix FORM into HASH. What is QUOTED makes no functions."
  (declare (optimize speed))
  (when (consp form)
    (incf (fh-inlined hash) (inlined-size (car form))))
  (when (and (consp form) (not quoted))
    (let ((head (car form)))
      (when (or (eq head 'lambda) (eq head 'sb-int:named-lambda))
        (multiple-value-bind (outside body function) (lambda-parts form)
          (when function
            (hash-function hash head outside body)
            (return-from hash-form))))
      (note-local-use hash (if (consp head) nil head))
      (setf quoted (data-head-p hash head))))
  (loop
    (when (atom form)
      (when (and form (symbolp form) (not quoted))
        (note-local-use hash form))
      (hash-atom hash form)
      (return))
    (when (minusp (decf (the fixnum (fh-budget hash))))
      (setf (fh-opaque hash) :endless)
      (return))
    (emit hash 7)
    (hash-form hash (car form) quoted)
    (setf form (cdr form))))

(defun mix-hash (state other)
  (mix-word state (aref other 0))
  (mix-word state (aref other 1)))

(defun mix-source (state source)
  "Mix all that the top-level form SOURCE is into STATE."
  (let ((hash (make-form-hash)))
    (hash-form hash source t)
    (mix-hash state (fh-whole hash))))

(defun mix-nameless (state source)
  "Mix the names of the symbols without package in SOURCE into STATE: there they are what was written."
  (let ((todo (list source)) (budget 2000000))
    (loop while (and todo (plusp (decf budget)))
          do (let ((form (pop todo)))
               (typecase form
                 (cons (push (cdr form) todo)
                  (push (car form) todo))
                 (symbol (unless (symbol-package form)
                           (mix-word state (string-word (symbol-name form)))))
                 (sb-impl::comma (push (sb-impl::comma-expr form) todo)))))))

;;; Names of rows

(defun one-line (text)
  "TEXT without characters that would end it where it is written down, and not too long."
  (substitute-if #\Space (lambda (char) (< (char-code char) 32))
                 (subseq text 0 (min 120 (length text)))))

(defun row-label (form)
  "What the top-level form defines, for people: \"defmacro with-foo\"."
  (flet ((text (thing)
           (typecase thing
             (symbol (string-downcase (symbol-name thing)))
             (string thing)
             (cons (if (and (eq (car thing) 'setf) (consp (cdr thing)) (symbolp (second thing)))
                       (format nil "(setf ~(~A~))" (symbol-name (second thing)))
                       "..."))
             (t "..."))))
    (one-line
     (cond ((atom form) "form")
           ((consp (rest form)) (format nil "~A ~A" (text (first form)) (text (second form))))
           (t (text (first form)))))))

;;; The surface of a file under way

(defstruct (surface (:conc-name surface-))
  "What is gathered while the header of one file is made."
  (rest (make-hash-state) :type hash-state)
  (rows '())                            ; of rows, last first
  (by-form (make-array 64 :adjustable t :fill-pointer 0)) ; top-level form's number -> row or NIL
  (names (make-hash-table :test 'equal)) ; label -> how often
  (announced (make-hash-table :test 'equal)) ; names of functions that will have heads, see 67-heads
  (heads (make-hash-table :test 'equal)) ; names of functions -> the hashes of their heads
  (docstrings (make-hash-state) :type hash-state)
  (documented nil)                       ; true if there are docstrings of functions
  (inlined 0)                            ; how many conses of others' code go into it
  (results nil)                          ; the digest of what others' functions came to, see 69-results,
  (doubt nil)                            ; or why there is none; then
  (calls '()))                           ; digests for the rows whose calls say it all, see 70-replay

(defstruct row
  name                                  ; unique in the file
  (hash (make-hash-state) :type hash-state)
  (exposed nil)                         ; true if it counts for every dependent
  text)                                 ; the hash as text, once the file is through

(defun new-row-name (surface label)
  (let ((count (incf (gethash label (surface-names surface) 0))))
    (if (= count 1) label (format nil "~A (~D)" label count))))

(defun row-of-form (surface number)
  (let ((by-form (surface-by-form surface)))
    (and (< -1 number (length by-form)) (aref by-form number))))

(defun ensure-row (surface number source)
  "The row of the top-level form SOURCE, the file's NUMBERth."
  (let ((by-form (surface-by-form surface)))
    (loop while (<= (fill-pointer by-form) number)
          do (vector-push-extend nil by-form))
    (or (aref by-form number)
        (let ((row (make-row :name (new-row-name surface (row-label source)))))
          (push row (surface-rows surface))
          (setf (aref by-form number) row)))))

(defun local-definitions (lexenv)
  "LEXENV if it defines anything: macros of a MACROLET around a top-level form, say."
  (and (or (sb-c::lexenv-funs lexenv) (sb-c::lexenv-vars lexenv))
       lexenv))

(defun add-rest (surface hash source)
  "What of a form every dependent may come to see."
  (let ((rest (surface-rest surface)))
    (mix-hash rest (fh-outline hash))
    (when (fh-nameless hash)
      (mix-nameless rest source))
    ;; An object that the expansion made, or what a local macro makes of the form: what it was made from
    ;; stands for it.
    (when (or (fh-opaque hash) (fh-local hash))
      (mix-source rest source))))

(defun add-row (surface hash number source)
  "The functions that a form makes."
  (let ((row (ensure-row surface number source)))
    (mix-hash (row-hash row) (fh-whole hash))
    ;; Local macros that the bodies may use.
    (when (fh-lexenv hash)
      (mix-source (row-hash row) source))
    (dolist (docstring (fh-docstrings hash))
      (setf (surface-documented surface) t)
      (mix-word (surface-docstrings surface) number)
      (mix-word (surface-docstrings surface) (string-word docstring)))))

(defun add-to-surface (surface form number source lexenv)
  "FORM, which the top-level form SOURCE has come to in LEXENV, is carried out by whoever loads the
file."
  (let ((hash (make-form-hash :lexenv (local-definitions lexenv))))
    (unnoticed (hash-form hash form))
    (when (eq (fh-opaque hash) :endless)
      (error "a form is too large, or circular"))
    (incf (surface-inlined surface) (fh-inlined hash))
    (unless (add-head surface form hash)
      (add-rest surface hash source))
    (when (fh-functions hash)
      (add-row surface hash number source))))
