;;;; Forms and frames: what goes over the connection.
;;;;
;;;; A form is made of lists, keywords, integers, strings, NIL and T. Its reader and its printer are
;;;; written out here, so that nothing the built code does to readtables, printer variables or
;;;; packages can touch the conversation.

(in-package :tenon-driver)

;;; Reading

(defstruct (cursor (:constructor make-cursor (text)))
  "A place in a text that is read."
  (text "" :type (simple-array character (*)))
  (at 0 :type fixnum))

(defun malformed (cursor what)
  (error "malformed form at character ~D: ~A" (cursor-at cursor) what))

(declaim (inline peek))
(defun peek (cursor)
  "The character at CURSOR, or NIL at the end."
  (let ((text (cursor-text cursor)) (at (cursor-at cursor)))
    (and (< at (length text)) (schar text at))))

(defun skip-blanks (cursor)
  "Move CURSOR to what is not white space, and return that character or NIL."
  (loop for char = (peek cursor)
        while (member char '(#\Space #\Newline #\Tab #\Return))
        do (incf (cursor-at cursor))
        finally (return char)))

(defun read-string-form (cursor)
  "Read the string whose opening quote is at CURSOR."
  (incf (cursor-at cursor))
  (let ((out (make-string-output-stream)))
    (loop for char = (or (peek cursor) (malformed cursor "a string without an end"))
          do (incf (cursor-at cursor))
             (case char
               (#\" (return (get-output-stream-string out)))
               (#\\ (write-char (or (peek cursor) (malformed cursor "a lone backslash")) out)
                (incf (cursor-at cursor)))
               (t (write-char char out))))))

(defun read-token (cursor)
  "Read a keyword, an integer, NIL or T."
  (let* ((text (cursor-text cursor))
         (start (cursor-at cursor))
         (end (or (position-if (lambda (c) (find c '(#\Space #\Newline #\Tab #\Return #\( #\) #\")))
                               text :start start)
                  (length text)))
         (token (subseq text start end)))
    (setf (cursor-at cursor) end)
    (cond ((string-equal token "nil") nil)
          ((string-equal token "t") t)
          ((string= token "") (malformed cursor "a bracket out of place"))
          ((char= (char token 0) #\:) (intern (string-upcase (subseq token 1)) :keyword))
          (t (or (ignore-errors (parse-integer token)) (malformed cursor token))))))

(defun read-wire-form (cursor)
  "Read one form at CURSOR, with a stack of its own instead of recursion."
  (let ((open '()))
    (loop
      (let ((item (case (skip-blanks cursor)
                    ((nil) (malformed cursor "the end, in the middle"))
                    (#\( (incf (cursor-at cursor)) (push '() open) open)
                    (#\) (unless open (malformed cursor "a bracket too many"))
                     (incf (cursor-at cursor))
                     (nreverse (pop open)))
                    (#\" (read-string-form cursor))
                    (t (read-token cursor)))))
        (cond ((and open (eq item open)))
              (open (push item (first open)))
              (t (return item)))))))

(defun wire-read (text)
  "The form that the string TEXT holds."
  (read-wire-form (make-cursor (coerce text '(simple-array character (*))))))

;;; Printing

(defun wire-char (char)
  "What stands for CHAR in a text, where surrogates and NUL have no place."
  (cond ((<= #xD800 (char-code char) #xDFFF) #\ufffd)
        ((zerop (char-code char)) #\u2400)
        (t char)))

(defun write-wire-string (string out)
  (write-char #\" out)
  (loop for char across string
        do (when (or (char= char #\") (char= char #\\))
             (write-char #\\ out))
           (write-char (wire-char char) out))
  (write-char #\" out))

(defun write-wire-integer (integer out)
  (let ((*print-base* 10) (*print-radix* nil))
    (princ integer out)))

(defun write-wire-form (form out)
  "Print FORM on OUT. Symbols other than keywords, NIL and T have no place here."
  (typecase form
    (null (write-string "nil" out))
    (string (write-wire-string form out))
    (integer (write-wire-integer form out))
    (keyword (write-char #\: out) (write-string (string-downcase form) out))
    ((eql t) (write-char #\t out))
    (cons (write-char #\( out)
     (loop for (item . more) on form
           do (write-wire-form item out)
              (when more (write-char #\Space out)))
     (write-char #\) out))
    (t (error "~S can't be sent" form))))

(defun wire-text (form)
  "FORM as the string that is sent."
  (let ((*print-pretty* nil) (*print-readably* nil))
    (with-output-to-string (out nil :element-type 'character)
      (write-wire-form form out))))

;;; Frames

(defvar *connection* nil
  "The descriptor of this process's connection to the host.")

(defun send-frame (form)
  "Send FORM to the host as one frame."
  (let* ((body (sb-ext:string-to-octets (wire-text form) :external-format :utf-8))
         (head (sb-ext:string-to-octets (plain-text "~D~%" (length body))
                                        :external-format :latin-1)))
    (write-octets *connection* (concatenate '(simple-array (unsigned-byte 8) (*)) head body))))

(defun receive-length ()
  "The byte count at the start of a frame, or NIL at the end of the connection."
  (let ((octet (make-array 1 :element-type '(unsigned-byte 8)))
        (length nil))
    (loop
      (unless (read-octets *connection* octet)
        (return nil))
      (let ((digit (digit-char-p (code-char (aref octet 0)))))
        (cond (digit (setf length (+ digit (* 10 (or length 0)))))
              ((and length (= (aref octet 0) 10)) (return length))
              (t (error "a frame that does not begin with its length")))))))

(defun receive-frame ()
  "The next form from the host, or NIL at the end of the connection."
  (let ((length (receive-length)))
    (when length
      (let ((body (make-array length :element-type '(unsigned-byte 8))))
        (when (read-octets *connection* body)
          (wire-read (sb-ext:octets-to-string body :external-format :utf-8)))))))
