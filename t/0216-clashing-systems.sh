#!/bin/bash
# Systems that can't be in one image are built in one build all the same: no file's image holds both.
# seconds: 15
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

# -- two systems that hold one file --
mkdir "$T_WORK/shared" && cd "$T_WORK/shared" || exit 1
cat >early.asd <<-'END'
	(defsystem "early" :components ((:file "slow") (:file "both" :depends-on ("slow"))))
END
system late both
lisp slow.lisp <<<'(eval-when (:compile-toplevel) (sleep 1))'
lisp both.lisp <<<'(defun cl-user::both () 1)'
both=.tenon/out/default$PWD/both.fasl
build_ok early late
like "$(stderr)" 'both make .*both\.fasl' "that there is room for one result is told"
ok "the one that comes later in the build is there, whichever was made last" grep -qa late:both.lisp "$both"
build_ok early
build_ok early late
ok "as in every build of them" grep -qa late:both.lisp "$both"
build_ok late early
ok "in another order it is the other one" grep -qa early:both.lisp "$both"
done_testing
