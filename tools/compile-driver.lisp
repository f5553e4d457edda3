;;;; Compiles the driver for the SBCL that runs this, on the build machine.
;;;;
;;;;     sbcl --noinform --no-sysinit --no-userinit --disable-debugger
;;;;          --load tools/compile-driver.lisp --end-toplevel-options OUTPUT FOLDER
;;;;
;;;; OUTPUT gets the version of the Lisp as its first line, and one FASL behind that, made of all files
;;;; of FOLDER. A program that finds the same Lisp where it is used needn't compile the driver there.
;;;; Nothing of this machine is in it.

(require :asdf)

(defun copy-octets (from out)
  (with-open-file (in from :element-type '(unsigned-byte 8))
    (let ((octets (make-array (file-length in) :element-type '(unsigned-byte 8))))
      (read-sequence octets in)
      (write-sequence octets out))))

(defun compile-quietly (source fasl)
  "Files name functions of later ones: only the whole would know what is undefined."
  (let ((text (make-string-output-stream)))
    (multiple-value-bind (truename warnings failure)
        (let ((*error-output* text) (*standard-output* text))
          (with-compilation-unit (:override t :source-namestring (file-namestring source))
            (compile-file source :output-file fasl)))
      (declare (ignore warnings))
      (when (or failure (null truename))
        (error "~A can't be compiled:~%~A" source (get-output-stream-string text))))))

(defun compile-and-load (source output)
  "The FASL of SOURCE, beside OUTPUT."
  (let ((fasl (format nil "~A-~A.part" output (pathname-name source))))
    (compile-quietly source fasl)
    (load fasl)
    fasl))

(destructuring-bind (output folder) (last sb-ext:*posix-argv* 2)
  (let* ((sources (sort (directory (format nil "~A/*.lisp" folder)) #'string< :key #'namestring))
         (output (sb-ext:native-namestring (merge-pathnames output)))
         (fasls (loop for source in sources collect (compile-and-load source output))))
    (with-open-file (out output :direction :output :if-exists :supersede
                                :element-type '(unsigned-byte 8))
      (write-sequence (sb-ext:string-to-octets (format nil "~A~%" (lisp-implementation-version)))
                      out)
      (loop for fasl in fasls
            for source in sources
            do (funcall (intern "REWRITE-FASL-HEADER" :tenon-driver) fasl (file-namestring source))
               (copy-octets fasl out)))
    (mapc #'delete-file fasls))
  (sb-ext:exit :code 0 :abort t))
