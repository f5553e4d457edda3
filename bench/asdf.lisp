;;;; The ASDF side of comparisons: list systems, build one, in a process of its own.
;;;;
;;;;     sbcl --noinform --no-sysinit --no-userinit --load ASDF.fasl --load asdf.lisp --eval '(...)'

(defpackage #:tenon-bench
  (:use #:common-lisp)
  (:export #:list-systems #:build))

(in-package #:tenon-bench)

(defun first-line (text)
  "TEXT's first line that has something in it, without tabs, at most 300 characters."
  (let* ((blank '(#\Space #\Tab #\Newline #\Return))
         (text (string-trim blank text))
         (line (string-trim blank (subseq text 0 (position #\Newline text)))))
    (substitute #\Space #\Tab (subseq line 0 (min 300 (length line))))))

(defun describe-condition (condition)
  (format nil "~A: ~A" (type-of condition)
          (handler-case (first-line (princ-to-string condition))
            (error () "(its report fails)"))))

(defun exclusively (thunk)
  "Calls THUNK with nothing on standard output; what it prints goes to standard error."
  (let ((*standard-output* *error-output*))
    (funcall thunk)))

(defun list-systems (folder)
  "Prints NAME<tab>ASD for every system that an .asd file below FOLDER defines; one that can't be loaded counts as
a system of its own name."
  (let ((seen (make-hash-table :test #'equal)))
    (dolist (asd (uiop:read-file-lines folder))
      (exclusively (lambda () (ignore-errors (asdf:load-asd asd))))
      (setf (gethash (pathname-name asd) seen) asd))
    (dolist (name (asdf:registered-systems))
      (let ((file (ignore-errors (asdf:system-source-file (asdf:registered-system name)))))
        (when (and file (search "/common-lisp/source/" (namestring file)))
          (setf (gethash name seen) (namestring file)))))
    (loop for name in (sort (loop for name being the hash-keys of seen collect name) #'string<)
          do (format t "~A~C~A~%" name #\Tab (gethash name seen)))))

(defun build (result name)
  "Loads system NAME and writes \"ok\" or the error to the file RESULT; exits with 0 or 1."
  (let ((message (handler-case (progn (asdf:load-system name) nil)
                   (sb-sys:interactive-interrupt () "interrupted")
                   (sb-kernel::heap-exhausted-error () "heap exhausted")
                   (error (c) (describe-condition c)))))
    (with-open-file (out result :direction :output :if-exists :supersede :external-format :utf-8)
      (write-line (or message "ok") out))
    (finish-output)
    (sb-ext:exit :code (if message 1 0) :abort t)))
