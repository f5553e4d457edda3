;;;; The plan: what the walk found, classified and written down.

(in-package :tenon-driver)

;;; Files

(defvar *user-translations* nil
  "ASDF's output translations as the user's own Lisp would have them.")

(defun user-translations ()
  "The output translations that the user's environment and configuration make."
  (let ((own asdf/output-translations:*output-translations*))
    (uiop/configuration::compute-user-cache)
    (asdf:initialize-output-translations nil)
    (shiftf asdf/output-translations:*output-translations* own)))

(defun user-output (relative)
  "Where ASDF would write for the user what is at RELATIVE below OUT."
  (let ((asdf/output-translations:*output-translations* *user-translations*)
        (path (native-pathname (concatenate 'string "/" relative))))
    (native (asdf:apply-output-translations path))))

(defun node-inputs (node)
  (mapcar #'native (remove nil (asdf:input-files (node-operation node) (node-component node)))))

(defun node-outputs (node)
  "Relative to OUT. An output that ASDF wants at a fixed place, outside of OUT, is left out."
  (loop for pathname in (own-outputs (node-operation node) (node-component node))
        for path = (native pathname)
        when (below-p path (concatenate 'string *out* "/"))
          collect (relative-output path)))

(defun input-name (path made)
  "PATH, or \"@\" and the name below OUT of what an action makes."
  (let ((relative (and (below-p path (concatenate 'string *out* "/")) (relative-output path))))
    (if (and relative (gethash relative made))
        (concatenate 'string "@" relative)
        path)))

;;; Systems that can't be taken apart

(defvar *standard-operate-methods* '())

(defun own-operate-methods (function system)
  "Methods of FUNCTION, OPERATE or its like, that a definition brought along for SYSTEM."
  (loop for method in (compute-applicable-methods
                       function (list (asdf:make-operation 'asdf:load-op) system))
        when (and (not (member method *standard-operate-methods*))
                  (not (member (second (sb-mop:method-specializers method))
                               (list (find-class t) (find-class 'asdf:component)
                                     (find-class 'asdf:system)))))
          collect method))

(defun whole-reason (system)
  "Why SYSTEM must be built in one go, or NIL."
  (cond ((own-operate-methods #'asdf:operate system)
         "its definition has a method of its own for OPERATE")
        ((own-operate-methods #'asdf:perform-with-restarts system)
         "its definition has a method of its own for PERFORM-WITH-RESTARTS")))

(defun note-standard-operate-methods ()
  (setf *standard-operate-methods*
        (append (sb-mop:generic-function-methods #'asdf:operate)
                (sb-mop:generic-function-methods #'asdf:perform-with-restarts))))

(defclass whole-op (asdf:non-propagating-operation) ()
  (:documentation "Build a system in one go, the way ASDF does."))

(defun system-outputs (component)
  "The outputs of compiling COMPONENT and all below it."
  (append (asdf:output-files (asdf:make-operation 'asdf:compile-op) component)
          (when (typep component 'asdf:parent-component)
            (mapcan (lambda (child) (copy-list (system-outputs child)))
                    (asdf:component-children component)))))

(defmethod asdf:input-files ((operation whole-op) (system asdf:system))
  '())

(defmethod asdf:output-files ((operation whole-op) (system asdf:system))
  (values (system-outputs system) t))

(defmethod asdf:perform ((operation whole-op) (system asdf:system))
  (asdf:operate 'asdf:load-op system))

;;; The plan

(defvar *plan-out* nil
  "The folder of built files that the plan is for.")

(defun symbol-text (symbol)
  "SYMBOL with its package, as the steps want it."
  (with-standard-io-syntax
    (let ((*package* (find-package :keyword)))
      (prin1-to-string symbol))))

(defstruct (draft (:constructor make-draft (walk)))
  "A plan in the making."
  walk
  (kinds (make-hash-table :test 'eq))   ; node -> kind
  (outputs (make-hash-table :test 'eq)) ; node -> names below OUT
  (made (make-hash-table :test 'equal)) ; name below OUT -> node
  (fixed (make-hash-table :test 'equal)) ; what steps make at a fixed place, outside of OUT -> T
  (wholes (make-hash-table :test 'eq))) ; system -> (id reason)

(defun node-system (node)
  (asdf:component-system (node-component node)))

(defun map-nodes (function draft)
  (map nil function (walk-order (draft-walk draft))))

(defun classify (draft)
  "Find out the kind and the outputs of every node."
  (map-nodes (lambda (node)
               (let ((outputs (node-outputs node)))
                 (setf (gethash node (draft-outputs draft)) outputs
                       (gethash node (draft-kinds draft))
                       (action-kind (node-operation node) (node-component node) outputs))
                 (dolist (output outputs)
                   (setf (gethash output (draft-made draft)) node))
                 (when (eq (gethash node (draft-kinds draft)) :effect)
                   (note-fixed-outputs draft node))))
             draft))

(defun note-fixed-outputs (draft node)
  (let ((inputs (node-inputs node)))
    (dolist (pathname (own-outputs (node-operation node) (node-component node)))
      (let ((path (native pathname)))
        (unless (member path inputs :test #'string=)
          (setf (gethash path (draft-fixed draft)) t))))))

(defun step-made-p (draft kind path)
  "True if PATH, an input of a step, is there only when a step before it has been carried out: it says
nothing that the other's inputs don't say."
  (and (member kind '(:load :effect)) (gethash path (draft-fixed draft))))

(defun find-wholes (draft)
  "Give an id behind all others to an action for each system that is built whole."
  (let ((next (length (walk-order (draft-walk draft)))))
    (map-nodes (lambda (node)
                 (let ((system (node-system node)))
                   (unless (nth-value 1 (gethash system (draft-wholes draft)))
                     (let ((reason (whole-reason system)))
                       (setf (gethash system (draft-wholes draft))
                             (and reason (list (shiftf next (1+ next)) reason)))))))
               draft)))

(defun whole-id (draft system)
  (first (gethash system (draft-wholes draft))))

(defun node-kind (draft node)
  "The kind of NODE; in a system that is built whole only its loads remain."
  (let ((kind (gethash node (draft-kinds draft))))
    (if (and (whole-id draft (node-system node)) (member kind '(:compile :opaque)))
        :none
        kind)))

(defun node-encoding (component)
  (and (typep component 'asdf:source-file)
       (string-downcase (asdf:component-encoding component))))

(defun node-form (draft node)
  "The action that NODE becomes."
  (let* ((component (node-component node))
         (system (node-system node))
         (kind (node-kind draft node))
         (whole (whole-id draft system))
         (outputs (and (member kind '(:compile :opaque)) (gethash node (draft-outputs draft))))
         (inputs (and (not (eq kind :none)) (node-inputs node)))
         (asd (asd-of system)))
    (plist-without-nils
     :id (node-id node)
     :op (symbol-text (class-name (class-of (node-operation node))))
     :system (if (eq kind :require)
                 (module-name component)
                 (asdf:component-name system))
     :component (component-path component)
     :kind kind
     :inputs (loop for path in inputs
                   unless (step-made-p draft kind path)
                     collect (input-name path (draft-made draft)))
     :outputs outputs
     :user-outputs (mapcar #'user-output outputs)
     :deps (append (remove-duplicates (mapcar #'node-id (node-deps node)))
                   (and whole (member kind '(:load :effect)) (list whole)))
     :asd (and asd (asd-id asd))
     :class (symbol-text (class-name (class-of component)))
     :encoding (node-encoding component))))

(defun module-name (system)
  (string-downcase (or (asdf/operate::required-module system) (asdf:component-name system))))

(defun whole-form (draft system id)
  "The action that builds SYSTEM whole."
  (let ((outputs '()) (inputs '()) (deps '()) (asd (asd-of system)))
    (map-nodes (lambda (node)
                 (when (eq (node-system node) system)
                   (setf outputs (append (gethash node (draft-outputs draft)) outputs))
                   (when (eq (gethash node (draft-kinds draft)) :compile)
                     (setf inputs (append (node-inputs node) inputs)))
                   (dolist (dep (node-deps node))
                     (unless (eq (node-system dep) system)
                       (pushnew (node-id dep) deps)))))
               draft)
    (plist-without-nils
     :id id :op (symbol-text 'whole-op) :system (asdf:component-name system) :kind :whole
     :inputs (reverse inputs) :outputs (reverse outputs)
     :user-outputs (mapcar #'user-output (reverse outputs))
     :deps deps :asd (and asd (asd-id asd))
     :class (symbol-text (class-name (class-of system))))))

(defun action-forms (draft)
  (append (map 'list (lambda (node) (node-form draft node)) (walk-order (draft-walk draft)))
          (loop for system being the hash-keys of (draft-wholes draft) using (hash-value whole)
                when whole
                  collect (whole-form draft system (first whole)))))

;;; Systems and .asd files

(defun count-components (component)
  (if (typep component 'asdf:parent-component)
      (loop for child in (asdf:component-children component)
            sum (if (typep child 'asdf:parent-component) (count-components child) 1))
      1))

(defun dependency-name (specification)
  "The name of the system in SPECIFICATION, one of a system's dependencies, or NIL."
  (typecase specification
    ((or string symbol) (asdf:coerce-name specification))
    (cons (case (first specification)
            (:feature (and (uiop:featurep (second specification))
                           (dependency-name (third specification))))
            ((:version :require) (dependency-name (second specification)))))))

(defun system-form (draft system)
  (let ((asd (asd-of system))
        (directory (ignore-errors (asdf:component-pathname system))))
    (plist-without-nils
     :name (asdf:component-name system)
     :asd (and asd (asd-id asd))
     :version (let ((version (asdf:component-version system))) (and (stringp version) version))
     :depends-on (remove nil (mapcar #'dependency-name
                                     (asdf/component:component-sideway-dependencies system)))
     :directory (and directory (native directory))
     :components (count-components system)
     :whole (second (gethash system (draft-wholes draft))))))

(defun plan-systems (draft)
  "The systems that have actions in the plan, in the order of their first."
  (let ((seen (make-hash-table :test 'eq)) (systems '()))
    (map-nodes (lambda (node)
                 (let ((system (node-system node)))
                   (unless (gethash system seen)
                     (setf (gethash system seen) t)
                     (push system systems))))
               draft)
    (nreverse systems)))

(defun defined-systems (asd)
  "Names of the systems that ASD defines."
  (sort (loop for system in (asdf/system-registry:registered-systems*)
              when (eq (asd-of system) asd)
                collect (asdf:component-name system))
        #'string<))

(defun defined-versions (asd)
  "\"NAME VERSION\" of the systems that ASD defines with one."
  (loop for name in (defined-systems asd)
        for version = (asdf:component-version (asdf:registered-system name))
        when version
          collect (format nil "~A ~A" name version)))

(defun needed-ids (walk asd)
  "Ids of the loads that must be in an image before ASD is."
  (loop for name in (append (reverse (asd-requires asd)) (reverse (asd-loads asd)))
        for system = (asdf:registered-system name)
        for node = (and system (not (eq (asd-of system) asd)) (load-node walk system))
        when (and node (node-id node))
          collect (node-id node)))

(defun asd-form (walk asd)
  (plist-without-nils :id (asd-id asd)
                      :path (asd-path asd)
                      :features-before (asd-features asd)
                      :asds (mapcar #'asd-id (reverse (asd-asds asd)))
                      :needs (remove-duplicates (needed-ids walk asd))
                      :defines (defined-systems asd)
                      :versions (defined-versions asd)))

;;; The request

(defvar *failure* nil
  "The condition that ended the description.")

(defun test-system-p (name)
  "True for names as people give them to tests."
  (some (lambda (end) (uiop:string-suffix-p name end))
        '("-test" "-tests" "/test" "/tests" ".test" ".tests" "_test" "_tests")))

(defun load-directory (directory)
  "Load the .asd files in the folder itself. Their native names."
  (let ((files (sort (mapcar #'native (asdf/source-registry::directory-asd-files
                                       (native-directory directory)))
                     #'string<)))
    (dolist (file files files)
      (call-keeping-going (file-namestring file)
                          (lambda ()
                            (asdf:find-system (pathname-name (native-pathname file)) nil)
                            (unless (gethash file *asd-by-path*)
                              (asdf:load-asd (native-pathname file))))))))

(defun directory-systems (directory)
  "Names of the systems that the .asd files in the folder itself define, tests apart. Those named
after their file come first."
  (let* ((files (load-directory directory))
         (names (loop for file in files
                      for asd = (gethash file *asd-by-path*)
                      append (remove-if #'test-system-p (and asd (defined-systems asd))))))
    (stable-sort names (lambda (a b)
                         (and (main-system-p a) (not (main-system-p b)))))))

(defun main-system-p (name)
  "True for the system that its .asd file is named after."
  (let ((system (asdf:registered-system name)))
    (and system
         (asdf:system-source-file system)
         (string= name (pathname-name (asdf:system-source-file system))))))

(defun initialize-registry (text)
  "Let ASDF find systems as the source registry form in TEXT says."
  (let ((form (with-standard-io-syntax
                (let ((*package* (find-package :asdf-user)) (*read-eval* nil))
                  (read-from-string text)))))
    (asdf:initialize-source-registry form)))

(defun find-target (name directory)
  "The system NAME; if there is no file named after it, one that the files in DIRECTORY define."
  (handler-bind ((asdf:missing-component
                   (lambda (condition)
                     (when (and directory
                                (not (typep condition 'asdf:missing-dependency))
                                (equal name (asdf/find-component:missing-requires condition)))
                       (load-directory directory)
                       (let ((system (known-system name)))
                         (when system
                           (return-from find-target system)))))))
    (asdf:find-system name)))

(defvar *failures* :not-kept
  "What could not be described, as answers say it; :NOT-KEPT where the first failure is the last.")

(defun keep-failure (name)
  "NAME is left out because of *FAILURE*."
  (let* ((form (failure-form *failure*))
         (known (assoc form *failures* :test #'equal)))
    (if known
        (push name (rest known))
        (push (list form name) *failures*)))
  (setf *diagnostics* '()))

(defun forget-planned ()
  "Let ASDF plan anew: what it has planned to load, and not loaded because of a failure, it would take for
loaded."
  (when asdf/session:*asdf-session*
    (clrhash (asdf/session:visited-actions asdf/session:*asdf-session*))))

(defun call-keeping-going (name function)
  "Call FUNCTION, which is about NAME. Its value, or NIL if it failed and that was kept."
  (if (eq *failures* :not-kept)
      (funcall function)
      (let ((value nil))
        (setf *failure* nil)
        (unless (call-working (lambda () (setf value (funcall function))))
          (keep-failure name)
          (forget-planned))
        value)))

(defun failure-forms ()
  "What was kept, each with the names of what is left out for it."
  (and (listp *failures*)
       (loop for (form . names) in (reverse *failures*)
             collect (append form (list :left-out (reverse names))))))

(defun leave-out (name condition)
  "The system NAME lacks something that it depends on, and nobody asked for it by name."
  (add-note "system ~S is left out: ~A" name (condition-text condition)))

(defun walk-system (walk system)
  "Walk from the load of SYSTEM. True."
  (walk-from walk (load-node walk system))
  t)

(defun walk-beside (walk name)
  "Walk from the load of the system NAME, which nobody asked for by name. False if it is left out: it
isn't the main one of its file, and can't be described for want of something."
  (handler-case (walk-system walk (asdf:find-system name))
    (asdf:missing-component (condition)
      (when (main-system-p name)
        (error condition))
      (leave-out name condition)
      nil)))

(defun walk-systems (names visit)
  "Walk from the systems NAMES with VISIT, called with the walk and a name. Second value: the names for
which it returned true."
  (let ((walk (make-walk)) (left '()))
    (dolist (name names (values walk (nreverse left)))
      (if (call-keeping-going name (lambda () (funcall visit walk name)))
          (push name left)
          (abandon-walk walk)))))

(defun plan-form (walk names features)
  "The plan for the systems NAMES, from which WALK went."
  (let ((draft (make-draft walk)) (*out* *plan-out*) (*settled* t))
    (asdf/session:with-asdf-session (:override t :override-cache t)
      (classify draft)
      (find-wholes draft)
      (list :plan
            :asdf (asdf:asdf-version)
            :lisp (lisp-implementation-version)
            :features features
            :asds (map 'list (lambda (asd) (asd-form walk asd)) *asds*)
            :systems (mapcar (lambda (system) (system-form draft system)) (plan-systems draft))
            :actions (action-forms draft)
            :targets (loop for name in names
                           for system = (asdf:registered-system name)
                           collect (list name (node-id (load-node walk system))))
            :read (sorted-keys *files-read*)
            :absent (sorted-keys *files-absent*)
            :folders (sorted-keys *folders-listed*)
            :notes (progn (note-duplicates (plan-systems draft)) (reverse *notes*))
            :failures (failure-forms)))))

(defun plan-systems-named (systems registry directory features)
  "The plan for SYSTEMS, or for those of DIRECTORY if there are none."
  (initialize-registry registry)
  (multiple-value-bind (walk names)
      (asdf/session:with-asdf-session (:override t)
        (if systems
            (walk-systems (mapcar #'asdf:coerce-name systems)
                          (lambda (walk name)
                            (walk-system walk (find-target name directory))))
            (walk-systems (directory-systems directory) #'walk-beside)))
    (plan-form walk names features)))

(defun prepare-describing (out cache)
  "Let ASDF work for itself: what it has to compile goes below CACHE."
  (setf *describing* t
        *image-mode* nil
        *fixed-file-dates* nil
        *plan-out* (trim-slash out)
        *out* (trim-slash (or cache (concatenate 'string (trim-slash out) "/.describe")))
        *cache-folder* *out*
        *asds* (make-array 16 :adjustable t :fill-pointer 0)
        *asd-by-path* (make-hash-table :test 'equal)
        *user-translations* (user-translations)))

(defun answer-describe (&rest plist)
  "Answer to (:DESCRIBE plist...)."
  (with-plist (systems registry directory out cache keep-going provides provided) plist
    (with-diagnostics ()
      (with-tracing ()
        (let* ((plan nil) (*failure* nil) (*failures* (if keep-going '() :not-kept))
               (*provided* (if provides provided :none))
               (features (mapcar #'feature-text *features*))
               (wanted (catch 'wanted
                         (with-captured-output (output)
                           (call-working
                            (lambda ()
                              (handler-bind ((error (lambda (condition) (setf *failure* condition))))
                                (prepare-describing out cache)
                                (setf plan (plan-systems-named systems registry directory
                                                               features))))))
                         nil)))
          (cond (wanted (list :describe-wants wanted))
                (plan)
                (t (failure-form *failure*))))))))
