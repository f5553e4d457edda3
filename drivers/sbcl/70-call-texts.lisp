;;;; Texts of objects: what a function was called with, in a form that another process can read.
;;;;
;;;; A text tells what objects hold and which of them are the same; reading it makes objects like those.
;;;; What has no such form is refused.

(in-package :tenon-driver)

(defparameter *replay-text-limit* 1500
  "Objects in what one call is given, or in what comes of it. Larger calls are not recorded.")

(defvar *exact-names* t
  "True where the numbers in the names of generated symbols count.")

(defstruct (writing (:constructor make-writing ()))
  "A text under way."
  (text (make-string 1000) :type (simple-array character (*)))
  (length 0 :type fixnum)
  (seen (make-hash-table :test 'eq))    ; object -> its number in the text
  given                                 ; the SEEN of the text of what the call was given
  kept                                  ; objects -> labels or T, that somebody keeps beyond the call
  (labels 0 :type fixnum)               ; how many of these there were
  (marks '())                           ; numbers and labels of those in the text, last first
  (budget 0 :type fixnum))              ; objects that may come yet

(define-spares *spare-writings* "Their tables have grown already.")

(defun open-writing (given kept)
  (let ((writing (or (take-spare '*spare-writings*) (make-writing))))
    (setf (writing-given writing) given
          (writing-kept writing) kept
          (writing-budget writing) *replay-text-limit*)
    writing))

(defun close-writing (writing)
  (clrhash (writing-seen writing))
  (setf (writing-length writing) 0
        (writing-given writing) nil
        (writing-kept writing) nil
        (writing-labels writing) 0
        (writing-marks writing) '())
  (give-spare '*spare-writings* writing))

(defmacro with-writing ((writing &optional given kept) &body body)
  "Run BODY with WRITING bound to a text that begins. If BODY is left otherwise, it is garbage."
  `(let ((,writing (open-writing ,given ,kept)))
     (multiple-value-prog1 (progn ,@body)
       (close-writing ,writing))))

(defun make-room (writing count)
  "Let there be room for COUNT more characters. The buffer."
  (declare (type fixnum count) (optimize speed))
  (let* ((text (writing-text writing)) (needed (+ (writing-length writing) count)))
    (declare (type fixnum needed))
    (if (<= needed (length text))
        text
        (setf (writing-text writing)
              (replace (make-string (max needed (* 2 (length text)))) text
                       :end2 (writing-length writing))))))

(defun write-mark (mark writing)
  (declare (type character mark) (optimize speed))
  (let ((text (make-room writing 1)) (length (writing-length writing)))
    (setf (schar text length) mark
          (writing-length writing) (1+ length))))

(defun write-chars (string writing)
  (declare (type string string) (optimize speed))
  (let ((text (make-room writing (length string))) (start (writing-length writing)))
    (sb-kernel:with-array-data ((data string) (from) (to))
      (macrolet ((copy (type)
                   `(replace text (the ,type data) :start1 start :start2 from :end2 to)))
        (etypecase data
          (simple-base-string (copy simple-base-string))
          ((simple-array character (*)) (copy (simple-array character (*)))))))
    (setf (writing-length writing) (+ start (length string)))))

(defun write-digits (integer writing)
  (if (typep integer '(and fixnum unsigned-byte))
      (let* ((digits (loop for rest of-type fixnum = integer then (floor rest 10)
                           count t
                           until (< rest 10)))
             (text (make-room writing digits))
             (end (+ (writing-length writing) digits)))
        (declare (type fixnum digits end) (optimize speed))
        (loop for rest of-type (and fixnum unsigned-byte) = integer then (floor rest 10)
              for i of-type fixnum from (1- end) downto (- end digits)
              do (setf (schar text i) (code-char (+ (char-code #\0) (mod rest 10)))))
        (setf (writing-length writing) end))
      (write-chars (let ((*print-base* 10) (*print-radix* nil))
                     (princ-to-string integer))
                   writing)))

(defun write-number (mark integer writing)
  (write-mark mark writing)
  (write-digits integer writing)
  (write-mark #\; writing))

(defun write-counted (mark text writing)
  (write-mark mark writing)
  (write-digits (length text) writing)
  (write-mark #\: writing)
  (write-chars text writing))

(defun write-reference (writing object)
  "True if OBJECT was met before in this text. Otherwise it is numbered."
  (let* ((seen (writing-seen writing))
         (number (gethash object seen)))
    (when (minusp (decf (writing-budget writing)))
      (refuse-portrait "it is too large"))
    (cond (number (write-number #\# number writing) t)
          (t (setf number (hash-table-count seen)
                   (gethash object seen) number)
             (let ((before (and (writing-given writing) (gethash object (writing-given writing)))))
               (when before
                 (write-number #\< before writing)))
             (when (writing-kept writing)
               (mark-kept writing object number))
             nil))))

(defun mark-kept (writing object number)
  "OBJECT has this NUMBER in the text; note the label of what somebody keeps."
  (unless (and (symbolp object) (symbol-package object))
    (let* ((kept (writing-kept writing)) (label (gethash object kept)))
      (when (eq label t)
        (setf label (incf (writing-labels writing))
              (gethash object kept) label))
      (when label
        (setf (writing-marks writing) (list* label number (writing-marks writing)))))))

(defun write-symbol-text (symbol writing)
  (let ((package (symbol-package symbol)))
    (cond (package
           (write-counted #\S (package-name package) writing)
           (write-counted #\: (symbol-name symbol) writing))
          (*exact-names* (write-counted #\U (symbol-name symbol) writing))
          (t (write-counted #\U (string-right-trim "0123456789" (symbol-name symbol)) writing)))))

(defun lisp-function-name (function)
  "The name of the compiled FUNCTION if it is one of Common Lisp's own."
  (let ((name (sb-kernel:%fun-name function)))
    (unless (and (symbolp name)
                 (eq (symbol-package name) (find-package :common-lisp))
                 (eq (definition-of name) function))
      (refuse-portrait "the function ~A" name))
    name))

(defun write-vector (writing vector)
  (unless (and (typep vector 'simple-vector) (null (sb-ext:weak-pointer-p vector)))
    (refuse-portrait "a ~A" (type-of vector)))
  (write-number #\V (length vector) writing)
  (map nil (lambda (item) (write-object writing item)) vector))

(defun write-atom (writing object)
  "OBJECT is no cons, and was not met before."
  (typecase object
    (symbol (write-symbol-text object writing))
    (simple-base-string (write-counted #\B object writing))
    (simple-string (write-counted #\T object writing))
    (simple-vector (write-vector writing object))
    (package (write-counted #\P (package-name object) writing))
    (sb-impl::comma
     (write-number #\, (sb-impl::comma-kind object) writing)
     (write-object writing (sb-impl::comma-expr object)))
    (compiled-function
     (write-mark #\L writing)
     (write-symbol-text (lisp-function-name object) writing))
    (t (refuse-portrait "a ~A" (type-of object)))))

(defun write-list (writing list)
  "LIST is a cons that was numbered already."
  (write-mark #\( writing)
  (loop
    (write-object writing (car list))
    (let ((rest (cdr list)))
      (cond ((null rest) (return))
            ((and (consp rest)
                  (not (gethash rest (writing-seen writing)))
                  (not (and (writing-given writing) (gethash rest (writing-given writing)))))
             (write-reference writing rest)
             (setf list rest))
            (t (write-mark #\. writing)
               (write-object writing rest)
               (return)))))
  (write-mark #\) writing))

(defun write-object (writing object)
  (typecase object
    (null (write-mark #\N writing))
    (integer (write-number #\I object writing))
    (character (write-number #\C (char-code object) writing))
    (single-float (write-number #\F (sb-kernel:single-float-bits object) writing))
    (double-float (write-number #\D (sb-kernel:double-float-bits object) writing))
    (ratio (write-number #\R (numerator object) writing)
     (write-number #\/ (denominator object) writing))
    (number (refuse-portrait "a ~A" (type-of object)))
    (cons (unless (write-reference writing object)
            (write-list writing object)))
    (t (unless (write-reference writing object)
         (write-atom writing object)))))

(defun written-text (writing object)
  (write-object writing object)
  (let ((text (writing-text writing)) (length (writing-length writing)))
    (declare (optimize speed))
    (if (loop for i of-type fixnum below length
              always (typep (schar text i) 'base-char))
        (replace (make-string length :element-type 'base-char) text)
        (subseq text 0 length))))

(defun text-of (object)
  "A text of OBJECT, by itself."
  (with-writing (writing)
    (written-text writing object)))

(define-condition unreadable-text (error) ())

(define-spares *spare-objects* "Vectors for the objects of a text that is read.")

(defun read-text (text)
  "The object that TEXT was written from, or one like it."
  (let ((at 0) (count 0) (objects (or (take-spare '*spare-objects*) (make-array 100))))
    (declare (type fixnum at count) (type simple-vector objects))
    (labels ((next () (prog1 (char text at) (incf at)))
             (number-until (end)
               (let ((stop (position end text :start at)))
                 (prog1 (parse-integer text :start at :end stop)
                   (setf at (1+ stop)))))
             (counted ()
               (let ((length (number-until #\:)))
                 (prog1 (subseq text at (+ at length))
                   (incf at length))))
             (note (object)
               (when (= count (length objects))
                 (setf objects (replace (make-array (* 2 count)) objects)))
               (setf (svref objects count) object)
               (incf count)
               object)
             (note-place (function)
               (let ((place count))
                 (note nil)
                 (let ((object (funcall function))) ; there may be another vector then
                   (setf (svref objects place) object))))
             (package ()
               (or (find-package (counted)) (error 'unreadable-text)))
             (named-symbol ()
               (let ((package (package)))
                 (next)
                 (let* ((name (counted))
                        (symbol (intern name package)))
                   (unless (eq (symbol-package symbol) package)
                     (error 'unreadable-text))
                   symbol)))
             (items ()
               (let* ((head (note (list nil))) (last head))
                 (loop
                   (setf (car last) (object))
                   (case (char text at)
                     (#\) (next) (return head))
                     (#\. (next) (setf (cdr last) (object)) (next) (return head))
                     (t (setf (cdr last) (note (list nil))
                              last (cdr last)))))))
             (object ()
               (ecase (next)
                 (#\N nil)
                 (#\( (items))
                 (#\# (svref objects (number-until #\;)))
                 (#\I (number-until #\;))
                 (#\C (code-char (number-until #\;)))
                 (#\F (sb-kernel:make-single-float (number-until #\;)))
                 (#\D (let ((bits (number-until #\;)))
                        (sb-kernel:make-double-float (ash bits -32) (ldb (byte 32 0) bits))))
                 (#\R (let ((numerator (number-until #\;)))
                        (next)
                        (/ numerator (number-until #\;))))
                 (#\S (note (named-symbol)))
                 (#\U (note (make-symbol (counted))))
                 (#\B (note (coerce (counted) 'simple-base-string)))
                 (#\T (note (coerce (counted) '(simple-array character (*)))))
                 (#\P (note (package)))
                 (#\L (note-place (lambda ()
                                    (next)
                                    (fdefinition (named-symbol)))))
                 (#\V (let ((vector (note (make-array (number-until #\;)))))
                        (dotimes (i (length vector) vector)
                          (setf (aref vector i) (object)))))
                 (#\, (note-place (lambda ()
                                    (let ((kind (number-until #\;)))
                                      (sb-impl::unquote (object) kind))))))))
      (prog1 (object)
        (fill objects 0 :end count)
        (give-spare '*spare-objects* objects)))))
