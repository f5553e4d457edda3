#!/bin/bash
# A file that calls what it knows no function of is compiled once more, with what precedes it, if that is a macro there or
# what the compiler open-codes; and not if it is an ordinary function. The rest of the system tells, whatever happened to
# be compiled first, and whatever the store knows from before.
# seconds: 12
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# How often the last build compiled the file.
times() { grep -c "\"event\":\"action-start\".*\"label\":\"[^\"]*$1\.lisp\"" "$T_LOG"; }
values() {
	tenon eval --lax --module small "$1"
	stdout
}
E_ARGUMENTS=--lax

fresh
cat >small.asd <<'E'
(asdf:defsystem "small" :components ((:file "a") (:file "b") (:file "c")))
E
echo '(defun first-one (x) (list x))' >a.lisp
echo '(defun second-one () (first-one 1))' >b.lisp
echo '(defun third-one () (second-one))' >c.lisp
edit 'a b c' "functions that are called before they are there"
is "$(times b)" 1 "the caller is compiled once"
is "$(times c)" 1 "and so is its caller"
unlike "$(stderr)" "undeclared dependency" "nothing is missing"
is "$(values '(third-one)')" "(1)" "they work"

echo '(defmacro first-one (x) `(quote (:macro ,x)))' >a.lisp
edit 'a b' "one became a macro"
is "$(times b)" 1 "its caller was compiled before as it is: only the other image is new"
like "$(stderr)" "undeclared dependency: .*FIRST-ONE" "now it is missing"
is "$(values '(third-one)')" "(:MACRO 1)" "the macro is expanded"
build_ok --lax
is "$(ran)" "" "a second build compiles nothing"
like "$(stderr)" "up to date" "and has nothing to bring from the store"

change c.lisp '(second-one)' '(list (second-one))'
edit 'c' "another file of the system"
is "$(values '(third-one)')" "((:MACRO 1))" "still it is expanded"

echo '(defun first-one (x) (vector x))' >a.lisp
edit 'a' "it is a function again: the result from before will do"
is "$(values '(third-one)')" "(#(1))" "the function is called"

echo '(declaim (inline first-one)) (defun first-one (x) (vector x))' >a.lisp
edit 'a b' "an inline function is more than that"

cp b.lisp b.old
echo '(defun second-one (&optional x) (first-one x))' >b.lisp
edit 'b' "another caller of it"
echo '(defstruct (thing (:conc-name nil)) first-one)' >a.lisp
edit 'a b' "and so is an accessor of a structure"
mv b.old b.lisp
echo '(declaim (inline first-one)) (defun first-one (x) (vector x))' >a.lisp
edit '' "both as they were"

# Another workspace, nothing built, and a store that knows all results: what they are depends on the sources alone.
echo '(defun first-one (x) (vector x x))' >a.lisp
edit 'a' "a body"
rm -rf .tenon
edit '' "a new workspace"
is "$(values '(third-one)')" "(#(1 1))" "the function is called there, too"
echo '(defmacro first-one (x) `(quote (:macro ,x)))' >a.lisp
rm -rf .tenon
edit '' "a new workspace, and the macro"
is "$(values '(third-one)')" "((:MACRO 1))" "the macro is expanded there, too"

done_testing
