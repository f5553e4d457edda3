#!/bin/bash
# Operations that systems define themselves: whatever ASDF puts up with.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

# A program's output goes to a stream and to where a user would see it, as CFFI does with pkg-config's.
cat >own.asd <<'END'
(defclass asks-a-program (asdf:static-file) ())
(defmethod asdf:output-files ((o asdf:compile-op) (c asks-a-program))
  (list (make-pathname :type "out" :defaults (asdf:component-pathname c))))
(defmethod asdf:perform ((o asdf:compile-op) (c asks-a-program))
  (let ((text (make-string-output-stream)))
    (uiop:run-program '("printf" "one\\ntwo\\n") :output (make-broadcast-stream text *debug-io*))
    (with-open-file (out (asdf:output-file o c) :direction :output :if-exists :supersede)
      (prin1 (get-output-stream-string text) out))))
;; Its library may be installed already; then there is nothing to do.
(defclass installed-library (asdf:static-file) ())
(defmethod asdf:output-files ((o asdf:compile-op) (c installed-library))
  (list (make-pathname :type "so" :defaults (asdf:component-pathname c))))
(defmethod asdf:perform ((o asdf:compile-op) (c installed-library)) nil)
(defsystem "own" :serial t
  :components ((asks-a-program "question.txt") (installed-library "library.c") (:file "own")))
END
touch question.txt library.c
lisp own.lisp <<'END'
(defpackage #:own (:use #:common-lisp))
(in-package #:own)
(defparameter *answer*
  (with-open-file (in (asdf:output-file 'asdf:compile-op (asdf:find-component "own" "question.txt"))) (read in)))
END
build_ok
like "$(diagnostics)" 'warning.*did not write its output' "an output that is not written is told"
eval_is '(substitute #\, #\Newline own::*answer*)' '"one,two,"' "what the program printed arrived" --module own
done_testing
