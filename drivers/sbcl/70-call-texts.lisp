;;;; Texts of objects: what a function was called with, in a form that another process can read.
;;;;
;;;; A text tells what objects hold and which of them are the same; reading it makes objects like those.
;;;; What has no such form is refused.

(in-package :tenon-driver)

(defparameter *replay-text-limit* 1500
  "Objects in what one call is given, or in what comes of it. Larger calls are not recorded.")

(defvar *exact-names* t
  "True where the numbers in the names of generated symbols count.")

(defstruct (writing (:constructor make-writing (&optional given retained)))
  "A text under way."
  (stream (make-string-output-stream))
  (seen (make-hash-table :test 'eq))    ; object -> its number in the text
  given                                 ; the SEEN of the text of what the call was given
  retained                              ; objects -> numbers or T, that somebody keeps beyond the call
  (labels 0 :type fixnum)               ; how many of these there were
  (budget *replay-text-limit* :type fixnum))

(defun write-counted (mark text stream)
  (write-char mark stream)
  (write-text-integer (length text) stream)
  (write-char #\: stream)
  (write-string text stream))

(defun write-text-integer (integer stream)
  (let ((*print-base* 10) (*print-radix* nil))
    (princ integer stream)))

(defun write-number (mark integer stream)
  (write-char mark stream)
  (write-text-integer integer stream)
  (write-char #\; stream))

(defun write-reference (writing object)
  "True if OBJECT was met before in this text. Otherwise it is numbered."
  (let* ((seen (writing-seen writing)) (stream (writing-stream writing))
         (number (gethash object seen)))
    (when (minusp (decf (writing-budget writing)))
      (refuse-portrait "it is too large"))
    (cond (number (write-number #\# number stream) t)
          (t (setf (gethash object seen) (hash-table-count seen))
             (let ((before (and (writing-given writing) (gethash object (writing-given writing)))))
               (when before
                 (write-number #\< before stream)))
             (write-retained writing object)
             nil))))

(defun write-retained (writing object)
  (let ((retained (writing-retained writing)))
    (when (and retained (not (and (symbolp object) (symbol-package object))))
      (let ((label (gethash object retained)))
        (when (eq label t)
          (setf label (incf (writing-labels writing))
                (gethash object retained) label))
        (when label
          (write-number #\! label (writing-stream writing)))))))

(defun write-symbol-text (symbol stream)
  (let ((package (symbol-package symbol)))
    (cond (package
           (write-counted #\S (package-name package) stream)
           (write-counted #\: (symbol-name symbol) stream))
          (*exact-names* (write-counted #\U (symbol-name symbol) stream))
          (t (write-counted #\U (string-right-trim "0123456789" (symbol-name symbol)) stream)))))

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
  (write-number #\V (length vector) (writing-stream writing))
  (map nil (lambda (item) (write-object writing item)) vector))

(defun write-atom (writing object)
  "OBJECT is no cons, and was not met before."
  (let ((stream (writing-stream writing)))
    (typecase object
      (symbol (write-symbol-text object stream))
      (simple-base-string (write-counted #\B object stream))
      (simple-string (write-counted #\T object stream))
      (simple-vector (write-vector writing object))
      (package (write-counted #\P (package-name object) stream))
      (sb-impl::comma
       (write-number #\, (sb-impl::comma-kind object) stream)
       (write-object writing (sb-impl::comma-expr object)))
      (compiled-function
       (write-char #\L stream)
       (write-symbol-text (lisp-function-name object) stream))
      (t (refuse-portrait "a ~A" (type-of object))))))

(defun write-list (writing list)
  "LIST is a cons that was numbered already."
  (let ((stream (writing-stream writing)))
    (write-char #\( stream)
    (loop
      (write-object writing (car list))
      (let ((rest (cdr list)))
        (cond ((null rest) (return))
              ((and (consp rest)
                    (not (gethash rest (writing-seen writing)))
                    (not (and (writing-given writing) (gethash rest (writing-given writing))))
                    (not (and (writing-retained writing) (gethash rest (writing-retained writing)))))
               (write-reference writing rest)
               (setf list rest))
              (t (write-char #\. stream)
                 (write-object writing rest)
                 (return)))))
    (write-char #\) stream)))

(defun write-object (writing object)
  (let ((stream (writing-stream writing)))
    (typecase object
      (null (write-char #\N stream))
      (integer (write-number #\I object stream))
      (character (write-number #\C (char-code object) stream))
      (single-float (write-number #\F (sb-kernel:single-float-bits object) stream))
      (double-float (write-number #\D (sb-kernel:double-float-bits object) stream))
      (ratio (write-number #\R (numerator object) stream)
       (write-number #\/ (denominator object) stream))
      (number (refuse-portrait "a ~A" (type-of object)))
      (cons (unless (write-reference writing object)
              (write-list writing object)))
      (t (unless (write-reference writing object)
           (write-atom writing object))))))

(defun written-text (writing object)
  (write-object writing object)
  (get-output-stream-string (writing-stream writing)))

(define-condition unreadable-text (error) ())

(defun read-text (text)
  "The object that TEXT was written from, or one like it."
  (let ((at 0) (objects (make-array 64 :adjustable t :fill-pointer 0)))
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
               (vector-push-extend object objects)
               object)
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
                 (#\# (aref objects (number-until #\;)))
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
                 (#\L (note nil)
                  (next)
                  (let ((place (1- (length objects))))
                    (setf (aref objects place) (fdefinition (named-symbol)))))
                 (#\V (let ((vector (note (make-array (number-until #\;)))))
                        (dotimes (i (length vector) vector)
                          (setf (aref vector i) (object)))))
                 (#\, (let* ((place (fill-pointer objects)) (kind (progn (note nil) (number-until #\;))))
                        (setf (aref objects place)
                              (sb-impl::unquote (object) kind)))))))
      (object))))
