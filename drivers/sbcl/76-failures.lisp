;;;; Why a description failed, for people.

(in-package :tenon-driver)

(defun edit-distance (a b)
  "How many characters must be inserted, removed or replaced to get B from A."
  (let ((row (make-array (1+ (length b)))))
    (dotimes (j (length row))
      (setf (aref row j) j))
    (loop for i from 1 to (length a)
          do (let ((diagonal (shiftf (aref row 0) i)))
               (loop for j from 1 to (length b)
                     for cost = (if (char= (char a (1- i)) (char b (1- j))) 0 1)
                     do (setf diagonal
                              (shiftf (aref row j)
                                      (min (+ diagonal cost)
                                           (1+ (aref row j))
                                           (1+ (aref row (1- j)))))))))
    (aref row (length b))))

(defun known-system-names ()
  "Names of all systems that ASDF could find or has."
  (let ((names (asdf/system-registry:registered-systems)))
    (when (hash-table-p asdf/source-registry:*source-registry*)
      (loop for name being the hash-keys of asdf/source-registry:*source-registry*
            do (pushnew name names :test #'equal)))
    names))

(defun near-names (name)
  "At most three known names that NAME may have been meant to be, nearest first."
  (let* ((limit (max 1 (floor (length name) 3)))
         (scored (loop for other in (known-system-names)
                       for distance = (edit-distance name other)
                       when (and (<= 1 distance limit)
                                 (< distance (max (length name) (length other)))) ; some of it is left
                         collect (cons distance other))))
    (mapcar #'rest (subseq (sort scored (lambda (x y)
                                          (or (< (first x) (first y))
                                              (and (= (first x) (first y))
                                                   (string< (rest x) (rest y))))))
                           0 (min 3 (length scored))))))

(defun required-by (condition)
  "Names of what asked for the missing thing, nearest first."
  (let ((component (and (typep condition 'asdf:missing-dependency)
                        (asdf/find-component:missing-required-by condition))))
    (and (typep component 'asdf:component)
         (list (component-label component)))))

(defun failure-message (condition)
  "What CONDITION says; of a compile that failed, what the compiler said of it first."
  (let ((told (and (typep condition 'uiop:compile-condition)
                   (find :error *diagnostics* :from-end t
                                              :key (lambda (diag) (getf (rest diag) :severity))))))
    (or (getf (rest told) :message)
        (condition-message condition))))

(defun failure (kind condition &rest plist)
  (apply #'list :describe-failed
         :kind kind
         :message (failure-message condition)
         (append (apply #'plist-without-nils plist)
                 (list :diagnostics (reverse *diagnostics*)))))

(defun missing-failure (condition)
  (let* ((requires (asdf/find-component:missing-requires condition))
         (name (string-downcase (princ-to-string requires))))
    (if (typep condition 'asdf:missing-component-of-version)
        (failure :version condition :name name :required-by (required-by condition))
        (failure :missing-system condition
                 :name name
                 :required-by (required-by condition)
                 :near (near-names name)))))

(defun cycle-failure (condition components &optional definition)
  (let ((cycle (components-cycle components definition)))
    (failure :cycle condition :cycle (mapcar #'first cycle) :files (mapcar #'second cycle))))

(defun failure-form (condition)
  "The answer to a request to describe that ended with CONDITION."
  (let ((inner (if (typep condition 'asdf:load-system-definition-error)
                   (asdf/find-system::error-condition condition)
                   condition)))
    (typecase inner
      (dependency-cycle (cycle-failure inner (mapcar #'node-component (cycle-nodes inner))))
      ;; One that ASDF itself found, among definitions.
      (asdf:circular-dependency
       (cycle-failure inner (mapcar #'rest (asdf/action:circular-dependency-actions inner))
                      (and (asd-failure-name condition)
                           (list (asd-failure-name condition)
                                 (native (asdf/find-system::error-pathname condition))))))
      (asdf:missing-component (missing-failure inner))
      (null (list :describe-failed :kind :other
                                   :message (if *diagnostics*
                                                (getf (rest (first *diagnostics*)) :message)
                                                "the description ended without a reason")
                                   :diagnostics (reverse *diagnostics*)))
      (t (if (or (typep condition 'asdf:load-system-definition-error) *loading-asd*)
             (failure :asd-error inner :name (asd-failure-name condition))
             (failure :other inner))))))

(defun asd-failure-name (condition)
  (and (typep condition 'asdf:load-system-definition-error)
       (asdf:coerce-name (asdf/find-system::error-name condition))))
