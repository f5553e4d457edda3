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
done_testing
