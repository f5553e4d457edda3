#!/bin/bash
# Many files that nobody depends on: their headers are never made, and stand in no other file's way.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

# The header of a long file is expected to take longer than a short file's compile.
names=$(seq -f long-%g 80)
for name in $names; do
	{
		printf '(defun %s () 1)\n' "$name"
		yes '; a comment, a comment, a comment, a comment, a comment, a comment' | head -n 200
	} | lisp "$name.lisp"
done
lisp macros.lisp <<-END
	(defmacro twice (form) \`(list ,form ,form))
END
lisp brief.lisp <<-END
	(defun brief () (twice 1))
END
{
	echo '(asdf:defsystem "wide" :components ((:file "macros") (:file "brief" :depends-on ("macros"))'
	for name in $names; do echo "(:file \"$name\")"; done
	echo '))'
} >wide.asd
build_ok wide
expect_ran 82
done_testing
