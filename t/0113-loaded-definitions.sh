#!/bin/bash
# Systems that .asd files load while they are read: what is much to compile is built first, in parallel and out of the
# store, and what ASDF loads then are those FASLs.
# seconds: 20
. "$(dirname "$0")/lib.sh"
need sbcl

# library NAME FOLDER: a system of 12 files, of which the last knows a class of components.
library() {
	local i
	mkdir -p "$2"
	{
		echo "(defsystem \"$1\" :serial t :components ("
		for i in {1..12}; do echo "(:file \"f$i\")"; done
		echo "))"
	} >"$2/$1.asd"
	for i in {1..11}; do echo "(defun cl-user::f$i () (list $i))" >"$2/f$i.lisp"; done
	cat >"$2/f12.lisp" <<-E
		(in-package :asdf)
		(defclass my-file (cl-source-file) ((type :initform "my")))
	E
}

# project FOLDER: one that needs it to be read.
project() {
	mkdir -p "$1"
	echo '(defsystem "app" :defsystem-depends-on ("extension") :components ((:my-file "app")))' >"$1/app.asd"
	echo '(defun cl-user::app () (cl-user::f7))' >"$1/app.my"
}

mkdir libs
library extension libs/extension
export CL_SOURCE_REGISTRY="(:source-registry (:tree \"$PWD/libs/\") :inherit-configuration)"
project one
cd one
RECHECK=no tenon build --verbose
is "$CODE" 0 "it is built" || diag_file "$T_ERR"
like "$(stderr)" 'system "extension" is built first: an .asd file loads it' "--verbose says what comes first"
like "$(stderr)" 'built one: 13 actions \(13 compiled\)' "each file counts once"
is "$(grep -c '"event":"action-start"' .tenon/log/*.jsonl)" 13 "each is compiled once"
is "$(grep '"event":"action-start"' .tenon/log/*.jsonl | grep -o '"id":[0-9]*' | sort | uniq -d)" "" "ids are unique in the log"
is "$(find .tenon/describe -name '*.fasl' | wc -l)" 12 "ASDF finds the FASLs"
is "$(cd .tenon/describe && find . -name '*.fasl' -exec cmp {} ../out/default/{} ';')" "" "and compiles none of them again"
eval_is '(cl-user::app)' '(7)' "it works" --module app
tenon build
like "$(stderr)" 'one is up to date: 13 actions' "nothing is left to do"
cd ..

# A description that was made elsewhere is of no use here; the FASLs are.
project two
cd two
RECHECK=no tenon build
like "$(stderr)" 'built two: 13 actions \(1 compiled, 12 cached\)|13 actions \(13 cached\)' "another workspace takes them out of the store"
cd ../one

# Edited, it is built first again, and what is unchanged isn't compiled.
sleep 1.1
for i in {1..11}; do sed -i "s/list $i/list $i $i/" ../libs/extension/f$i.lisp; done
RECHECK=no tenon build
is "$CODE" 0 "an edit of it" || diag_file "$T_ERR"
like "$(stderr)" 'built one: 13 actions \(12 compiled, 1 current\)' "is built first, too"
eval_is '(cl-user::app)' '(7 7)' "what was edited is there" --module app

# Errors in it are its own, and told once: few files are left to ASDF, many are not.
sleep 1.1
echo '(defun cl-user::f7 () (list' >../libs/extension/f7.lisp
RECHECK=no tenon build
is "$CODE" 2 "an error in it: the project can't be described" || diag_file "$T_ERR"
is "$(stderr | grep 'f7.lisp.*error' | grep -c 'a bracket is not closed')" 1 "is told once" || diag_file "$T_ERR"
rm -r .tenon
RECHECK=no tenon build
is "$CODE" 1 "an error in it, and nothing is there yet" || diag_file "$T_ERR"
is "$(stderr | grep 'f7.lisp.*error' | grep -c 'a bracket is not closed')" 1 "is told once" || diag_file "$T_ERR"
like "$(stderr)" 'system "extension" can.t be built, and an .asd file loads it' "and who wanted it is named"
echo '(defun cl-user::f7 () (list 8))' >../libs/extension/f7.lisp
sleep 1.1
RECHECK=no tenon build
eval_is '(cl-user::app)' '(8)' "mended" --module app
cd ..
done_testing
