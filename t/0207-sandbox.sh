#!/bin/bash
# A compile that writes outside its outputs is stopped, whatever the way.
. "$(dirname "$0")/lib.sh"
need sbcl

tenon doctor
like "$(stdout)" 'Landlock' "doctor tells about the sandbox"

system leak leak
outside=$T_WORK/outside
mkdir "$outside"
echo keep >"$outside/precious"

# leaks WHAT FORM: it fails, and nothing has changed outside.
leaks() {
	printf '(eval-when (:compile-toplevel)\n  %s)\n(defun leak () 1)\n' "$2" >leak.lisp
	expect_fail 1 build
	like "$(diagnostics)" 'leak\.lisp' "$1: it is told with its file"
	is "$(find "$outside" | wc -l) $(cat "$outside/precious" 2>&1)" "2 keep" "$1: nothing has changed there"
}
leaks "a new file" "(with-open-file (s \"$outside/new\" :direction :output) (print 1 s))"
leaks "an overwritten file" "(with-open-file (s \"$outside/precious\" :direction :output :if-exists :overwrite) (print 1 s))"
leaks "a deleted file" "(delete-file \"$outside/precious\")"
leaks "a renamed file" "(rename-file \"$outside/precious\" \"$outside/gone\")"
leaks "a file in the sources" "(with-open-file (s \"$PWD/generated.lisp\" :direction :output) (print 1 s))"
ok "the source folder has no new file" test ! -e generated.lisp
leaks "a program that writes" \
	"(unless (zerop (sb-ext:process-exit-code (sb-ext:run-program \"/bin/sh\" '(\"-c\" \"echo 1 >$outside/new\")))) (error \"the program failed\"))"

# Reading is free, and so is a temporary file.
printf '(eval-when (:compile-toplevel)\n  (with-open-file (s "%s/precious") (assert (string= "keep" (read-line s)))))\n(defun leak () 1)\n' \
	"$outside" >leak.lisp
build_ok
printf '(eval-when (:compile-toplevel)\n  (uiop:with-temporary-file (:stream s :pathname p) (print 1 s) (assert (probe-file p))))\n(defun leak () 2)\n' >leak.lisp
build_ok

# Without the sandbox it is the user's own affair.
printf '(eval-when (:compile-toplevel)\n  (with-open-file (s "%s/new" :direction :output :if-exists :supersede) (print 1 s)))\n(defun leak () 3)\n' \
	"$outside" >leak.lisp
build_ok --no-sandbox
ok "--no-sandbox lets it write" test -e "$outside/new"
done_testing
