#!/bin/bash
# A function that a file calls later is no missing declaration, with --lax neither: not the first time, nor when the
# file's result comes from the store.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

SERIAL=nil system lib first second third
lisp first.lisp <<-'END'
	(defun first-one () 1)
END
lisp second.lisp <<-'END'
	(defun second-one () (first-one))
END
lisp third.lisp <<-'END'
	(defun third-one () 1)
END
build_ok
for i in 1 2 3; do
	echo "; $i" >>third.lisp
	build_ok --lax
	unlike "$(stderr)" "undeclared dependency" "nothing is missing, build $i with --lax"
done

# -- of two systems that have nothing to do with each other, one fails --

rm -rf ./*
SERIAL=nil system one bad
SERIAL=nil system two use
lisp bad.lisp <<<'(defun bad () 1) (eval-when (:compile-toplevel) (error "bad"))'
lisp use.lisp <<<'(defun use () (no-such-package:thing))'
tenon build --keep-going --lax one two
is "$CODE" 1 "two systems fail"
like "$(stderr)" "use.lisp:1.*NO-SUCH-PACKAGE" "the one that lacks something is told of, though what the other one has can't be loaded"
like "$(stderr)" "2 failed" "and is not skipped" || diag_file "$T_ERR"

# -- a file that lacks a macro, compiled last, comes back to the image that it failed in --

rm -rf ./*
comment() { printf '; %01000d\n' $(seq "$1"); }
for i in $(seq 12); do
	lisp low$i.lisp <<<"(defun low-$i () $i) $(comment 12)"
done
SERIAL=t system low $(seq -f low%g 12)
cat >late.asd <<-'END'
	(defsystem "late" :depends-on ("low")
	  :components ((:file "start") (:file "macro" :depends-on ("start")) (:file "user" :depends-on ("start"))
	               (:file "other" :depends-on ("macro"))))
END
lisp other.lisp <<<"(defun other () (twice 2)) $(comment 40)"
lisp start.lisp <<<"(defun start () (low-1)) $(comment 40)"
lisp macro.lisp <<<"(defmacro twice (form) \`(list ,form ,form)) $(comment 40)"
lisp user.lisp <<<'(defmacro thrice (form) `(list ,form ,@(twice form))) (defun user () (thrice 1))'
tenon build --lax -j1 late
is "$CODE" 0 "what is missing is found with --lax" || diag_file "$T_ERR"
steps=$(sed -n 's/.*"step-start".*"late:user.lisp".*"total":\([0-9]*\).*/\1/p' "$T_LOG" | tail -1)
is "$steps" 1 "the second try makes one step, not all of the image again"
done_testing
