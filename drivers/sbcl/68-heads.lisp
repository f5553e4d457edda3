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

;;; Looking up

(defun name-use-row (use)
  "The row of the head that USE is about."
  (or (name-use-text use)
      (setf (name-use-text use)
            (concatenate 'simple-base-string (if (name-use-asked use) "=" "#")
                         (name-digits (name-use-name use))))))

(defparameter *all-heads*
  (let ((use (make-name-use nil t)))
    (setf (name-use-text use) "=*")
    use)
  "Stands for all heads that there are: symbols were looked through.")

(defvar *name-uses* (make-hash-table :test 'equal :synchronized t)
  "By name: the uses, (ASKED . NOT-ASKED).")

(defun intern-name-use (name asked)
  (let ((uses (or (gethash name *name-uses*)
                  (let ((name (typecase name
                                ((cons (eql setf)) (list 'setf (second name)))
                                (t name))))
                    (setf (gethash name *name-uses*)
                          (cons (make-name-use name t) (make-name-use name nil)))))))
    (if asked (car uses) (cdr uses))))

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

;;; Who looks them up

(defun note-name (name asked)
  "The function NAME was looked up."
  (declare (optimize speed))
  (let* ((symbol (name-symbol name))
         (lately *used-lately*)
         (slot (logand (sxhash (the symbol symbol)) 255))
         (last (svref lately slot)))
    (declare (type symbol symbol))
    (cond ((eq last symbol))            ; nothing that files define
          ((and (typep last 'name-use)
                (eq (name-use-name last) name)
                (eq (name-use-asked last) asked)))
          ((user-name-p name)
           (let ((use (intern-name-use name asked)))
             (setf (svref lately slot) use
                   (gethash use *uses*) t)))
          (t (setf (svref lately slot) symbol)))))

(declaim (inline note-question note-reference))
(defun note-question (name)
  "Somebody asks whether there is a function NAME."
  (when (and *noting-uses* (name-symbol name))
    (note-name name t)))

(defun note-reference (name)
  "Somebody wants the function NAME: if it isn't there, that makes a difference."
  (when (and *noting-uses* (name-symbol name))
    (note-name name (null (definition-of name)))))

(defun note-missing-symbol (name package)
  "Somebody looked for a symbol NAME in PACKAGE in vain: the definition of a function may bring it."
  (unless (system-package-p package)
    (setf (gethash (intern-name-use (cons package (coerce name 'simple-string)) t) *uses*) t)))

(defvar *arranging-packages* nil
  "True while symbols are exported, packages defined and so on: whether names are in conflict is no question.")

;; Not %DEFPACKAGE, EXPORT and so on: while these are encapsulated, files that call them compile to other bytes.
(dolist (function (cons 'use-package
                        (known-functions "SB-IMPL::UPDATE-PACKAGE" "SB-IMPL::UPDATE-PACKAGE-WITH-VARIANCE"
                                         "UIOP/PACKAGE::ENSURE-INHERITED" "UIOP/PACKAGE::ENSURE-MIX"
                                         "UIOP/PACKAGE::ENSURE-IMPORT" "UIOP/PACKAGE::ENSURE-EXPORT"
                                         "UIOP/PACKAGE::ENSURE-EXPORTED" "UIOP/PACKAGE::RECYCLE-SYMBOL")))
  (sb-int:encapsulate function 'arrange
                      (lambda (next &rest arguments)
                        (let ((*arranging-packages* t))
                          (apply next arguments)))))

(define-wrapper find-symbol note-question (next arguments)
  (if (and *noting-uses* (not *arranging-packages*))
      (multiple-value-bind (symbol status) (apply next arguments)
        (case status
          ((nil) (note-missing-symbol (first arguments)
                                      (sb-int:find-undeleted-package-or-lose
                                       (if (rest arguments) (second arguments) *package*))))
          ;; The others are exported, which doesn't come from functions.
          (:internal (note-name symbol nil)))
        (values symbol status))
      (apply next arguments)))

(sb-int:encapsulate 'fboundp 'note-question
                    (lambda (next name)
                      (note-question name)
                      (funcall (the function next) name)))

(dolist (function '(fdefinition symbol-function sb-kernel:%coerce-name-to-fun))
  (sb-int:encapsulate function 'note-reference
                      (lambda (next name)
                        (note-reference name)
                        (funcall (the function next) name))))

;; What calls a function that isn't there may handle the error.
(let* ((number (position 'sb-kernel:undefined-fun-error sb-c:+backend-internal-errors+ :key #'second))
       (next (and number (svref sb-kernel::**internal-error-handlers** number))))
  (when (functionp next)
    (setf (svref sb-kernel::**internal-error-handlers** number)
          (lambda (thing &rest arguments)
            (note-question (if (typep thing 'sb-kernel:fdefn) (sb-kernel:fdefn-name thing) thing))
            (apply next thing arguments)))))

(define-wrapper sb-kernel:%fun-lambda-list note-use (next arguments)
  ;; Its row says what its lambda list is.
  (when (and *noting-uses* (typep (first arguments) 'sb-eval::interpreted-function))
    (note-use (first arguments)))
  (apply next arguments))

(defun note-iteration (internal)
  "Somebody goes through symbols of packages; INTERNAL: those, too, that are not exported. Which are exported is
part of the REST."
  (when (and *noting-uses* internal (not *arranging-packages*))
    (note-location *all-heads*)))

(let ((init (first (known-functions "SB-IMPL::PACKAGE-ITER-INIT"))) (kinds (find-symbol "ENABLE" :sb-impl)))
  (if init
      (sb-int:encapsulate init 'note-iteration
                          (lambda (next kinds &rest arguments)
                            (note-iteration (or (not (integerp kinds)) (logbitp 0 kinds)))
                            (apply next kinds arguments)))
      ;; Newer releases make the iterator in line, with another order of the kinds.
      (sb-int:encapsulate 'sb-int:package-iter-step 'note-iteration
                          (lambda (next iterator)
                            (note-iteration (or (null kinds) (logbitp 1 (slot-value iterator kinds))))
                            (funcall (the function next) iterator)))))

;;; A header defines functions in ways of all sorts; all of them tell the database something.

(defun function-info-bits (kinds)
  (reduce (lambda (bits number) (logior bits (ash 1 number))) (function-info-numbers kinds)
          :initial-value 0))

(defparameter *definition-numbers*
  (function-info-bits '(:kind :type :where-from :inlinep :inlining-data :inline-expansion-designator
                        :source-transform :macro-function :compiler-macro-function :info))
  "Which kinds of information, a bit for each.")

(sb-int:encapsulate 'sb-int:set-info-value 'note-definition
                    (lambda (next name number value)
                      (when (and *surface* *noting-uses*
                                 (logbitp number *definition-numbers*)
                                 (name-symbol name))
                        (note-name name t))
                      (funcall (the function next) name number value)))

;;; The compiler asks the database.

(defparameter *lookup-numbers*
  (function-info-bits '(:kind :type :where-from :inlinep :inlining-data :inline-expansion-designator))
  "What the compiler asks for before anything else.")

(defun note-lookup (name number answer found)
  "Called by SBCL when its database is asked about a function."
  (declare (ignore number answer found))
  (when (and *noting-uses* (name-symbol name))
    (note-name name t)))

(defun observe-function-names ()
  "From now on this process, which ends with its action, notes what functions the compiler looks up; where
its image has no headers, FASLs say it all."
  (when (and (plusp (hash-table-count *row-names*))
             (null sb-impl::*globaldb-observer*))
    (setf sb-impl::*globaldb-observer* (cons *lookup-numbers* #'note-lookup))))

(defparameter *inline-questions*
  (let ((info (sb-int:info :function :info 'fboundp)))
    (and info (typep info 'sb-c::fun-info) info))
  "What the compiler knows of FBOUNDP: among other things, how to do without calling it.")

(defun call-compiling-questions (function)
  "Call FUNCTION, which compiles something that runs in this process: it calls FBOUNDP where it uses that,
and what it calls is noted."
  (let ((transforms (and *inline-questions* (sb-c::fun-info-transforms *inline-questions*)))
        (sb-impl::*globaldb-observer* (if sb-impl::*globaldb-observer*
                                          sb-impl::*globaldb-observer*
                                          (cons *lookup-numbers* #'note-lookup))))
    (unwind-protect (progn
                      (when transforms
                        (setf (sb-c::fun-info-transforms *inline-questions*) '()))
                      (funcall function))
      (when transforms
        (setf (sb-c::fun-info-transforms *inline-questions*) transforms)))))

(dolist (function *compilers-at-run-time*)
  (sb-int:encapsulate function 'note-questions
                      (lambda (next &rest arguments)
                        (if *noting-uses*
                            (call-compiling-questions (lambda () (apply next arguments)))
                            (apply next arguments)))))
