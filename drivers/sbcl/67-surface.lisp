;;;; The surface of a file: what of it its dependents may come to see while they are compiled.
;;;;
;;;; A file is digested form by form, as its top-level forms are processed. The digest has two parts:
;;;; the REST, which counts for every dependent (types, structures, constants, declarations, packages,
;;;; lambda lists, whatever is executed while the file is loaded), and ROWS, one for each top-level
;;;; form that makes functions: their bodies, which count only for those that call them. Which are
;;;; called is noted when it happens: see 68-headers.lisp.

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
  (format nil "~(~16,'0x~16,'0x~)" (aref state 0) (aref state 1)))

(defun string-word (string)
  "A number for STRING's characters."
  (let ((hash #xcbf29ce484222325))
    (declare (type hash-word hash) (optimize speed))
    (sb-kernel:with-array-data ((data string) (start) (end))
      (macrolet ((over (type)
                   `(loop for i of-type fixnum from start below end
                          do (setf hash (ldb (byte 64 0)
                                             (* (logxor hash (char-code (schar (the ,type data) i)))
                                                #x100000001b3))))))
        (etypecase data
          (simple-base-string (over simple-base-string))
          ((simple-array character (*)) (over (simple-array character (*))))
          ((simple-array nil (*))))))
    hash))

;;; Forms

(defvar *package-words* (make-hash-table :test 'eq)
  "Packages and the numbers of their names.")

(defun package-word (package)
  (or (gethash package *package-words*)
      (setf (gethash package *package-words*) (string-word (package-name package)))))

(defstruct (form-hash (:conc-name fh-))
  "The hash of one form under way."
  (whole (make-hash-state) :type hash-state)    ; of everything in it
  (outline (make-hash-state) :type hash-state)  ; of all but the bodies of its functions
  (inside 0 :type fixnum)                       ; how many function bodies the walk is in
  (budget 2000000 :type fixnum)                 ; conses that may still be walked
  (functions nil)                               ; true if it makes functions
  (opaque nil)                                  ; true if it holds what has no printable content
  (nameless '()))                               ; symbols without a package, by first appearance

(declaim (inline emit))
(defun emit (hash word)
  (mix-word (fh-whole hash) word)
  (when (zerop (fh-inside hash))
    (mix-word (fh-outline hash) word)))

(defun nameless-word (hash symbol)
  "Symbols without a package are told apart by when they came first, not by their names."
  (let ((known (assoc symbol (fh-nameless hash) :test #'eq)))
    (unless known
      (setf known (cons symbol (length (fh-nameless hash))))
      (push known (fh-nameless hash)))
    (logxor #x5bd1e995 (cdr known))))

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
    (integer (emit hash 14) (emit hash (string-word (princ-to-string atom))))
    (double-float (emit hash 15)
     (emit hash (ldb (byte 64 0) (sb-kernel:double-float-bits atom))))
    (single-float (emit hash 16)
     (emit hash (ldb (byte 64 0) (sb-kernel:single-float-bits atom))))
    (ratio (hash-atom hash (numerator atom)) (hash-atom hash (denominator atom)))
    (complex (hash-atom hash (realpart atom)) (hash-atom hash (imagpart atom)))
    (pathname (emit hash 17) (emit hash (string-word (prin1-to-string atom))))
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

(defun hash-function (hash head outside body)
  (setf (fh-functions hash) t)
  (hash-symbol hash head)
  (hash-form hash outside)
  (incf (fh-inside hash))
  ;; A docstring changes nothing for those who call the function.
  (hash-form hash (if (and (consp body) (stringp (first body)) (rest body))
                      (rest body)
                      body))
  (decf (fh-inside hash)))

(defun hash-form (hash form &optional quoted)
  "Mix FORM into HASH. What is QUOTED makes no functions."
  (declare (optimize speed))
  (loop
    (when (atom form)
      (hash-atom hash form)
      (return))
    (when (minusp (decf (the fixnum (fh-budget hash))))
      (setf (fh-opaque hash) :endless)
      (return))
    (let ((head (car form)))
      (emit hash 7)
      (when (or (eq head 'quote) (eq head 'sb-int:quasiquote))
        (setf quoted t))
      (when (and (not quoted) (or (eq head 'lambda) (eq head 'sb-int:named-lambda)))
        (multiple-value-bind (outside body function) (lambda-parts form)
          (when function
            (hash-function hash head outside body)
            (return))))
      (hash-form hash head quoted)
      (setf form (cdr form)))))

;;; Names of rows

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
    (cond ((atom form) "form")
          ((consp (rest form)) (format nil "~A ~A" (text (first form)) (text (second form))))
          (t (text (first form))))))

;;; The surface of a file under way

(defstruct (surface (:conc-name surface-))
  "What is gathered while the header of one file is made."
  (rest (make-hash-state) :type hash-state)
  (rows '())                            ; of rows, last first
  (by-form (make-array 64 :adjustable t :fill-pointer 0)) ; top-level form's number -> row or NIL
  (names (make-hash-table :test 'equal)))                 ; label -> how often

(defstruct row
  name                                  ; unique in the file
  (hash (make-hash-state) :type hash-state)
  text)                                 ; the hash as text, once the file is through

(defun new-row-name (surface label)
  (let ((count (incf (gethash label (surface-names surface) 0))))
    (if (= count 1) label (format nil "~A (~D)" label count))))

(defun ensure-row (surface number source)
  "The row of the top-level form SOURCE, the file's NUMBERth."
  (let ((by-form (surface-by-form surface)))
    (loop while (<= (fill-pointer by-form) number)
          do (vector-push-extend nil by-form))
    (or (aref by-form number)
        (let ((row (make-row :name (new-row-name surface (row-label source)))))
          (push row (surface-rows surface))
          (setf (aref by-form number) row)))))

(defun add-to-surface (surface form number source)
  "FORM, which the top-level form SOURCE has come to, is carried out by whoever loads the file."
  (let ((hash (make-form-hash)))
    (hash-form hash form)
    (when (eq (fh-opaque hash) :endless)
      (error "a form is too large, or circular"))
    (mix-word (surface-rest surface) (aref (fh-outline hash) 0))
    (mix-word (surface-rest surface) (aref (fh-outline hash) 1))
    (when (fh-opaque hash)
      ;; An object that the expansion made: what it was made from stands for it.
      (let ((whole (make-form-hash)))
        (hash-form whole source)
        (mix-word (surface-rest surface) (aref (fh-whole whole) 0))
        (mix-word (surface-rest surface) (aref (fh-whole whole) 1))))
    (when (fh-functions hash)
      (let ((row (ensure-row surface number source)))
        (mix-word (row-hash row) (aref (fh-whole hash) 0))
        (mix-word (row-hash row) (aref (fh-whole hash) 1))))))
