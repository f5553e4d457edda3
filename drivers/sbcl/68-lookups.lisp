;;;; Lookups: which functions an action, or a header, wants to know of, there or not.
;;;;
;;;; Each is a NAME-USE among *USES* (67-uses.lisp), and becomes the row of a head (68-heads.lisp): in the unit
;;;; that has it, or in the one without a name.

(in-package :tenon-driver)

;;; Uses of names

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
