;;;; Heads: what the dependents of a file see of an ordinary function, as long as nobody calls it while
;;;; something is compiled: its name, its lambda list, what is declared of it, and its code if it is inline.
;;;;
;;;; A function of which nothing was known before (that is generic, say, or has a compiler macro) is no part of
;;;; the REST of its file's surface (67-surface.lisp). It has a row of its own, its HEAD. An action's answer
;;;; names the heads of the functions that were looked up, and those functions that were looked up and
;;;; were not there: so a new function is seen by those whose code has its name, and by nobody else.

(in-package :tenon-driver)

;;; Names

(defvar *system-package-p* (make-hash-table :test 'eq)
  "Packages -> true if no file defines what is named there.")

(defun system-package-p (package)
  (multiple-value-bind (system known) (gethash package *system-package-p*)
    (if known
        system
        (setf (gethash package *system-package-p*)
              (or (and (member package *system-packages* :test #'eq) t)
                  (let ((name (package-name package)))
                    (or (null name)
                        (and (> (length name) 3) (string= name "SB-" :end1 3)))))))))

(declaim (inline name-symbol))
(defun name-symbol (name)
  "The symbol that the function name NAME is made of: a symbol, or (SETF symbol). NIL if it is none of these."
  (cond ((symbolp name) name)
        ((and (consp name) (eq (first name) 'setf) (consp (rest name)) (symbolp (second name))
              (null (cddr name)))
         (second name))))

(defun user-name-p (name)
  "True if NAME is one that files define functions of."
  (let* ((symbol (name-symbol name))
         (package (and symbol (symbol-package symbol))))
    (and package
         (not (eq package sb-int:*keyword-package*))
         (not (system-package-p package)))))

(defun hexadecimal (word)
  "The 16 digits of WORD."
  (declare (type hash-word word) (optimize speed))
  (let ((text (make-string 16 :element-type 'base-char)))
    (dotimes (i 16 text)
      (setf (schar text i)
            (schar "0123456789abcdef" (ldb (byte 4 (- 60 (* 4 i))) word))))))

(defun digits-of (package name setf)
  (let ((state (make-hash-state)))
    (mix-word state (package-word package))
    (mix-word state (string-word name))
    (mix-word state (if setf 1 0))
    (mix-word state 0)
    (mix-word state 0)
    (hexadecimal (logxor (aref state 0) (aref state 1)))))

(defun name-digits (name)
  "Digits that stand for NAME: a function's, or (PACKAGE . STRING) of a symbol that isn't there."
  (if (and (consp name) (packagep (car name)))
      (digits-of (car name) (cdr name) nil)
      (let ((symbol (name-symbol name)))
        (digits-of (symbol-package symbol) (symbol-name symbol) (consp name)))))

;;; What of a file is a head

(defun function-info-numbers (kinds)
  "The numbers of KINDS of information about functions, as far as this SBCL has them."
  (loop for kind in kinds
        for meta = (ignore-errors (sb-impl::meta-info :function kind))
        when meta
          collect (sb-impl::meta-info-number meta)))

(defparameter *kinds-of-known-functions*
  (function-info-numbers '(:inlinep :inlining-data :inline-expansion-designator :source-transform
                           :macro-function :compiler-macro-function :info :deprecated))
  "What the compiler may know of a function.")

(defun unknown-function-p (name)
  "True if nothing is known of a function NAME, but that it may be called somewhere."
  (flet ((info-known-p (kind)
           (sb-impl::get-info-value name kind)))
    (and (user-name-p name)
         (null (definition-of name))
         (every #'graphic-char-p (symbol-name (name-symbol name)))
         (member (sb-int:info :function :kind name) '(nil :function))
         (eq (sb-int:info :function :where-from name) :assumed)
         (notany #'info-known-p *kinds-of-known-functions*)
         (or (symbolp name)
             (null (sb-int:info :setf :expander (second name)))))))

(defun sole-form (forms)
  (and (consp forms) (null (rest forms)) (consp (first forms)) (first forms)))

(defun quoted-argument (form operator)
  "What is quoted as the first argument of FORM, if that calls OPERATOR; else NIL."
  (and (typep form '(cons t (cons (cons (eql quote) (cons t null)))))
       (eq (first form) operator)
       (second (second form))))

(defun told-function (forms)
  "The name of the ordinary function that the compiler is told of, where FORMS, which are evaluated at
compile time, do nothing else."
  (let ((form (sole-form forms)))
    (and (typep form '(cons t (cons t (cons (eql t) (cons t (cons null null))))))
         (quoted-argument form 'sb-c:%compiler-defun))))

(defun defined-function (form)
  "The name of the function if FORM is what defines an ordinary one when the file is loaded."
  (and (typep form '(cons t (cons t (cons (cons (eql sb-int:named-lambda)) (or null (cons t null))))))
       (quoted-argument form 'sb-impl::%defun)))

(defun proclaimed-functions (forms)
  "The names of the functions of which FORMS, which are evaluated at compile time, declare something."
  (let ((proclamation (quoted-argument (sole-form forms) 'sb-c::%proclaim)))
    (and (sb-int:proper-list-p proclamation)
         (case (first proclamation)
           ((inline notinline sb-ext:maybe-inline) (rest proclamation))
           (ftype (cddr proclamation))))))

(defun may-have-head-p (surface name)
  (and (sb-int:legal-fun-name-p name)
       (or (gethash name (surface-heads surface))
           (unknown-function-p name))))

(defun ensure-head (surface name)
  (or (gethash name (surface-heads surface))
      (setf (gethash (copy-tree name) (surface-heads surface)) (make-hash-state))))

(defun whole-hash-p (hash)
  "True if what HASH is of is all there, as text."
  (not (or (fh-opaque hash) (fh-local hash) (fh-nameless hash))))

(defun add-to-head (surface name hash)
  "The outline that HASH is of belongs to the head of the function NAME; and where it stands among what is not
part of heads."
  (let ((head (ensure-head surface name)))
    (mix-hash head (fh-outline hash))
    (mix-hash head (surface-rest surface))))

(defun add-proclamation (surface form names)
  "True if FORM, which declares something of the functions NAMES, is part of their heads now."
  (let ((hash (make-form-hash)))
    (hash-form hash form t)
    (when (and (whole-hash-p hash)
               (every (lambda (name) (may-have-head-p surface name)) names))
      (dolist (name names t)
        (add-to-head surface name hash)))))

(defun announce-head (surface forms)
  "FORMS are about to be evaluated for the compiler. True if they only tell it of functions that have heads, or
will have when their definition follows."
  (let ((told (told-function forms))
        (proclaimed (proclaimed-functions forms))
        (warned (quoted-argument (sole-form forms) 'sb-c::warn-if-setf-macro)))
    (cond (told
           (when (may-have-head-p surface told)
             (setf (gethash (copy-tree told) (surface-announced surface)) t)))
          (proclaimed (add-proclamation surface (sole-form forms) proclaimed))
          (warned (and (gethash warned (surface-heads surface)) t)))))

(defun add-head (surface form hash)
  "True if FORM, whose hash is HASH, defines a function that was announced: it has a head now."
  (let ((name (defined-function form)))
    (when (and name
               (gethash name (surface-announced surface)))
      (remhash name (surface-announced surface))
      (if (whole-hash-p hash)
          (prog1 t
            (add-to-head surface name hash))
          ;; Nothing told of it when it was announced.
          (prog1 nil
            (mix-word (surface-rest surface) (string-word (name-digits name))))))))

(defun head-rows (surface)
  "((ROW DIGEST)...), a row with its function's name behind it."
  (sort (loop for name being the hash-keys of (surface-heads surface) using (hash-value head)
              collect (list (concatenate 'string "=" (name-digits name) " " (name-for-people name))
                            (hash-text head)))
        #'string< :key #'first))

(defun name-for-people (name)
  (one-line (if (consp name)
                (plain-text "(setf ~A)" (string-downcase (symbol-name (second name))))
                (string-downcase (symbol-name name)))))

(defun register-heads (surface unit)
  "From now on what looks these functions up finds UNIT's."
  (loop for name being the hash-keys of (surface-heads surface)
        do (setf (gethash name *heads*) unit)))
