;;;; The walk over ASDF's graph: which actions a system's load is made of, in ASDF's order.
;;;;
;;;; ASDF's own traversal recurses once per dependency and knows what is up to date; this one keeps
;;;; a stack of its own, so that a chain of ten thousand files is no deeper than any other, and asks
;;;; for nothing but the dependencies. On the way ASDF loads the .asd files it needs.

(in-package :tenon-driver)

;;; .asd files

(defstruct (asd (:constructor make-asd (id path features)))
  "An .asd file that was loaded while describing."
  id path
  features                              ; as texts, before it was loaded
  (asds '())                            ; the ASDs whose systems it looks for, last first
  (loads '())                           ; names of the systems that loading it loads, last first
  (requires '()))                       ; and of the modules

(defvar *asds* nil "Those loaded so far: a vector, by id.")
(defvar *asd-by-path* nil)
(defvar *loading-asd* nil
  "The one that is being loaded; NIL while it has a system operated on.")
(defvar *open-asds* '()
  "Those whose loading has begun and not ended, innermost first.")

(defun word-character-p (character)
  "True for what can stand in a name beside other characters, and mostly does."
  (or (alphanumericp character) (find character "-+*/_.!?%&$<>=~^")))

(defun may-ask-for-p (name text)
  "True when TEXT has NAME as a word that may stand in a condition on features: part of no other
name, and neither a string nor an uninterned symbol, as names of systems are mostly written."
  (flet ((before (start string)
           (let ((from (- start (length string))))
             (and (>= from 0) (string= string text :start2 from :end2 start)))))
    (loop for from = 0 then (1+ start)
          for start = (search name text :start2 from)
          for end = (and start (+ start (length name)))
          while start
          thereis (not (or (before start "#:")
                           (before start "\"")
                           (and (< end (length text)) (word-character-p (char text end)))
                           (and (plusp start)
                                (word-character-p (char text (1- start)))
                                (not (or (before start "#+") (before start "#-")))))))))

(defun features-for (path)
  "The features that the .asd file PATH is read with, as texts: those of the bare Lisp, and of what
other definitions added only those that the file speaks of, so that it is the same file whatever
was described before it."
  (let ((text (string-upcase (or (source-text path) ""))))
    (loop for feature in *features*
          when (or (member feature *bare-features*)
                   (may-ask-for-p (string feature) text))
            collect (feature-text feature))))

(defun ensure-asd (path)
  (or (gethash path *asd-by-path*)
      (let ((asd (make-asd (fill-pointer *asds*) path (features-for path))))
        (vector-push-extend asd *asds*)
        (setf (gethash path *asd-by-path*) asd))))

(defun definition-file (system)
  "The file that SYSTEM is defined in, or NIL. A package-inferred system may know it only through
its primary system."
  (or (asdf:system-source-file system)
      (let ((primary (asdf:registered-system (asdf:primary-system-name system))))
        (and primary (asdf:system-source-file primary)))))

(defun asd-of (system)
  "The ASD that defines SYSTEM, or NIL for what the Lisp brings along."
  (let ((file (definition-file system)))
    (and file (gethash (native file) *asd-by-path*))))

(defmethod asdf:perform :around ((operation asdf:define-op) (system asdf:system))
  (let ((file (and *describing* (first (asdf:input-files operation system)))))
    (if file
        (let* ((*loading-asd* (ensure-asd (native file)))
               (*open-asds* (cons *loading-asd* *open-asds*)))
          (trace-path file *files-read*)
          (call-interpreting (lambda () (call-next-method))))
        (call-next-method))))

;;; Whether the other file has been loaded before for another one's sake must make no difference. One
;;; that has it loaded in turn is left out: images need an order.
(define-wrapper asdf:find-system note-found-asd (next arguments)
  (let ((system (apply next arguments)))
    (when (and *describing* *loading-asd* (typep system 'asdf:system))
      (let ((asd (asd-of system)))
        (when (and asd (not (member asd *open-asds*)))
          (pushnew asd (asd-asds *loading-asd*)))))
    system))

(defvar *wished* nil
  "The name of the system that an .asd file has loaded, or operated on, while it is read; NIL at other times.")

(defun call-operating (operation component function)
  "Call FUNCTION, which operates on COMPONENT while describing: if an .asd file asked for it, it is
written down as something that the file loads."
  (if (typep operation 'asdf:define-op)
      (funcall function)
      (let ((sb-ext:*evaluator-mode* :compile)
            (*wished* *wished*))
        (when *loading-asd*
          (setf *wished* (asdf:component-name (asdf:component-system component)))
          (pushnew *wished* (asd-loads *loading-asd*) :test #'equal))
        (let ((*loading-asd* nil))
          (funcall function)))))

;;; The host can do what ASDF is about to do: compile many files.

(defvar *provided* :none
  "The names of systems that the host has built for this description; :NONE if it builds none.")

(defparameter *many-files* 8
  "So many files that are still to be compiled take longer than to begin once more.")

(defun to-be-compiled-p (action)
  "True if the ASDF ACTION compiles a file, and its outputs are not there or older than the file."
  (let ((operation (asdf/action:action-operation action))
        (component (asdf/action:action-component action)))
    (and (typep operation 'asdf:compile-op)
         (typep component 'asdf:cl-source-file)
         (let ((source (ignore-errors (file-write-date (asdf:component-pathname component)))))
           (and source
                (notevery (lambda (output)
                            (and (probe-file output) (<= source (file-write-date output))))
                          (asdf:output-files operation component)))))))

(defmethod asdf/plan:perform-plan :before ((plan t) &key)
  (when (and *describing* *wished* (listp *provided*)
             (not (member *wished* *provided* :test #'string=))
             (>= (count-if #'to-be-compiled-p (asdf/plan:plan-actions plan)) *many-files*))
    (throw 'wanted *wished*)))

(define-wrapper require trace-require (next arguments)
  (when (and *describing* *loading-asd*)
    (pushnew (string-downcase (first arguments)) (asd-requires *loading-asd*) :test #'equal))
  (apply next arguments))

;;; Nodes

(defstruct (node (:constructor make-node (operation component)))
  "An action in ASDF's sense, on its way into the plan."
  operation component
  (deps '())                            ; nodes, in the order of declaration
  (pending '())                         ; those still to be visited
  (state :new)                          ; :new, :open (on the stack), :done
  (id nil))

(defstruct (walk (:constructor make-walk ()))
  (nodes (make-hash-table :test 'eq))   ; component -> ((operation . node)...)
  (order (make-array 64 :adjustable t :fill-pointer 0))
  (stack '())
  (asds-entered (make-hash-table :test 'eq)))

(defun node-for (walk operation component)
  (let* ((table (walk-nodes walk))
         (known (assoc operation (gethash component table) :test #'eq)))
    (if known
        (rest known)
        (let ((node (make-node operation component)))
          (push (cons operation node) (gethash component table))
          node))))

(defun map-dependencies (function operation component)
  "Call FUNCTION with the operation and the component of each direct dependency."
  (loop for (operation-name . names) in (asdf:component-depends-on operation component)
        for other = (asdf:find-operation operation operation-name)
        when (and other (not (typep other 'asdf:define-op)))
          do (dolist (name names)
               (let ((target (and name (asdf/find-component:resolve-dependency-spec
                                        component name))))
                 (when (and target (asdf/action:action-valid-p other target))
                   (funcall function other target))))))

(defun leaf-node-p (node)
  "True when what NODE depends on is the Lisp's own affair."
  (or (typep (node-component node) 'asdf:require-system)
      (provided-p (node-component node))))

(defun node-dependencies (walk node)
  "The nodes that NODE depends on directly."
  (let ((deps '()))
    (unless (leaf-node-p node)
      (map-dependencies (lambda (operation component)
                          (push (node-for walk operation component) deps))
                        (node-operation node) (node-component node)))
    (nreverse deps)))

(defun definition-nodes (walk component)
  "The loads that the .asd file of COMPONENT's system needs, the first time that it is met."
  (let ((asd (asd-of (asdf:component-system component))))
    (when (and asd (not (gethash asd (walk-asds-entered walk))))
      (setf (gethash asd (walk-asds-entered walk)) t)
      (append (loop for module in (reverse (asd-requires asd))
                    collect (require-node walk module))
              (loop for name in (reverse (asd-loads asd))
                    for system = (asdf:find-system name)
                    unless (eq (asd-of system) asd)
                      collect (load-node walk system))))))

(defun require-node (walk module)
  "The load of MODULE, which a definition requires: of the Lisp, or a system that ASDF has loaded for it."
  (load-node walk (or (asdf:registered-system module)
                      (asdf/system-registry:register-system
                       (make-instance 'asdf:require-system :name module :module module)))))

(defun load-node (walk system)
  (node-for walk (asdf:make-operation 'asdf:load-op) system))

(define-condition dependency-cycle (error)
  ((nodes :initarg :nodes :reader cycle-nodes))
  (:report (lambda (condition stream)
             (format stream "circular dependency: ~{~A~^ -> ~}"
                     (cycle-names (cycle-nodes condition))))))

(defun component-label (component)
  "A name for people: \"system\" or \"system:path/to/component\"."
  (let ((path (component-path component)))
    (format nil "~A~@[:~{~A~^/~}~]"
            (asdf:component-name (asdf:component-system component)) path)))

(defun component-path (component)
  "Names from below the system down to COMPONENT."
  (let ((path '()))
    (loop until (typep component 'asdf:system)
          do (push (asdf:component-name component) path)
             (setf component (asdf:component-parent component)))
    path))

(defun file-label (component)
  "The name of COMPONENT's file below the folder of its system, for people."
  (let ((file (ignore-errors (native (asdf:component-pathname component))))
        (folder (ignore-errors (native (asdf:component-pathname
                                        (asdf:component-system component))))))
    (cond ((or (null file) (typep component 'asdf:system)) (component-label component))
          ((and folder (below-p file folder) (> (length file) (length folder)))
           (subseq file (length folder)))
          (t file))))

(defun definition-path (component)
  "The file in which COMPONENT's dependencies stand."
  (let ((system (asdf:component-system component)))
    (or (ignore-errors
         (native (if (and (typep system 'asdf:package-inferred-system)
                          (find #\/ (asdf:component-name system)))
                     (asdf:component-pathname (first (asdf:component-children system)))
                     (asdf:system-source-file system))))
        "")))

(defun inner-components (components)
  "COMPONENTS without modules that contain others of them."
  (or (remove-if (lambda (component)
                   (some (lambda (other) (eq (asdf:component-parent other) component)) components))
                 components)
      components))

(defun components-cycle (components &optional definition)
  "((NAME FILE)...) of a circular dependency, for people: the systems if it leads through several,
the files of one otherwise, with the files where their dependencies stand. DEFINITION, (NAME FILE), is
of the system whose definition led into it."
  (let* ((components (inner-components (remove-duplicates components)))
         (systems (remove-duplicates (mapcar #'asdf:component-system components) :from-end t))
         (several (or definition (rest systems)))
         (names (mapcar (lambda (component)
                          (list (if several
                                    (asdf:component-name component)
                                    (file-label component))
                                (definition-path component)))
                        (if several systems components))))
    (when (and definition (not (assoc (first definition) names :test #'equal)))
      (push definition names))
    (append names (list (first names)))))

(defun cycle-names (nodes)
  (mapcar #'first (components-cycle (mapcar #'node-component nodes))))

(defun open-node (walk node)
  "Begin to visit NODE."
  (setf (node-state node) :open)
  (push node (walk-stack walk))
  (let ((needed (definition-nodes walk (node-component node))))
    (setf (node-deps node) (node-dependencies walk node)
          (node-pending node) (append needed (node-deps node)))))

(defun close-node (walk node)
  "All that NODE depends on is in the order; so is NODE now."
  (pop (walk-stack walk))
  (setf (node-state node) :done
        (node-id node) (fill-pointer (walk-order walk)))
  (vector-push-extend node (walk-order walk)))

(defun cycle-through (walk node)
  "The nodes on the stack from NODE on, outermost first."
  (reverse (subseq (walk-stack walk) 0 (1+ (position node (walk-stack walk))))))

(defun abandon-walk (walk)
  "Forget the visits under way, after an error."
  (loop for node = (pop (walk-stack walk))
        while node
        do (setf (node-state node) :new
                 (node-deps node) '()
                 (node-pending node) '())))

(defun walk-from (walk node)
  "Bring NODE and all that it depends on into the order, dependencies first."
  (when (eq (node-state node) :new)
    (open-node walk node))
  (loop for current = (first (walk-stack walk))
        while current
        do (if (null (node-pending current))
               (close-node walk current)
               (let ((next (pop (node-pending current))))
                 (ecase (node-state next)
                   (:new (open-node walk next))
                   (:done)
                   (:open (error 'dependency-cycle :nodes (cycle-through walk next))))))))
