;;;; Kinds of actions: what an operation on a component is for the host, told by the methods that
;;;; ASDF's PERFORM would apply.

(in-package :tenon-driver)

(defun provided-p (component)
  "True for the systems that are ASDF itself: every image has them."
  (and (typep component 'asdf:system)
       (member (asdf:component-name component)
               '("asdf" "uiop" "asdf-driver" "asdf-defsystem" "asdf-package-system")
               :test #'equal)))

(defvar *standard-perform-methods* '()
  "The methods of PERFORM that ASDF and the driver have themselves.")

(defun note-standard-methods ()
  "Whatever methods PERFORM has now are standard. Called once, when the base core is made."
  (setf *standard-perform-methods* (sb-mop:generic-function-methods #'asdf:perform)))

(defvar *perform-methods-by-class* (make-hash-table :test 'equal)
  "Applicable methods by the classes of operation and component.")

(defvar *perform-methods* nil
  "All methods that PERFORM had then.")

(defun eql-specializer (object)
  "The specializer for OBJECT if there is one, or what stands for it."
  (let ((table (find-symbol "*EQL-SPECIALIZER-TABLE*" :sb-pcl)))
    (if (and table (boundp table) (hash-table-p (symbol-value table)))
        (gethash object (symbol-value table))
        (sb-mop:intern-eql-specializer object))))

(defun eql-specialized-p (object)
  (let ((specializer (eql-specializer object)))
    (and specializer (sb-mop:specializer-direct-methods specializer))))

(defun perform-methods (operation component)
  "The methods that PERFORM would apply."
  (if (or (eql-specialized-p component) (eql-specialized-p operation))
      (compute-applicable-methods #'asdf:perform (list operation component))
      (let ((key (cons (class-name (class-of operation)) (class-name (class-of component))))
            (all (sb-mop:generic-function-methods #'asdf:perform)))
        (unless (eq all *perform-methods*)
          (clrhash *perform-methods-by-class*)
          (setf *perform-methods* all))
        (multiple-value-bind (methods known) (gethash key *perform-methods-by-class*)
          (if known
              methods
              (setf (gethash key *perform-methods-by-class*)
                    (compute-applicable-methods #'asdf:perform
                                                (list operation component))))))))

(defun standard-method-p (method)
  (member method *standard-perform-methods* :test #'eq))

(defun action-kind (operation component outputs)
  "How the host is to treat the action; see docs/DRIVER.md."
  (let* ((methods (perform-methods operation component))
         (primary (find '() methods :key #'method-qualifiers))
         (standard (and primary (standard-method-p primary)))
         (custom (notevery #'standard-method-p methods)))
    (cond ((provided-p component) :none)
          ((typep component 'asdf:require-system)
           (if (typep operation 'asdf:load-op) :require :none))
          ((and standard (typep component 'asdf:cl-source-file)
                (typep operation 'asdf:compile-op))
           :compile)
          ((and standard (typep component 'asdf:cl-source-file)
                (typep operation '(or asdf:load-op asdf:load-source-op)))
           :load)
          (outputs :opaque)
          (custom :effect)
          (t :none))))

