;;;; Places in sources: from what the compiler knows (where a top-level form begins, and the path of
;;;; a subform in it) to lines and columns.
;;;;
;;;; A source is held as a string with one character per octet, so that positions are the
;;;; compiler's own; Lisp's syntax is ASCII. The scanner reads no symbols and calls no reader macro:
;;;; where a file has a syntax of its own it may fail, and the caller is content with the top-level
;;;; form.

(in-package :tenon-driver)

(defvar *source-texts* '()
  "The sources looked at so far in this process: ((NAME . TEXT-OR-NIL)...).")

(defun source-text (file)
  "What FILE holds, one character per octet, or NIL."
  (let ((known (assoc file *source-texts* :test #'equal)))
    (if known
        (rest known)
        (let* ((octets (file-octets file))
               (text (and octets
                          (coerce (sb-ext:octets-to-string octets :external-format :latin-1)
                                  '(simple-array character (*))))))
          (push (cons file text) *source-texts*)
          text))))

(defun decoded (text)
  "The characters that the octets in TEXT stand for."
  (sb-ext:octets-to-string (map '(vector (unsigned-byte 8)) #'char-code text)
                           :external-format '(:utf-8 :replacement #\?)))

(defun line-start (text position)
  (let ((newline (position #\Newline text :end (min position (length text)) :from-end t)))
    (if newline (1+ newline) 0)))

(defun line-of (text position)
  "The number of the line that POSITION is in, from 1."
  (1+ (count #\Newline text :end (min position (length text)))))

(defun column-of (text position)
  "The number of the character at POSITION in its line, from 1."
  (1+ (count-if-not (lambda (c) (= #x80 (logand #xC0 (char-code c))))
                    text :start (line-start text position) :end (min position (length text)))))

(defun line-text (text position)
  (let* ((position (min position (length text)))
         (end (or (position #\Newline text :start position) (length text))))
    (decoded (subseq text (line-start text position) end))))

;;; The scanner. Positions in, positions out; NIL where the text can't be understood.

(defun char-at (text position)
  (and position (< position (length text)) (schar text position)))

(defun blank-p (char)
  (member char '(#\Space #\Newline #\Tab #\Return #\Page)))

(defun token-end (text position)
  "Where the symbol or number at POSITION ends."
  (loop with at = position
        for char = (char-at text at)
        do (case char
             ((nil #\Space #\Newline #\Tab #\Return #\Page #\( #\) #\" #\; #\' #\` #\,)
              (return at))
             (#\\ (incf at 2))
             (#\| (let ((bar (position #\| text :start (1+ at))))
                    (unless bar (return nil))
                    (setf at (1+ bar))))
             (t (incf at)))))

(defun string-end (text position)
  "Where the string ends whose opening quote is at POSITION."
  (loop with at = (1+ position)
        for char = (char-at text at)
        do (case char
             ((nil) (return nil))
             (#\\ (incf at 2))
             (#\" (return (1+ at)))
             (t (incf at)))))

(defun block-comment-end (text position)
  "Where the comment ends that #| opens at POSITION."
  (loop with depth = 0
        with at = position
        for char = (char-at text at)
        for next = (char-at text (1+ at))
        do (cond ((null char) (return nil))
                 ((and (char= char #\#) (eql next #\|)) (incf depth) (incf at 2))
                 ((and (char= char #\|) (eql next #\#)) (decf depth) (incf at 2)
                  (when (zerop depth) (return at)))
                 (t (incf at)))))

(defun list-end (text position)
  "Where the list ends whose opening bracket is at POSITION."
  (loop with at = (1+ position)
        do (setf at (skip-atmosphere text at))
           (case (char-at text at)
             ((nil) (return nil))
             (#\) (return (1+ at)))
             (t (unless (setf at (form-end text at)) (return nil))))))

(defun dispatch-end (text position)
  "Where the form ends that begins with the # at POSITION."
  (let* ((at (or (position-if-not #'digit-char-p text :start (1+ position)) (length text)))
         (char (char-at text at)))
    (case char
      ((nil) nil)
      (#\( (list-end text at))
      (#\\ (token-end text (min (length text) (+ at 2))))
      (#\" (string-end text at))
      ((#\' #\. #\= #\p #\P #\c #\C #\s #\S #\a #\A)
       (form-end text (skip-atmosphere text (1+ at))))
      (t (token-end text at)))))

(defun form-end (text position)
  "Where the form that begins at POSITION ends."
  (case (char-at text position)
    ((nil #\)) nil)
    (#\( (list-end text position))
    (#\" (string-end text position))
    ((#\' #\`) (form-end text (skip-atmosphere text (1+ position))))
    (#\, (form-end text (skip-atmosphere text (if (find (char-at text (1+ position)) "@.")
                                                  (+ position 2)
                                                  (1+ position)))))
    (#\# (dispatch-end text position))
    (t (token-end text position))))

(defun feature-expression (text start end)
  "The feature expression in TEXT, with all names as keywords."
  (let ((*readtable* (copy-readtable nil))
        (*package* (find-package :keyword))
        (*read-eval* nil))
    (read-from-string text t nil :start start :end end)))

(defun conditional-end (text position)
  "The #+ or #- is at POSITION. Where what follows it is to be read or was skipped."
  (let* ((start (skip-atmosphere text (+ position 2)))
         (end (form-end text start)))
    (and end
         (let ((present (ignore-errors
                         (uiop:featurep (feature-expression text start end)))))
           (if (eq (char= (schar text (1+ position)) #\+) (not (null present)))
               end
               (form-end text (skip-atmosphere text end)))))))

(defun skip-atmosphere (text position)
  "The position of the next form, of a closing bracket, or of the end of TEXT."
  (loop with at = position
        for char = (char-at text at)
        do (cond ((null at) (return (length text)))
                 ((null char) (return at))
                 ((blank-p char) (incf at))
                 ((char= char #\;) (setf at (position #\Newline text :start at)))
                 ((char/= char #\#) (return at))
                 ((eql (char-at text (1+ at)) #\|) (setf at (block-comment-end text at)))
                 ((member (char-at text (1+ at)) '(#\+ #\-)) (setf at (conditional-end text at)))
                 (t (return at)))))

(defun after-prefix (text position)
  "Where the form begins that a quote, backquote or #' at POSITION stands before, or NIL."
  (case (char-at text position)
    ((#\' #\`) (skip-atmosphere text (1+ position)))
    (#\# (and (eql (char-at text (1+ position)) #\') (skip-atmosphere text (+ position 2))))))

(defun after-comma (text position)
  (if (eql (char-at text position) #\,)
      (skip-atmosphere text (if (find (char-at text (1+ position)) "@.")
                                (+ position 2)
                                (1+ position)))
      position))

(defun child (text position index)
  "Where item INDEX begins of the list at POSITION. 'X counts as (QUOTE X)."
  (let ((quoted (after-prefix text position)))
    (cond (quoted (and (= index 1) quoted))
          ((eql (char-at text position) #\()
           (loop with at = (skip-atmosphere text (1+ position))
                 repeat index
                 do (setf at (form-end text at))
                    (unless at (return nil))
                    (setf at (skip-atmosphere text at))
                 finally (return (and (char-at text at) (char/= (char-at text at) #\)) at)))))))

(defparameter *commas-are-forms*
  (let ((sb-c::*source-paths* (make-hash-table :test 'eq)))
    (sb-c::find-source-paths (read-from-string "(a `(b ,(c)))") 0)
    (= (hash-table-count sb-c::*source-paths*) 5))
  "True if in the compiler's paths a comma counts as a form, the second part of which is what follows it.")

(defun subform (text position path)
  "Where the subform at PATH, a list of indices, begins in the form at POSITION; or NIL."
  (flet ((part (at index)
           (let ((inner (after-comma text at)))
             (if (and *commas-are-forms* (/= inner at))
                 (and (= index 1) inner)
                 (child text inner index)))))
    (loop with at = position
          for index in path
          do (setf at (and at (part at index)))
          finally (return (and at (after-comma text at))))))

(defun names-form-p (text position form)
  "True unless what stands at POSITION plainly isn't FORM."
  (or (not (and (consp form) (symbolp (first form))))
      (after-prefix text position)
      (and (eql (char-at text position) #\()
           (let* ((start (skip-atmosphere text (1+ position)))
                  (end (token-end text start))
                  (name (and end (subseq text start end)))
                  (colon (and name (position #\: name :from-end t))))
             (and name
                  (string-equal (if colon (subseq name (1+ colon)) name)
                                (symbol-name (first form))))))))

(defun place-plist (file position &optional (form-position position))
  "The place POSITION of FILE for a diagnostic, with the first line of the form at FORM-POSITION."
  (let ((text (source-text file)))
    (if (and text (<= position (length text)))
        (let ((end (form-end text position)))
          (list :file file
                :line (line-of text position)
                :column (column-of text position)
                :end-line (line-of text (if end (1- end) position))
                :form (first-line (line-text text form-position))))
        (list :file file))))

(defun form-place (file position path form)
  "The place of the subform FORM at PATH of the top-level form that begins behind POSITION."
  (let* ((text (source-text file))
         (top (and text (<= position (length text)) (skip-atmosphere text position)))
         (at (and top (ignore-errors (subform text top path)))))
    (cond ((null top) (list :file file))
          ((and at (names-form-p text at form)) (place-plist file at top))
          (t (place-plist file top)))))

;;; Text that is not UTF-8

(defun continuation-count (octet)
  "How many octets follow OCTET in UTF-8, or NIL when no character begins with it."
  (cond ((< octet #x80) 0)
        ((<= #xC2 octet #xDF) 1)
        ((<= #xE0 octet #xEF) 2)
        ((<= #xF0 octet #xF4) 3)))

(defun invalid-utf-8 (text &optional (start 0))
  "The position of the first octet at which TEXT stops being UTF-8, or NIL."
  (loop with at = start
        while (< at (length text))
        do (let ((more (continuation-count (char-code (schar text at)))))
             (unless (and more
                          (<= (+ at more 1) (length text))
                          (loop for i from 1 to more
                                always (= #x80 (logand #xC0 (char-code
                                                             (schar text (+ at i)))))))
               (return at))
             (incf at (1+ more)))))
