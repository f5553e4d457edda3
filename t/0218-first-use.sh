#!/bin/bash
# The first build with a store: it does not wait for a base core, and leaves one behind; the FASLs are the same.
# seconds: 20
. "$(dirname "$0")/lib.sh"
need sbcl
small_system
lisp use.lisp <<-'END'
	(in-package #:small)
	(defvar *count* '#.(list (gensym) (gensym "X")))
	(defun answer () (let ((count 0)) (twice (incf count 21)) count))
	;; What differs in a saved core, if it is not looked after: the order of tables, and shared parts of pathnames.
	(defvar *names* '#.(loop for s being the external-symbols of :common-lisp collect s))
	(defvar *place* #P"/dev/urandom")
END
store=$T_WORK/cache/tenon
cores() { grep -rl 'base core' "${1-$store}/ac" 2>/dev/null | wc -l; }
phases() { grep -c "\"event\":\"phase-start\".*\"label\":\"$1\"" "$T_LOG"; }
fasls() { (cd .tenon/out && find . -name '*.fasl' | sort | xargs sha256sum); }

RECHECK=no build_ok
is "$(phases driver) $(phases 'base core')" "1 0" "the first build loads the driver, and waits for no base core"
is "$(cores) $(ls "$store/tmp" | wc -l)" "1 0" "behind it there is one, and nothing else"
first=$(fasls)
build_ok
sed -i 's/21/22/' use.lisp
build_ok
expect_ran 1
is "$(phases driver) $(phases 'base core') $(cores)" "0 0 1" "the next one starts from it"
sed -i 's/22/21/' use.lisp
rm -rf .tenon
build_ok --no-snapshots --store="$T_WORK/classic"
is "$(phases driver) $(phases 'base core')" "0 1" "without a process left behind, the core is made first"
is "$(fasls)" "$first" "with a base core the FASLs are the same as without"
eval_is '(small:answer)' 42 "they work" --module small --store="$T_WORK/classic"

# A second first use, with a first action that fails.
echo '(defun small::broken (' >>use.lisp
expect_fail 1 build --store="$T_WORK/third"
is "$(cores "$T_WORK/third")" 1 "a build that fails leaves a base core all the same"

# Stores lie where people want them, under names that mean something to a Lisp.
sed -i '$d' use.lisp
odd="$T_WORK/an \"odd\" [st]ore*\\e"
mkdir "$T_WORK/none"
rm -rf .tenon
TMPDIR=$T_WORK/none build_ok --store="$odd/1"
TMPDIR=$T_WORK/none build_ok --no-snapshots --store="$odd/2"
is "$(cores "$odd/1") $(cores "$odd/2") $(ls "$T_WORK/none" | wc -l)" "1 1 0" "stores with odd names have one, and nothing lies elsewhere"
eval_is '(small:answer)' 42 "it starts" --module small --store="$odd/2"

# What only asks leaves one, too.
tenon doctor --store="$T_WORK/fourth"
is "$CODE $(cores "$T_WORK/fourth")" "0 1" "so does doctor"

done_testing
