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

# What a step makes beside the sources, as CFFI's tests make their libraries, is no source: the second build has nothing
# to do, although the file was not there before the first.
mkdir beside && cd beside || exit 1
cat >beside.asd <<'END'
(defclass made-beside (asdf:source-file) ((type :initform "c")))
(defmethod asdf:output-files ((o asdf:compile-op) (c made-beside))
  (values (list (make-pathname :type "made" :defaults (asdf:component-pathname c))) t))
(defmethod asdf:input-files ((o asdf:load-op) (c made-beside))
  (asdf:output-files 'asdf:compile-op c))
(defmethod asdf:perform ((o asdf:compile-op) (c made-beside))
  (uiop:copy-file (asdf:component-pathname c) (asdf:output-file o c)))
(defmethod asdf:perform ((o asdf:load-op) (c made-beside)) nil)
(defsystem "beside" :serial t :components ((made-beside "table") (:file "user")))
END
echo 1 >table.c
lisp user.lisp <<<'(defun cl-user::user () 1)'
RECHECK=no build_ok # that a file is new is worth a look
ok "the step has made its file" test -f table.made
build_ok
expect_ran 0
echo 2 >table.c
RECHECK=no build_ok
expect_ran 1
done_testing
