#!/bin/bash
# Functions that a file calls and a later one of its system defines are no warnings, in any number of systems.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

for name in low high; do
	DEPENDS=$([ $name = low ] || echo low) system $name $name-package $name-uses $name-defines
	lisp $name-package.lisp <<-END
		(defpackage #:$name (:use #:common-lisp))
	END
	lisp $name-uses.lisp <<-END
		(in-package #:$name)
		(defun uses () (later 1))
	END
	lisp $name-defines.lisp <<-END
		(in-package #:$name)
		(defun later (x) (list :$name x))
	END
done
build_ok low high
expect_ran 6
unlike "$(stderr)" 'undefined' "nothing is told of functions that come later"
echo '(defun never () (nowhere))' >>high-uses.lisp
build_ok low high
is "$(stderr | grep -c 'undefined function')" 1 "one that nobody defines is told"
like "$(stderr)" 'undefined function: HIGH::NOWHERE' "by its name"
eval_is '(list (low::uses) (high::uses))' '((:LOW 1) (:HIGH 1))' "both work" --module high
done_testing
