;;;; How long a header may take, and the interpreter where a file is compiled among headers.

(in-package :tenon-driver)

(defparameter *header-limit* 400000
  "Microseconds of processor time that the interpreter may take for a header, and what comes to it for each
octet of its source. What takes longer computes so much that an interpreter is the wrong one to do it; the
process is ended, and the host takes the FASL. Compiled code that is called (macros of a library that came as
FASLs, say) would take as long when the file is compiled.")

(defparameter *header-limit-per-octet* 10)

(defparameter *known-factor* 10
  "So many times as long may be taken by a header that was made before.")

(defparameter *compiled-limit* 20
  "So many times as long a header may take in all.")

(defparameter *action-limit* 600000
  "Microseconds of processor time that the interpreter may take while a file is compiled. Of some 3,000 files
of all sorts two take longer, most less than 50,000; compiled functions would take a tenth or less.")

(defparameter *header-tick* 50000
  "Microseconds of processor time between two looks at what a header computes.")

(defparameter *action-tick* 200000
  "The same for compiles: most end before the first look.")

(defparameter *near-frames* 30
  "Where none of so many innermost frames is the interpreter's, what runs is compiled code, as it is where one
of a compiled function of some file is nearer.")

(defun some-symbol-p (predicate name)
  "True if PREDICATE is true of a symbol in NAME, of a compiled function."
  (typecase name
    (symbol (funcall predicate name))
    (cons (or (some-symbol-p predicate (car name))
              (some-symbol-p predicate (cdr name))))))

(defun of-the-interpreter-p (symbol)
  (let ((package (symbol-package symbol)))
    (and package (string= (package-name package) "SB-EVAL"))))

(defun interpreting-p ()
  "True if the interpreter, or a function of Lisp itself that it has called, computes."
  (loop for frame = (sb-di:top-frame) then (sb-di:frame-down frame)
        repeat *near-frames*
        while frame
        do (let ((name (sb-di:debug-fun-name (sb-di:frame-debug-fun frame))))
             (cond ((some-symbol-p #'of-the-interpreter-p name) (return t))
                   ((some-symbol-p (complement #'of-the-system-p) name) (return nil))))))

(defun call-interpreting-at-most (microseconds longest tick function)
  "Call FUNCTION. The process ends if the interpreter takes longer than MICROSECONDS, or, where LONGEST isn't
NIL, all together takes longer than that. TICK: between two looks."
  (let ((interpreted 0) (all 0))
    (call-every tick
                (lambda ()
                  (incf all tick)
                  (when (interpreting-p)
                    (incf interpreted tick))
                  (or (>= interpreted microseconds)
                      (and longest (>= all longest))))
                function)))

(defun call-limited (microseconds function)
  "Call FUNCTION, which makes a header. The process ends if the interpreter takes longer than MICROSECONDS,
all together takes *COMPILED-LIMIT* times that, or it keeps signals from being handled."
  (let ((longest (* *compiled-limit* microseconds)))
    (limit-all-processor-time (ceiling longest 1000000))
    (unwind-protect (call-interpreting-at-most microseconds longest *header-tick* function)
      (limit-all-processor-time nil))))

(defun header-limit (operation component known)
  "Microseconds of processor time that the interpreter may take for the header of COMPONENT. One that is
KNOWN did end before: it may take longer this time (one that waits for the next second, say), and ending it
would be blamed on what is to come."
  (* (if known *known-factor* 1)
     (+ *header-limit*
        (* *header-limit-per-octet*
           (or (ignore-errors (file-size (native (first (asdf:input-files operation component)))))
               0)))))

(defun call-as-action (function)
  "Call FUNCTION, which compiles a file. Among headers the interpreter may not take too long."
  (if *headers-here*
      (call-interpreting-at-most *action-limit* nil *action-tick* function)
      (funcall function)))
