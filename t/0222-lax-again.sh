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
done_testing
