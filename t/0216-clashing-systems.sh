#!/bin/bash
# Systems that can't be in one image are built in one build all the same: no file's image holds both.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

for name in a b; do
	system $name $name-package $name-macros $name-uses
	lisp $name-package.lisp <<-END
		(defpackage #:$name (:use #:common-lisp) (:nicknames #:clash))
	END
	lisp $name-macros.lisp <<-END
		(in-package #:clash)
		(defmacro twice (form) \`(list ,form ,form))
	END
	lisp $name-uses.lisp <<-END
		(in-package #:clash)
		(defun uses (x) (twice x))
	END
done
build_ok a b
build_ok b
expect_ran 0

# Now b's headers are known, and have to be made again together with what is new.
for more in 1 2 3; do
	system a a-package a-macros a-uses $(seq -f a-%g $more)
	system b b-package b-macros b-uses $(seq -f b-%g $more)
	for name in a b; do
		lisp $name-$more.lisp <<-END
			(in-package #:clash)
			(defmacro macro-$more (x) \`(twice ,x))
		END
	done
	build_ok a b
done
eval_is '(b::macro-3 1)' '(1 1)' "one of them can be loaded" --module b
eval_is '(a::macro-3 1)' '(1 1)' "and the other" --module a
done_testing
