;;;; What the code of actions and steps reads while it runs: files that macros and #. open, look for or
;;;; list. They are no inputs that anybody declared, and results rest on them all the same.
;;;;
;;;; A process knows what was read since it was the root: what its image holds may come from any of
;;;; these files, by way of variables that nobody watches. So an answer names them all.

(in-package :tenon-driver)

(defvar *reads* (make-hash-table :test 'equal :synchronized t)
  "Native name -> (KIND STAMP OWN): :FILE, content counts; :PROBE, whether it is there; :FOLDER, the
names in it. STAMP is the file's change-stamp from before it was opened. OWN: the action read it, not a
step of its image only.")

(defvar *listing* nil
  "True while a folder is listed: that its entries are there is part of the listing.")

(defvar *unread-folders* '()
  "Folders in which the action under way, or the Lisp itself, has its own files.")

(defun unread-p (path)
  "True for PATHs that say nothing about what the user has."
  (or (own-file-p path)
      (below-p path "/sys/")
      (member path *unread-files* :test #'string=)
      (some (lambda (folder) (below-p path folder)) *unread-folders*)))

(defun note-read (name kind)
  "Remember that the file or folder NAME was read, listed or looked for. What is known of it already
may only become more: content says whether it is there."
  (when (and *noting-reads* (typep name '(or string pathname)))
    (let* ((*noting-reads* nil)
           (path (ignore-errors (native (merge-pathnames name *default-pathname-defaults*)))))
      (when (and path (not (wild-pathname-p (pathname name))) (not (unread-p path)))
        (destructuring-bind (&optional known (stamp 0) own) (gethash path *reads*)
          (when (or (null known) (and (eq known :probe) (not (eq kind :probe))))
            (setf known kind
                  stamp (if (eq kind :file) (change-stamp path) 0)))
          (setf (gethash path *reads*) (list known stamp (or own *acting*))))))))

(define-wrapper open note-open (next arguments)
  (when (and *noting-reads*
             (member (getf (rest arguments) :direction :input) '(:input :io)))
    (note-read (first arguments) :file))
  (apply next arguments))

;; PROBE-FILE, TRUENAME, FILE-WRITE-DATE and FILE-AUTHOR all end here. Dates are equal in an image.
(define-wrapper sb-impl::query-file-system note-probe (next arguments)
  (unless *listing*
    (note-read (first arguments) :probe))
  (apply next arguments))

;; To know where an output belongs ASDF asks for the truename of where it would be otherwise.
(define-wrapper asdf:apply-output-translations note-no-translation (next arguments)
  (let ((*noting-reads* nil) (*tracing* nil))
    (apply next arguments)))

(define-wrapper directory note-directory (next arguments)
  (let ((*listing* t))
    (apply next arguments)))

(define-wrapper sb-impl::call-with-native-directory-iterator note-listing (next arguments)
  (when *noting-reads*
    (note-read (native-directory (second arguments)) :folder))
  (apply next arguments))

;; What an .asd file loads is code that actions run. What else it reads makes the description, and
;; that is checked as such.
(defvar *noting-loads* nil
  "True while an .asd file is loaded as a step.")

(define-wrapper load note-load (next arguments)
  (when *noting-loads*
    (let ((name (first arguments)))
      (unless (and (typep name '(or string pathname))
                   (equalp (pathname-type (pathname name)) "asd"))
        (let ((*noting-reads* t))
          (note-read name :file)))))
  (apply next arguments))

(defun call-noting-reads (operation component function)
  "Call FUNCTION, which performs OPERATION on COMPONENT, and note what it reads."
  (setf *unread-files* (mapcar #'native (remove nil (asdf:input-files operation component)))
        *noting-reads* t)
  (unwind-protect (funcall function)
    (setf *noting-reads* nil)))

(defun note-own-folder (folder)
  "Files below FOLDER are of this process's own making."
  (push (concatenate 'string (trim-slash folder) "/") *unread-folders*))

(defun note-lisp-folders ()
  "The Lisp's own files are part of the toolchain; headers are written to a folder of the host's."
  (let ((writable (sb-ext:posix-getenv "TENON_WRITABLE"))
        (lisp (sb-int:sbcl-homedir-pathname)))
    (when writable
      (note-own-folder writable))
    (when lisp
      (note-own-folder (native lisp)))))

(defun noted-reads ()
  "((KIND PATH STAMP OWN)...) of all that was read since this process was the root, by PATH."
  (let ((reads '()))
    (maphash (lambda (path read)
               (destructuring-bind (kind stamp own) read
                 (push (list kind path stamp own) reads)))
             *reads*)
    (sort reads #'string< :key #'second)))
