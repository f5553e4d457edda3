;;;; How long a header may take.

(in-package :tenon-driver)

(defparameter *header-limit* 400000
  "Microseconds of processor time that the interpreter may take for a header, and what comes to it for each
octet of its source. What takes longer computes so much that an interpreter is the wrong one to do it; the
process is ended, and the host takes the FASL. Compiled code that is called (macros of a library that came as
FASLs, say) would take as long when the file is compiled.")

(defparameter *header-limit-per-octet* 10)

(defparameter *compiled-limit* 20
  "So many times as long a header may take in all.")

(defparameter *tick* 50000
  "Microseconds of processor time between two looks at what a header computes.")

(defparameter *near-frames* 30
  "Where none of so many innermost frames is the interpreter's, what runs is compiled code, as it is where one
of a compiled function of some file is nearer.")

(defun of-the-interpreter-p (name)
  "True if NAME, of a compiled function, is one of the interpreter's."
  (typecase name
    (symbol (and (symbol-package name)
                 (string= (package-name (symbol-package name)) "SB-EVAL")))
    (cons (or (of-the-interpreter-p (car name))
              (of-the-interpreter-p (cdr name))))))

(defun of-a-file-p (name)
  "True if NAME, of a compiled function, is one that a file gave it."
  (typecase name
    (symbol (not (of-the-system-p name)))
    (cons (or (of-a-file-p (car name))
              (of-a-file-p (cdr name))))))

(defun interpreting-p ()
  "True if the interpreter, or a function of Lisp itself that it has called, computes."
  (loop for frame = (sb-di:top-frame) then (sb-di:frame-down frame)
        repeat *near-frames*
        while frame
        do (let ((name (sb-di:debug-fun-name (sb-di:frame-debug-fun frame))))
             (cond ((of-the-interpreter-p name) (return t))
                   ((of-a-file-p name) (return nil))))))

(defun call-limited (microseconds function)
  "Call FUNCTION. The process ends if the interpreter takes longer than MICROSECONDS, all together takes
*COMPILED-LIMIT* times that, or it keeps signals from being handled."
  (let ((interpreted 0) (all 0) (longest (* *compiled-limit* microseconds)))
    (limit-all-processor-time (ceiling longest 1000000))
    (unwind-protect
         (call-every *tick*
                     (lambda ()
                       (incf all *tick*)
                       (when (interpreting-p)
                         (incf interpreted *tick*))
                       (or (>= interpreted microseconds) (>= all longest)))
                     function)
      (limit-all-processor-time nil))))

(defun header-limit (operation component)
  "Microseconds of processor time that the interpreter may take for the header of COMPONENT."
  (+ *header-limit*
     (* *header-limit-per-octet*
        (or (ignore-errors (file-size (native (first (asdf:input-files operation component)))))
            0))))
