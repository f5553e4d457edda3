;;;; Constructors: MAKE-INSTANCE of a class that is known where it is compiled.
;;;;
;;;; SBCL compiles a function for each such call when it is made first, which takes some milliseconds.
;;;; That is a good trade for a program and a bad one for an image, whose code makes most of its
;;;; instances once, while FASLs are loaded; and what was compiled is gone with the process.

(in-package :tenon-driver)

(defparameter *calls-before-compiling* 64
  "How often a constructor does without a compiled function.")

(defun constructor-caller (constructor install)
  "A function that does what CONSTRUCTOR is for in the general way, and calls INSTALL on it when it
was called often."
  (let ((class (sb-pcl::ctor-class-or-name constructor))
        (initargs (sb-pcl::ctor-initargs constructor))
        (calls 0))
    (declare (fixnum calls))
    (lambda (&rest arguments)
      (cond ((< (incf calls) *calls-before-compiling*)
             (apply #'make-instance class
                    (loop for (key value) on initargs by #'cddr
                          collect key
                          collect (if (constantp value)
                                      (sb-int:constant-form-value value)
                                      (pop arguments)))))
            (t (funcall install constructor)
               (apply constructor arguments))))))

(when (and (fboundp 'sb-pcl::install-optimized-constructor)
           (fboundp 'sb-pcl::ctor-class-or-name)
           (fboundp 'sb-pcl::ctor-initargs)
           (fboundp 'sb-pcl::ctor-type))
  (define-wrapper sb-pcl::install-optimized-constructor call-before-compiling (next arguments)
    (let ((constructor (first arguments)))
      (if (and *image-mode* (eq (sb-pcl::ctor-type constructor) 'sb-pcl::ctor))
          (setf (sb-kernel:%funcallable-instance-fun constructor)
                (constructor-caller constructor next))
          (apply next arguments)))))
