;;;; Systems that are defined more than once: in .asd files of the same name where ASDF looks, of which
;;;; it takes one; or in several files that are all loaded. ASDF says nothing; people who edit the other
;;;; one want to be told.

(in-package :tenon-driver)

(defvar *notes* '()
  "What people should know of a description, last first.")

(defun add-note (control &rest arguments)
  (pushnew (apply #'format nil control arguments) *notes* :test #'equal))

(defvar *registry-files* (make-hash-table :test 'equal)
  "Name of a primary system -> the .asd files of that name in the source registry.")

(define-wrapper asdf/source-registry:collect-asds-in-directory note-registry-files (next arguments)
  (let* ((folder (first arguments))
         (none (and *tracing* (no-names-p (whole-name folder) ".asd")))
         (asds (if none '() (apply next arguments))))
    (when none
      (trace-folder folder))
    (when *describing*
      (dolist (asd asds)
        (pushnew (native asd) (gethash (pathname-name asd) *registry-files*) :test #'equal)))
    asds))

(defvar *defining-files* (make-hash-table :test 'equal)
  "Name of a system -> the .asd files that defined it when they were loaded.")

;; ASDF may leave this function for good when a system changes under its hands, and begin anew.
(define-wrapper asdf/parse-defsystem:register-system-definition note-defining-file (next arguments)
  (when (and *describing* *load-truename*)
    (pushnew (native *load-truename*)
             (gethash (asdf:coerce-name (first arguments)) *defining-files*) :test #'equal))
  (apply next arguments))

(defun real-name (path)
  (let ((truename (ignore-errors (truename (native-pathname path)))))
    (if truename (native truename) path)))

(defun note-duplicate (name used others)
  "Note which of OTHERS define the system NAME as well, for which the file USED is taken."
  (let ((others (remove (real-name used) others :key #'real-name :test #'equal)))
    (when others
      (add-note "system ~S is defined in ~S and in ~{~S~^, ~}: the first is used, as ASDF does"
                name used (sort (copy-list others) #'string<)))))

(defun note-duplicates (systems)
  "Note which of SYSTEMS, and of those that were loaded on the way, have more than one definition."
  (loop for asd across *asds*
        for name = (pathname-name (native-pathname (asd-path asd)))
        do (note-duplicate name (asd-path asd) (gethash name *registry-files*)))
  (dolist (system systems)
    (let ((file (definition-file system))
          (name (asdf:component-name system)))
      (when file
        (note-duplicate name (native file) (gethash name *defining-files*))))))
