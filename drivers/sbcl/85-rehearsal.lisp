;;;; A rehearsal before the base core is saved: a small system is described, compiled and loaded.
;;;;
;;;; Generic functions find their methods, and parts of the compiler their tables, when they are
;;;; first called. Forks would each pay for that again; so it is done once, and left in the core.

(in-package :tenon-driver)

(defparameter *rehearsal-files*
  '(("tenon-rehearsal.asd"
     "(defsystem \"tenon-rehearsal\" :version \"1.0\" :serial t
        :depends-on ((:feature :no-such-feature \"nothing\") (:version \"asdf\" \"3.0\"))
        :components ((:static-file \"notes.txt\")
                     (:file \"package\")
                     (:module \"sub\" :depends-on (\"package\")
                      :components ((:file \"one\") (:file \"two\" :depends-on (\"one\"))))))
      (defsystem \"tenon-rehearsal/extra\" :depends-on (\"tenon-rehearsal\" (:require \"sb-posix\"))
        :components ((:file \"extra\")))")
    ("notes.txt" "Nothing.")
    ("out/.output" "What a program prints.")
    ("package.lisp" "(defpackage :tenon-rehearsal (:use :cl) (:export #:one))")
    ("sub/one.lisp"
     "(in-package :tenon-rehearsal)
      (defmacro twice (x) `(* 2 ,x))
      (defvar *state* 0)
      (defstruct place (line 0 :type fixnum) name)
      (defclass thing () ((name :initarg :name :accessor thing-name)))
      (define-condition trouble (error) ((what :initarg :what :reader what))
        (:report (lambda (c s) (format s \"trouble with ~A\" (what c)))))
      (defgeneric one (x))
      (defmethod one ((x thing)) (thing-name x))
      (defun sum (list) (loop for x in list sum (twice x)))")
    ("sub/two.lisp"
     "(in-package :tenon-rehearsal)
      (declaim (inline half))
      (defun half (x) (declare (type double-float x)) (/ x 2d0))
      (defun two (unused) (let ((x (make-instance 'thing :name \"a\"))) (not-there (one x))))
      (defun three (x) (handler-case (half x) (trouble (c) (what c)) (error () 0)))")
    ("extra.lisp" "(in-package :tenon-rehearsal) (defun extra () *state*)"))
  "What is rehearsed with: a bit of all that real systems do, something undefined included.")

(defun write-rehearsal (folder)
  (loop for (name text) in *rehearsal-files*
        for path = (merge-pathnames name folder)
        do (ensure-directories-exist path)
           (with-open-file (out path :direction :output :if-exists :supersede)
             (write-string text out))))

(defun rehearse-describing (folder)
  "Describe the rehearsal's systems. The plan."
  (with-diagnostics ()
    (with-tracing ()
      (with-captured-output (output)
        (call-working
         (lambda ()
           (let ((out (concatenate 'string (native folder) "out")))
             (prepare-describing out nil)
             (wire-text
              (plan-systems-named '("tenon-rehearsal/extra")
                                  (format nil "(:source-registry (:directory ~S) ~
                                               :ignore-inherited-configuration)"
                                          (native folder))
                                  nil
                                  (mapcar #'feature-text *features*))))))))))

(defun rehearse-step (folder &rest step)
  (wire-text (answer-steps (concatenate 'string (native folder) "out")
                           (wire-read (wire-text step)))))

(defun rehearse-compiling (folder path)
  "Compile the component at PATH of the rehearsal's system, as an action does once its process is
ready, and say what an action would."
  (let* ((operation (asdf:make-operation 'asdf:compile-op))
         (component (find-component-named "tenon-rehearsal" path))
         (scratch (concatenate 'string (native folder) "out"))
         (relatives (output-names operation component)))
    (with-diagnostics ()
      (redirect-outputs relatives scratch)
      (wire-text (carry-out-prepared operation component relatives nil scratch
                                     "rehearsal:file.lisp")))))

(defun rehearse-building (folder)
  (rehearse-step folder :asd (concatenate 'string (native folder) "tenon-rehearsal.asd")
                 (mapcar #'feature-text *features*))
  (dolist (path '(("package") ("sub" "one") ("sub" "two")))
    (rehearse-compiling folder path)
    (rehearse-step folder :perform "ASDF/LISP-ACTION:LOAD-OP" "tenon-rehearsal" path)))

(defun forget-rehearsal ()
  "Leave nothing of the rehearsal but quick generic functions."
  (dolist (name '("tenon-rehearsal" "tenon-rehearsal/extra" "sb-posix"))
    (asdf:clear-system name)
    (when asdf/system-registry:*immutable-systems*
      (remhash name asdf/system-registry:*immutable-systems*)))
  (asdf:clear-configuration)
  (when (find-package :tenon-rehearsal)
    (mapc (lambda (name)
            (setf (find-class (intern name :tenon-rehearsal)) nil))
          '("THING" "TROUBLE"))
    (delete-package :tenon-rehearsal))
  (clrhash *redirected*)
  (clrhash *reads*)
  (clrhash *uses*)
  (clrhash *name-uses*)
  (clrhash *system-package-p*)
  (fill *used-lately* nil)
  (setf *step-uses* '())
  (setf *out* nil *plan-out* nil *cache-folder* nil *asds* nil *asd-by-path* nil
        *user-translations* nil *settled* nil *loaded-features* '()
        *defined-functions* nil *unread-files* '() *unread-folders* '()))

(defun call-with-building-state (function)
  (let ((*image-mode* t) (*fixed-file-dates* t) (*describing* nil)
        (*features* (copy-list *features*))
        (*bare-features* (copy-list *features*)))
    (install-output-translations)
    (funcall function)))

(defun rehearse (parent)
  "Go through what a build does, in a folder below PARENT, the native name of the host's own scratch folder."
  (let ((folder (native-directory (concatenate 'string parent "/rehearsal"))))
    (unwind-protect
         (progn
           (write-rehearsal folder)
           (call-with-building-state (lambda () (rehearse-describing folder)))
           (forget-rehearsal)
           (dotimes (i 2)
             (call-with-building-state (lambda () (rehearse-building folder)))
             (forget-rehearsal)))
      (uiop:delete-directory-tree folder :validate t :if-does-not-exist :ignore))))
