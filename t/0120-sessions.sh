#!/bin/bash
# What ASDF does in a session: systems that came from FASLs are loaded, and nothing more than loaded; those that have
# changed since are the user's to load again.
# seconds: 15
. "$(dirname "$0")/lib.sh"
need sbcl

lisp base.lisp <<'END'
(defpackage #:base (:use #:common-lisp) (:export #:one))
(in-package #:base)
(defmacro one () 1)
END
lisp top.lisp <<'END'
(defpackage #:top (:use #:common-lisp #:base) (:export #:two))
(in-package #:top)
(defun two () (+ 1 (one)))
END
lisp tests.lisp <<'END'
(defpackage #:tests (:use #:common-lisp #:top))
(in-package #:tests)
(defun run () (format t "~&ran: ~D~%" (two)))
END
system base base
cat >top.asd <<'END'
(asdf:defsystem "top" :depends-on ("base") :components ((:file "top"))
  :in-order-to ((asdf:test-op (asdf:test-op "top/tests"))))
(asdf:defsystem "top/tests" :depends-on ("top") :components ((:file "tests"))
  :perform (asdf:test-op (operation system) (uiop:symbol-call :tests :run)))
END

export CL_SOURCE_REGISTRY="$PWD//:" XDG_CACHE_HOME="$T_WORK/cache"
build_ok top/tests
tenon eval --module top/tests '(asdf:test-system "top")'
like "$(stdout)" '^ran: 2$' "tests of a system whose FASLs were loaded are run"
tenon eval --module top '(asdf:test-system "top")'
like "$(stdout)" '^ran: 2$' "tests are loaded by ASDF where tenon has not loaded them"

# An edit during the session: the form is evaluated after loading.
count='(defmethod asdf:perform :before ((operation asdf:compile-op) (component asdf:cl-source-file))
         (format t "~&compiled ~A~%" (asdf:component-name component)))'
edit='(with-open-file (out "base.lisp" :direction :output :if-exists :append)
        (format out "~&(defmacro one () 41)~%"))
      (sb-posix:utime "base.lisp" (+ 60 (sb-posix:time)) (+ 60 (sb-posix:time)))'
tenon eval --module top/tests "(require :sb-posix) $count (asdf:load-system \"top\")"
unlike "$(stdout)" 'compiled' "what came from FASLs is not compiled again"
cat >edit.lisp <<END
(require :sb-posix)
$count
$edit
(asdf:load-system "top/tests")
(tests::run)
END
tenon eval --module top/tests '(load "edit.lisp")'
like "$(stdout)" '^compiled base$' "a file that was edited during the session is compiled and loaded again"
like "$(stdout)" '^ran: 42$' "and so is what depends on it"
done_testing
