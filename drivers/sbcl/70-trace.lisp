;;;; What a description rests on: the files that were read, those that were looked for in vain, the
;;;; folders that were listed. While it stays the same, so does the description.

(in-package :tenon-driver)

(defvar *files-read* (make-hash-table :test 'equal))
(defvar *files-absent* (make-hash-table :test 'equal))
(defvar *folders-listed* (make-hash-table :test 'equal))

(defvar *cache-folder* nil
  "Where the describing process writes what it has to compile; nothing below it is traced.")

(defvar *asdf-cache-folder* nil
  "(FOLDER . SETTINGS): what ASDF-CACHE-FOLDER found in that environment.")

(defun asdf-cache-folder ()
  "Where ASDF writes for the user."
  (let ((settings (list (sb-ext:posix-getenv "XDG_CACHE_HOME") (sb-ext:posix-getenv "HOME"))))
    (unless (and *asdf-cache-folder* (equal (rest *asdf-cache-folder*) settings))
      (setf *asdf-cache-folder* (cons (native (uiop:xdg-cache-home "common-lisp/")) settings)))
    (first *asdf-cache-folder*)))

(defun own-file-p (path)
  "True for PATHs whose change says nothing about systems: what we write, what ASDF writes for the
user, what the kernel makes up (not files in shared memory, which are as good as others), the root
folder that every path begins with."
  (or (string= path "/")
      (search "/.tenon/" path)
      (below-p path (asdf-cache-folder))
      (and *cache-folder* (below-p path *cache-folder*))
      (and *out* (below-p path *out*))
      (below-p path "/proc/")
      (and (below-p path "/dev/") (not (below-p path "/dev/shm/")))))

(defun whole-name (pathname)
  "The name that the operating system has for PATHNAME, from the root on; NIL if it can have none."
  (ignore-errors (native (merge-pathnames pathname *default-pathname-defaults*))))

(defun trace-path (pathname table)
  "Remember PATHNAME in TABLE, unless it is one of our own making."
  (let* ((*tracing* nil) ; finding out what PATHNAME is looks for files as well
         (path (whole-name pathname)))
    (when (and path (not (own-file-p path)))
      (setf (gethash path table) t))))

(define-wrapper open trace-open (next arguments)
  (destructuring-bind (name &key (direction :input) &allow-other-keys) arguments
    (let ((stream (apply next arguments)))
      (when (and *tracing* (eq direction :input) (typep name '(or string pathname)))
        (trace-path name (if stream *files-read* *files-absent*)))
      stream)))

(define-wrapper probe-file trace-probe (next arguments)
  (let ((found (apply next arguments)))
    (when (and *tracing* (null found) (typep (first arguments) '(or string pathname)))
      (trace-path (first arguments) *files-absent*))
    found))

;; ASDF asks for the dates of what it may have to compile for itself.
(define-wrapper file-write-date trace-date (next arguments)
  (let ((date (apply next arguments)))
    (when (and *tracing* date (typep (first arguments) '(or string pathname)))
      (trace-path (first arguments) *files-read*))
    date))

(defun trace-folder (folder)
  "FOLDER was listed, or is not there to be listed."
  (when *tracing*
    (if (uiop:directory-exists-p folder)
        (trace-path folder *folders-listed*)
        (trace-path folder *files-absent*))))

(define-wrapper uiop:directory-files trace-files (next arguments)
  (trace-folder (first arguments))
  (apply next arguments))

;; A tree has some hundred folders, and most lie at its ends: SBCL makes pathnames of all their files to find no
;; folder among them.
(define-wrapper uiop:subdirectories trace-subdirectories (next arguments)
  (let ((folder (first arguments)))
    (trace-folder folder)
    (unless (and *tracing* (no-folders-p (whole-name folder)))
      (apply next arguments))))

(defun sorted-keys (table)
  (sort (loop for key being the hash-keys of table collect key) #'string<))

(defmacro with-tracing (() &body body)
  `(let ((*tracing* t)
         (*files-read* (make-hash-table :test 'equal))
         (*files-absent* (make-hash-table :test 'equal))
         (*folders-listed* (make-hash-table :test 'equal)))
     ,@body))
