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

# Places: what is loaded finds its source as from ASDF's cache, and the session's own cache is the user's.
lisp place.lisp <<'END'
(defparameter cl-user::*source*
  (let ((cache (namestring asdf:*user-cache*)) (fasl (namestring *load-pathname*)))
    (and (eql (search cache fasl) 0)
         (pathname-name (probe-file (make-pathname :type "lisp"
                                                   :defaults (subseq fasl (1- (length cache)))))))))
END
system place place
eval_is '*source*' '"place"' "a FASL can be traced to its source as one in ASDF's cache" --module place
XDG_CACHE_HOME=$T_WORK/mine eval_is '(search "'"$T_WORK"'/mine/common-lisp/" (namestring (asdf:apply-output-translations "/a/b.fasl")))' 0 \
	"what a session compiles goes to the user's cache" --module place --store "$XDG_CACHE_HOME/tenon"

# Systems are found where tenon finds them.
(unset CL_SOURCE_REGISTRY && cd / && mkdir "$T_WORK/elsewhere" && cd "$T_WORK/elsewhere" && system far far &&
	echo '(defun cl-user::far () 8)' >far.lisp)
tenon eval '(progn (asdf:load-system "far") (uiop:symbol-call :cl-user :far))' --module place --registry "(:tree \"$T_WORK/elsewhere/\")"
is "$CODE $(tail -n 1 "$T_OUT")" "0 8" "a system that --registry names is found"

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
is "$(find . -name '*.fasl' -not -path './.tenon/*')" "" "no FASL lies beside its source"
done_testing
