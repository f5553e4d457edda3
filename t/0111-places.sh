#!/bin/bash
# The same sources in another folder: everything comes from the store, and lies where it belongs.
# seconds: 15
. "$(dirname "$0")/lib.sh"
need sbcl

mkdir one
cd one || exit 1
small_system
cat >>small.asd <<'END'
(asdf:defsystem "small/outside" :depends-on ("small") :components ((:file "outside" :pathname "../beside/outside")))
END
mkdir ../beside
lisp ../beside/outside.lisp <<'END'
(in-package #:small)
(defun outside () (answer))
END
build_ok small
is "$(cat .tenon/.gitignore)" '*' "a repository does not see what builds leave"
first=$(ran | wc -l)
build_ok small/outside
cp -r ../one ../two
rm -r ../two/.tenon
mkdir ../elsewhere
cp -r ../beside ../one ../elsewhere/
rm -r ../elsewhere/one/.tenon

cd ../two || exit 1
build_ok small
expect_ran 0
is "$(logged "$T_LOG" cached | wc -l)" "$first" "a copy of the workspace: everything comes from the store"
eval_is '(small::outside)' 42 "it can be loaded" --module small/outside
echo '(defun more () (twice 1))' >>use.lisp
build_ok small/outside
ok "an edit there can be compiled" grep -q use <(ran)

# Files beside the system's own folder are known by their places.
cd ../elsewhere/one || exit 1
build_ok small/outside
like "$(ran)" '/elsewhere/beside/outside.lisp$' "a file beside its system is compiled for its place"
expect_ran 1
eval_is '(small::outside)' 42 "that can be loaded, too" --module small/outside

# What holds the folder of its workspace's outputs is each workspace's own.
mkdir -p "$T_WORK/w/library" "$T_WORK/w/left" "$T_WORK/w/right"
echo '(asdf:defsystem "library" :components ((:file "library")))' >../../library/library.asd
cat >../../library/library.lisp <<'END'
(defparameter *out* #.(namestring (asdf:apply-output-translations (uiop:pathname-directory-pathname *compile-file-truename*))))
END
export CL_SOURCE_REGISTRY="(:source-registry (:directory \"$T_WORK/w/library/\") :ignore-inherited-configuration)"
for side in left right; do
	cd "$T_WORK/w/$side" || exit 1
	echo '(asdf:defsystem "app" :depends-on ("library") :components ((:file "app")))' >app.asd
	echo '(defun out () *out*)' >app.lisp
	build_ok app
	eval_is '(out)' "\"$PWD/.tenon/out/default$T_WORK/w/library/\"" "the folder of outputs on the $side" --module app
done
done_testing
