;;;; Portraits: digests of graphs of objects, by what they hold and which of them are the same, not by
;;;; where they lie. What has no content that could be told, or too much of it, is refused.

(in-package :tenon-driver)

(define-condition no-portrait (error)
  ((reason :initarg :reason :reader no-portrait-reason)))

(defun refuse-portrait (format &rest arguments)
  (error 'no-portrait :reason (apply #'plain-text format arguments)))

(defstruct (portrait (:constructor make-portrait ()))
  (state (make-hash-state) :type hash-state)
  (seen (make-hash-table :test 'eq))
  (budget 300000 :type fixnum))

(defun mark (portrait word)
  (mix-word (portrait-state portrait) word))

(defun mark-text (portrait text)
  (mark portrait (string-word text)))

(defun portray-new (portrait thing)
  "Mix that THING is one that was met before, and which; or note it, and be true."
  (let* ((seen (portrait-seen portrait)) (number (gethash thing seen)))
    (when (minusp (decf (portrait-budget portrait)))
      (refuse-portrait "too many objects"))
    (cond (number (mark portrait 31) (mark portrait number) nil)
          (t (setf (gethash thing seen) (hash-table-count seen)) t))))

(defun portray-symbol (portrait symbol)
  (let ((package (symbol-package symbol)))
    (cond (package (mark portrait (package-word package)) (mark portrait (sxhash symbol)))
          ((portray-new portrait symbol) (mark portrait 32) (mark portrait (stem-word symbol))))))

(defun portray-structure (portrait object)
  (let ((description (sb-kernel:find-defstruct-description (type-of object))))
    (mark portrait 33)
    (portray-symbol portrait (type-of object))
    (dolist (slot (sb-kernel:dd-slots description))
      (unless (eq (sb-kernel:dsd-raw-type slot) t)
        (refuse-portrait "a raw slot of a ~A" (type-of object)))
      (portray portrait (sb-kernel:%instance-ref object (sb-kernel:dsd-index slot))))))

(defun portray-instance (portrait object)
  (let ((class (class-of object)))
    (mark portrait 34)
    (portray-symbol portrait (class-name class))
    (dolist (slot (sb-mop:class-slots class))
      (let ((location (sb-mop:slot-definition-location slot)))
        (portray portrait
                 (typecase location
                   (integer (sb-mop:standard-instance-access object location))
                   (cons (cdr location))
                   (t (refuse-portrait "a slot of a ~A" (type-of object)))))))))

(defun portray-environment (portrait environment)
  (loop for at = environment then (sb-eval::env-parent at)
        while (and at (portray-new portrait at))
        do (loop for (name . value) in (sb-eval::env-vars at)
                 do (portray-symbol portrait name)
                    (unless (member value (list sb-eval::*special* sb-eval::*symbol-macro*) :test #'eq)
                      (portray portrait value)))
           (loop for (name . value) in (sb-eval::env-funs at)
                 do (portray portrait name)
                    (unless (eq value sb-eval::*macro*)
                      (portray portrait value))))
  (mark portrait 35))

(defun portray-interpreted (portrait function)
  (let ((location (sb-eval::interpreted-function-source-location function)))
    (mark portrait 36)
    (portray portrait (and location (sb-c:definition-source-location-namestring location)))
    (portray portrait (sb-eval::interpreted-function-lambda-list function))
    (portray portrait (sb-eval::interpreted-function-declarations function))
    (portray portrait (sb-eval::interpreted-function-body function))
    (portray-environment portrait (sb-eval::interpreted-function-env function))))

(defun portray-compiled (portrait function)
  (let ((name (sb-kernel:%fun-name function)))
    (unless (or (of-the-lisp-p function) (watching-name-p name))
      (refuse-portrait "the compiled function ~A" name))
    (mark portrait 37)
    (portray portrait name)
    (when (and (sb-kernel:closurep function) (not (watching-name-p name)))
      (dolist (value (sb-kernel:%closure-values function))
        (portray portrait value)))))

(defun portray-table (portrait table)
  (when (sb-ext:hash-table-weakness table)
    (refuse-portrait "a weak table"))
  (mark portrait 38)
  (portray portrait (hash-table-test table))
  (mark portrait (hash-table-count table))
  (maphash (lambda (key value)
             (portray portrait key)
             (portray portrait value))
           table))

(defun portray-array (portrait array)
  (mark portrait 39)
  (portray portrait (array-element-type array))
  (cond ((sb-kernel:array-header-p array)
         (portray portrait (array-dimensions array))
         (mark portrait (if (array-has-fill-pointer-p array) (fill-pointer array) 0))
         (mark portrait (sb-kernel:%array-displacement array))
         (portray portrait (sb-kernel:%array-data array)))
        (t
         (mark portrait (length array))
         (dotimes (i (length array))
           (portray portrait (aref array i))))))

(defparameter *plain-structures*
  (loop for name in '("LOOP-COLLECTOR" "LOOP-MINIMAX")
        for symbol = (find-symbol name :sb-loop)
        when symbol
          collect symbol)
  "Structures of the Lisp that hold objects of Lisp alone: LOOP puts them into forms.")

(defparameter *plain-metaclasses*
  (list 'standard-class 'structure-class 'built-in-class 'sb-pcl::condition-class
        'sb-mop:funcallable-standard-class
        (class-name (class-of (find-class t)))) ; one of its own in newer versions
  "Classes of classes that are no more than their names.")

(defun portray-method (portrait method)
  (let ((generic (sb-mop:method-generic-function method)))
    (unless (and generic
                 (eq (class-of method) (find-class 'standard-method))
                 (member method (sb-mop:generic-function-methods generic)))
      (refuse-portrait "a ~A" (type-of method)))
    (mark portrait 57)
    (portray portrait generic)
    (portray portrait (method-qualifiers method))
    (portray portrait (sb-mop:method-specializers method))))

(defun portray-object (portrait object)
  "OBJECT is no cons, symbol or number, and was not met before."
  (typecase object
    (string (mark portrait 40)
     (if (sb-kernel:array-header-p object)
         (portray-array portrait object)
         (progn (mark portrait (length object)) (mark-text portrait object))))
    (array (portray-array portrait object))
    (hash-table (portray-table portrait object))
    (sb-eval::interpreted-function (portray-interpreted portrait object))
    (generic-function
     (let ((name (sb-mop:generic-function-name object)))
       (unless (and (eq (definition-of name) object)
                    (eq (class-of object) (find-class 'standard-generic-function)))
         (refuse-portrait "the generic function ~A" name))
       (mark portrait 41)
       (portray portrait name)))
    (function (portray-compiled portrait object))
    (package (mark portrait 42) (mark portrait (package-word object)))
    (pathname (mark portrait 43) (mark-text portrait (plain-text "~S" object)))
    (synonym-stream (mark portrait 44) (portray-symbol portrait (synonym-stream-symbol object)))
    (sb-kernel:lexenv (mark portrait 45))
    (sb-c:definition-source-location (mark portrait 46))
    (sb-eval::env (portray-environment portrait object))
    (class
     (unless (and (class-name object) (eq (find-class (class-name object) nil) object)
                  (member (class-name (class-of object)) *plain-metaclasses*))
       (refuse-portrait "the class ~A" (class-name object)))
     (mark portrait 47)
     (portray-symbol portrait (class-name object)))
    (sb-impl::comma (mark portrait 48)
     (mark portrait (sb-impl::comma-kind object))
     (portray portrait (sb-impl::comma-expr object)))
    (sb-thread:mutex
     (when (sb-thread:mutex-owner object)
       (refuse-portrait "a lock that is held"))
     (mark portrait 56)
     (portray portrait (sb-thread:mutex-name object)))
    (method (portray-method portrait object))
    (sb-mop:metaobject (refuse-portrait "a ~A" (type-of object)))
    (structure-object
     (if (or (streamp object)
             (let ((package (symbol-package (type-of object))))
               (and package
                    (sb-ext:package-locked-p package)
                    (not (member (type-of object) *plain-structures*)))))
         (refuse-portrait "a ~A" (type-of object))
         (portray-structure portrait object)))
    (standard-object
     (unless (eq (class-of (class-of object)) (find-class 'standard-class))
       (refuse-portrait "a ~A" (type-of object)))
     (portray-instance portrait object))
    (t (refuse-portrait "a ~A" (type-of object)))))

(defun portray (portrait thing)
  (loop
    (cond ((symbolp thing) (portray-symbol portrait thing) (return))
          ((eq thing sb-pcl:+slot-unbound+) (mark portrait 49) (return))
          ((typep thing 'fixnum) (mark portrait 51) (mark portrait (ldb (byte 64 0) thing)) (return))
          ((characterp thing) (mark portrait 52) (mark portrait (char-code thing)) (return))
          ((numberp thing)
           (mark portrait 53)
           (mark-text portrait (plain-text "~A ~S" (type-of thing) thing))
           (return))
          ((not (portray-new portrait thing)) (return))
          ((consp thing)
           (mark portrait 54)
           (portray portrait (car thing))
           (setf thing (cdr thing)))
          (t (portray-object portrait thing) (return)))))
