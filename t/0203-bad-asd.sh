#!/bin/bash
# An .asd that cannot be read, that is broken, that fails.
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
cp small.asd good

# Permissions mean nothing to root.
chmod 000 small.asd
open_to_nobody
WRAP=$(nobody_wrap) expect_fail 2 build small
like "$(stderr)" 'small\.asd' "an .asd without permission is named"
like "$(stderr)" '[Pp]ermission denied' "and why it cannot be read"
chmod 644 small.asd
rm -rf .tenon "$XDG_CACHE_HOME/tenon"

echo '(error "the moon is in the wrong phase")' >>small.asd
expect_fail 2 build small
like "$(stderr)" 'the moon is in the wrong phase' "an error in an .asd is shown"
like "$(stderr)" 'small\.asd' "with its file"

cp good small.asd
echo '(asdf:defsystem "other" :components (' >>small.asd
expect_fail 2 build small
like "$(stderr)" 'small\.asd' "an unbalanced .asd is named"
golden asd-unbalanced "$T_ERR"

echo '(asdf:defsystem "small" :components ((:fiel "package")))' >small.asd
expect_fail 2 build small
like "$(stderr)" 'fiel' "an unknown component class is named"

echo '(no-such-package:defsystem "small")' >small.asd
expect_fail 2 build small
like "$(stderr)" '(no-such-package|NO-SUCH-PACKAGE)' "a missing package is named"

echo '(loop)' >small.asd
expect_fail 1 build small --timeout=3
like "$(stderr)" '3 s' "an .asd that loops is ended"

echo '(sb-ext:exit :code 0 :abort t)' >small.asd
tenon build small
not_ok "an .asd that exits is no success" test $CODE = 0

cp good small.asd
build_ok small
expect_ran 3

# A folder of many systems, some of which can't be described: the others are built, if that is what is wanted.
DEPENDS=nowhere-to-be-found system lacking package
DEPENDS=lacking system above package
echo '(error "the moon is in the wrong phase")' >broken.asd
echo '(asdf:defsystem "unclosed" :components (' >unclosed.asd
sed 's/"small"/"sound"/' good >sound.asd
expect_fail 2 build
expect_ran 0
like "$(stderr)" 'no target was named: --keep-going builds what can be built' "who names none is told of --keep-going"
expect_fail 2 build sound lacking
unlike "$(stderr)" 'no target was named' "who names some is not"
expect_fail 2 build --keep-going
expect_ran 3
like "$(ran)" '^sound:' "what can be described is built"
like "$(stderr)" 'broken\.asd:1:1: error: the moon is in the wrong phase' "a broken file is told of, with its place"
like "$(stderr)" 'unclosed\.asd:1:1: error: end of file' "and another one"
like "$(stderr)" '"nowhere-to-be-found" is not to be found' "and a library that is not there"
is "$(grep -c 'nowhere-to-be-found' <(stderr))" 1 "once"
like "$(stderr)" 'left out: "above", "lacking"' "with all that can't be built without it"
expect_fail 2 build --keep-going
expect_ran 0
like "$(stderr)" 'left out: "above", "lacking"' "it is an error each time"
expect_fail 2 build --keep-going small no-such-system
like "$(stderr)" '"no-such-system" is not to be found' "a name that is not known is an error beside others that are"
rm lacking.asd above.asd broken.asd unclosed.asd
build_ok --keep-going
expect_ran 0

# What one of them would have loaded for its definition, had nothing been missing, the next one loads.
mkdir tools && cd tools || bail "no folder"
echo '(defpackage #:tool (:use #:cl)) (defclass tool::kind (asdf:cl-source-file) ())' >tool.lisp
echo '(defsystem "tool" :components ((:file "tool")))' >tool.asd
echo '(defsystem "half" :depends-on ("tool" "nowhere-to-be-found"))' >half.asd
echo '(defsystem "lacking" :defsystem-depends-on ("half") :components ((:file "tool")))' >lacking.asd
echo '(defsystem "with-tool" :defsystem-depends-on ("tool") :components (("tool::kind" "used")))' >with-tool.asd
echo '(defun used () 1)' >used.lisp
expect_fail 2 build --keep-going lacking with-tool
like "$(stderr)" 'left out: "lacking"' "a system whose definition lacks something"
like "$(ran)" '^with-tool:used' "one whose definition needs part of the same is built"
done_testing
