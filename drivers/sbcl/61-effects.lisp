;;;; Effects: steps that are carried out by users' own methods of PERFORM. Such a method may compile and
;;;; write files of which ASDF and the host know nothing (Swank's loader does), in every image that needs
;;;; it, and decides by their dates whether they are to be made again.

(in-package :tenon-driver)

;;; Dates

(defconstant +unix-epoch+ (encode-universal-time 0 0 0 1 1 1970 0))

(defun date-for-effect (next name)
  "The date of the file NAME as an effect is to see it; NEXT gives what the file has. Of what isn't built it
is the second after anything of it was changed: older files may be moved to where others were, and what was
made of a file may have the same date. To ask for it is to use what is in the file."
  (let ((path (whole-name name)))
    (cond ((or (null path) (below-p path (concatenate 'string *out* "/"))) (funcall next name))
          ((probe-file name)
           (when (pathname-name (probe-file name))
             (note-read name :file))
           (+ 1 +unix-epoch+ (floor (change-stamp path) 1000000000))))))

;; ASDF takes everything for up to date, whoever calls it.
(define-wrapper uiop:safe-file-write-date fixed-file-date (next arguments)
  (let ((*in-effect* nil))
    (apply next arguments)))

;;; Files that others may be about to read

(defun compile-whole (next input &rest options &key output-file &allow-other-keys)
  "Compile as NEXT does. The FASL gets its name when it is whole: nobody sees a part of it, even if this
process is killed."
  (let* ((output (if (typep output-file '(or string pathname))
                     (compile-file-pathname input :output-file output-file)
                     (compile-file-pathname input)))
         (path (whole-name output))
         (part (format nil "~A.~D" path (libc "getpid" sb-alien:int))))
    (multiple-value-bind (made warnings failure)
        (apply next input :output-file (native-pathname part) options)
      (when made
        (libc "rename" sb-alien:int (sb-alien:c-string part) (sb-alien:c-string path)))
      (values (and made (probe-file output)) warnings failure))))

(define-wrapper compile-file compile-whole (next arguments)
  (if *in-effect*
      (apply 'compile-whole next arguments)
      (apply next arguments)))

(defconstant +lock-places+ (ash 1 40)
  "So many effects can be told apart.")

(defun call-alone (name function)
  "Call FUNCTION; whoever else of this build wants to call one under that NAME waits for its end. Where there
can't be a lock, nobody does."
  (let ((lock (open-descriptor (format nil "~A/.effects" *out*)
                               (logior +o-rdwr+ +o-creat+ +o-cloexec+))))
    (unwind-protect
         (progn
           (libc "lseek" sb-alien:long (sb-alien:int lock)
                 (sb-alien:long (mod (text-hash name) +lock-places+)) (sb-alien:int 0))
           (loop while (and (minusp (libc "lockf" sb-alien:int (sb-alien:int lock)
                                          (sb-alien:int +f-lock+) (sb-alien:long 1)))
                            (= (sb-alien:get-errno) +eintr+)))
           (funcall function))
      (close-descriptor lock))))

(defun call-as-step (operation component function)
  "Call FUNCTION, which performs OPERATION on COMPONENT in an image."
  (if (eq (action-kind operation component '()) :effect)
      (call-alone (format nil "~A ~{~A~^ ~}" (symbol-name (type-of operation))
                          (asdf:component-find-path component))
                  (lambda ()
                    (setf *in-effect* t)
                    (unwind-protect (funcall function)
                      (setf *in-effect* nil))))
      (funcall function)))
