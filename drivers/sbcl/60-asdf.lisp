;;;; ASDF in the host's hands: where files go, how components are found, the steps of an image.
;;;;
;;;; ASDF's own configuration does the work: its output translations are one function, and systems
;;;; whose steps were carried out are immutable to it, so that code which calls LOAD-SYSTEM or
;;;; FIND-SYSTEM on them while it is compiled finds them loaded.

(in-package :tenon-driver)

;;; Where outputs go

(defvar *out* nil
  "The folder of built files, without a slash at its end; NIL before the first request names one.")

(defvar *redirected* (make-hash-table :test 'equal)
  "Where this action's own outputs go: from their names below OUT to names in its folder.")

(defvar *spill* nil
  "In an action: the folder for whatever else ASDF would like to write.")

(defun trim-slash (folder)
  (string-right-trim "/" folder))

(defun below-out (path)
  "PATH, a native name, as a name below OUT. What lies there already stays as it is."
  (if (or (below-p path (concatenate 'string *out* "/"))
          (and *spill* (below-p path *spill*)))
      path
      (concatenate 'string *out* path)))

(defun translate-output (pathname &optional source)
  "What ASDF's output translations make of PATHNAME."
  (declare (ignore source))
  (let ((path (native pathname)))
    (cond ((null *out*) pathname)
          ((uiop:directory-pathname-p pathname) (native-directory (below-out path)))
          (t (native-pathname (output-name (below-out path)))))))

(defun output-name (path)
  "Where the file that belongs at PATH, below OUT, is written or read by this process."
  (cond ((gethash path *redirected*))
        ((or (null *spill*) (below-p path *spill*) (probe-file (native-pathname path))) path)
        (t (concatenate 'string *spill* path))))

(defun use-output-folder (folder)
  "From now on ASDF's outputs are below FOLDER."
  (setf *out* (trim-slash folder)))

(pushnew ".tenon" asdf/source-registry:*default-source-registry-exclusions* :test #'equal)
(setf asdf/source-registry:*source-registry-exclusions*
      asdf/source-registry:*default-source-registry-exclusions*)

(defun install-output-translations ()
  (asdf:initialize-output-translations
   '(:output-translations :ignore-inherited-configuration (t (:function translate-output)))))

;;; What is loaded stays loaded

(defvar *image-mode* nil
  "True in the processes that build: systems come from steps, and ASDF does not look for others
unless code really asks for them. False while describing and in sessions.")

(defvar *describing* nil
  "True in the process that describes.")

(defvar *settled* nil
  "True while describing once all definitions are known: none is looked for or loaded again.")

(defun mark-loaded (system)
  "SYSTEM was loaded by steps: ASDF takes it for done from now on."
  (unless asdf/system-registry:*immutable-systems*
    (setf asdf/system-registry:*immutable-systems* (make-hash-table :test 'equal)))
  (setf (gethash (asdf:coerce-name system) asdf/system-registry:*immutable-systems*) t))

(defun known-system (name)
  "The system NAME if it is defined in this image, and not just about to be."
  (let ((system (asdf:registered-system name)))
    (and system (not (typep system 'asdf/find-system::undefined-system)) system)))

(defun primary-name (name)
  (subseq name 0 (position #\/ name)))

(defmethod asdf:find-system :around ((name string) &optional error-p)
  (declare (ignore error-p))
  (cond ((not (or *image-mode* *settled*)) (call-next-method))
        ((known-system name))
        ((and (find #\/ name) (known-system (primary-name name)))
         (or (register-inferred-system name) (call-next-method)))
        (t (call-next-method))))

(defun register-inferred-system (name)
  "Define the system NAME of a package-inferred system whose primary system is known; or NIL."
  (let ((system (asdf/package-inferred-system:sysdef-package-inferred-system-search name)))
    (when system
      (asdf/system-registry:register-system system))))

(defmethod asdf/action:mark-operation-done :around ((operation asdf:operation)
                                                    (component asdf:component))
  (if *image-mode*
      (setf (asdf/action:component-operation-time operation component) +fixed-file-date+)
      (call-next-method)))

(define-wrapper asdf/operate::upgrade-asdf keep-asdf (next arguments)
  ;; The ASDF of the base core is part of every key; another one can't slip in.
  nil)

;;; Operations and components by name

(defun parse-symbol (name)
  "The symbol that PRIN1 writes as NAME."
  (with-standard-io-syntax
    (let ((*read-eval* nil) (*package* (find-package :asdf-user)))
      (read-from-string name))))

(defun find-operation-named (name)
  (asdf:make-operation (parse-symbol name)))

(defun find-component-named (system-name path)
  "The component at PATH, a list of names, below the system; NIL where the names lead nowhere."
  (let ((component (asdf:find-system system-name)))
    (dolist (name path component)
      (setf component (asdf:find-component component name))
      (unless component
        (error "the system ~A has no component ~{~A~^/~}" system-name path)))))

;;; Outputs

(defun own-outputs (operation component)
  "The output files of the action, without those that another operation on the same component made
before it and that it only passes on."
  (let ((others (loop for other in (operations-before operation component)
                      append (asdf:output-files other component))))
    (loop for pathname in (asdf:output-files operation component)
          when (and pathname (not (member pathname others :test #'equal)))
            collect pathname)))

(defun operations-before (operation component)
  "The operations that OPERATION depends on for COMPONENT itself."
  (loop for (name . targets) in (asdf:component-depends-on operation component)
        for other = (asdf:find-operation operation name)
        when (and other
                  (or (member component targets)
                      (member (asdf:component-name component) targets :test #'equal)))
          collect other))

;;; Features

(defun feature-text (feature)
  (with-standard-io-syntax
    (prin1-to-string feature)))

(defun feature-list (texts)
  "The features in TEXTS. One in a package that this image lacks can't be asked for here."
  (loop for text in texts
        for feature = (parse-feature text)
        when feature
          collect feature))

(defun parse-feature (text)
  (with-standard-io-syntax
    (let ((*package* (find-package :keyword)) (*read-eval* nil))
      (handler-case (read-from-string text)
        (reader-error () nil)))))

(defun change-features (added removed)
  "Add to and remove from *FEATURES*; what is added comes first, as PUSHNEW has it."
  (setf *features* (append (set-difference added *features*)
                           (set-difference *features* removed))))

;;; Where systems are looked for

(defvar *registry* nil
  "The source registry form for code that really searches for systems, or NIL: ASDF's own way.")

(defun use-registry ()
  "Let ASDF find systems where the host does."
  (let ((registry (sb-ext:posix-getenv "TENON_REGISTRY")))
    (when registry
      (setf *registry* (with-standard-io-syntax (read-from-string registry))))))

(define-wrapper asdf:initialize-source-registry initialize-as-told (next arguments)
  ;; Who needs it before anybody has initialized it does so without a parameter. In the user's Lisp
  ;; that was long done when the code runs that needs it here: what ASDF has to say about systems that
  ;; are there twice is no warning of the file that is being compiled.
  (let ((form (or (first arguments) *registry*)))
    (if *image-mode*
        (handler-bind ((warning #'muffle-warning))
          (funcall next form))
        (funcall next form))))

;;; Steps

(define-wrapper asdf/operate:module-provide-asdf provide-contrib-first (next arguments)
  ;; ASDF would look for a system of that name wherever the user has systems.
  (or (and *image-mode*
           (not (known-system (string-downcase (first arguments))))
           (sb-impl::module-provide-contrib (first arguments)))
      (apply next arguments)))

(defun require-module (name)
  "REQUIRE of a contributed module. ASDF is asked only if the implementation does not have it."
  (require (string-upcase name))
  (let ((system (asdf:registered-system (string-downcase name))))
    (when system (mark-loaded system))))

(defun evaluator-trouble-p (condition)
  "True if CONDITION may come from what SBCL's evaluator can't do and its compiler can."
  (not (typep (innermost condition)
              '(or asdf:system-definition-error uiop:compile-condition reader-error file-error))))

(defun call-interpreting (function)
  "Call FUNCTION, which loads definitions. Evaluating their few forms is quicker than compiling
them; where that fails the compiler gets its turn."
  (block nil
    (block interpreting
      (handler-bind ((error (lambda (condition)
                              (when (evaluator-trouble-p condition)
                                (return-from interpreting)))))
        (let ((sb-ext:*evaluator-mode* :interpret))
          (return (funcall function)))))
    (let ((sb-ext:*evaluator-mode* :compile))
      (funcall function))))

(defun load-definitions (path)
  "Load the .asd file PATH."
  (call-interpreting (lambda () (asdf:load-asd (native-pathname path)))))

(defvar *noting-loads*) ; see 71-reads.lisp

(defvar *bare-features* '()
  "*FEATURES* of the base core, before any step.")

(defun load-definitions-with-features (path texts)
  "Load the .asd file PATH under the features TEXTS. The image gets what is then beyond the bare
Lisp's features: a definition that adds what was there already means it as well."
  (let ((after (let ((*features* (feature-list texts))
                     (*noting-loads* t))
                 (load-definitions path)
                 *features*)))
    (change-features (set-difference after *bare-features*)
                     (set-difference *bare-features* after))))

(defvar *loaded-features* '()
  "What loading components as steps has added to the features.")

(defun perform-named (operation-name system-name path)
  "ASDF's PERFORM of the named operation on the named component, in this image."
  (let ((operation (find-operation-named operation-name))
        (component (find-component-named system-name path))
        (before *features*))
    (call-noting-reads operation component
                       (lambda ()
                         (call-as-step operation component
                                       (lambda () (asdf:perform operation component)))))
    (when (typep operation 'asdf:load-op)
      (mark-loaded (asdf:component-system component))
      (setf *loaded-features* (union (set-difference *features* before) *loaded-features*)))))

(defmethod asdf:operate :around ((operation asdf:operation) (component asdf:component) &key)
  ;; A definition that loads systems reads on with the features that they add. In an image they were
  ;; loaded by steps before, when other features were in force.
  (if *describing*
      (call-operating operation component (lambda () (call-next-method)))
      (multiple-value-prog1 (call-next-method)
        (when (and *image-mode* (not (typep operation 'asdf:define-op)))
          (change-features *loaded-features* '())))))

(defvar *plain-types* nil
  "True while steps are carried out: functions get no types but those declared and their arity, and
special variables no notes that they were bound.")

(defvar *last-header* nil
  "What the last step left if it was a header: its record.")

(defun carry-out (step)
  "Carry out one step of an image."
  (forget-pathnames)
  (destructuring-bind (kind &rest arguments) step
    (ecase kind
      (:require (require-module (first arguments)))
      (:asd (load-definitions-with-features (first arguments) (second arguments)))
      (:perform (destructuring-bind (operation system path) arguments
                  (call-noting-step-uses
                   (lambda () (perform-named operation system path)))))
      (:header (setf *last-header* (apply 'carry-out-header arguments)))
      (:load (load (native-pathname (first arguments))))
      (:features (change-features (feature-list (first arguments))
                                  (feature-list (second arguments)))))))

(defmacro with-step-session (() &body body)
  "Run BODY in an ASDF session of its own, so that what it finds out is not found out twice."
  `(asdf/session:with-asdf-session (:override t)
     ,@body))

(defconstant +mark+ #x1E)

(defvar *marks-steps* nil
  "True where a host looks for marks of steps.")

(defun mark-step (index)
  "Tell on descriptor 2 that this process begins the step INDEX: should it die, the host knows of what."
  (let ((octets (make-array 9 :element-type '(unsigned-byte 8))))
    (setf (aref octets 0) +mark+)
    (loop for (start number) in (list (list 1 (process-id)) (list 5 index))
          do (dotimes (i 4)
               (setf (aref octets (+ start i)) (ldb (byte 8 (* 8 i)) number))))
    (transfer :write 2 octets)))

(defun carry-out-all (steps)
  "Carry out STEPS. The index of the one that failed, or NIL."
  (let ((index 0) (*plain-types* t))
    (unless (with-captured-output (output)
              (call-working
               (lambda ()
                 (with-step-session ()
                   (dolist (step steps)
                     (setf *last-header* nil)
                     (when *marks-steps*
                       (mark-step index))
                     (carry-out step)
                     (incf index))))))
      index)))

(defmacro with-diagnostics (() &body body)
  "Run BODY with an empty list of diagnostics."
  `(let ((*diagnostics* '()) (*recorded* '()) (*source-texts* '()))
     ,@body))

(defun answer-steps (out &rest steps)
  "Answer to (:STEPS OUT step...)."
  (use-output-folder out)
  (with-diagnostics ()
    (let* ((wall (wall-ns))
           (cpu (cpu-ns))
           (failed (let ((*marks-steps* *connection*)) (carry-out-all steps)))
           (diagnostics (reverse *diagnostics*)))
      (if failed
          (list* :steps-failed failed diagnostics)
          (list* :steps-done (- (wall-ns) wall) (- (cpu-ns) cpu) *last-header* diagnostics)))))
