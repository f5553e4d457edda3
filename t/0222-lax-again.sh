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
done_testing
