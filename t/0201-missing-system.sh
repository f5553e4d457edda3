#!/bin/bash
# A system that is not there: who asked for it, the nearest name; one that is too old.
. "$(dirname "$0")/lib.sh"
need sbcl cl-alexandria

small_system
DEPENDS=alexandira system outer package
mkdir inner && (cd inner && DEPENDS=outer system inner package && cp ../package.lisp .)
expect_fail 2 build outer
like "$(stderr)" '"?alexandira"?' "the missing system is named"
like "$(stderr)" 'outer' "who asked for it is named"
like "$(stderr)" 'alexandria' "the nearest name is offered"
golden missing-system "$T_ERR"

expect_fail 2 build inner
like "$(stderr)" 'inner' "the way to the missing system is told"

expect_fail 2 build smal
like "$(stderr)" '\bsmall\b' "the nearest name is offered for a target"

# What was only warned of before says nothing about where the system is missed.
cat >warns.asd <<'END'
(warn "this is not about the missing system")
(asdf:defsystem "warns" :depends-on ("alexandira"))
END
expect_fail 2 build warns
like "$(stderr)" '^tenon: system "alexandira" is not' "the place of an earlier warning is not given for the error"
rm warns.asd

# Once it is there, the build goes on without further ado.
mkdir late && (cd late && system alexandira package && cp ../package.lisp .)
build_ok outer
rm -r late
expect_fail 2 build outer

cat >needs.asd <<'END'
(asdf:defsystem "needs" :depends-on ((:version "small" "9.9")) :components ((:file "package")))
END
sed -i 's/defsystem "small"/& :version "1.0"/' small.asd
expect_fail 2 build needs
like "$(stderr)" '9\.9' "a version that is wanted is named"
done_testing
