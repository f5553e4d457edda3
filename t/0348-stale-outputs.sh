#!/bin/bash
# Outputs of sources that were removed or renamed go; those of other requests stay.
# seconds: 20
. "$(dirname "$0")/lib.sh"
need sbcl

fasls() { (cd .tenon/out/default && find . -name '*.fasl' -printf '%f\n' | LC_ALL=C sort | paste -sd ' '); }

# parts NAME FILE...: a system of files that need nothing.
parts() {
	local name=$1
	shift
	{
		echo "(asdf:defsystem \"$name\" :components ("
		printf '  (:file "%s")\n' "$@"
		echo '))'
	} >"$name.asd"
}
parts small a b c
parts other d
for x in a b c d; do lisp $x.lisp <<<"(defun $x () 1)"; done
build_ok small
is "$(fasls)" "a.fasl b.fasl c.fasl" "what was built"
build_ok other
is "$(fasls)" "a.fasl b.fasl c.fasl d.fasl" "another system leaves the first one's outputs alone"
build_ok small
build_ok other
expect_null
is "$(fasls)" "a.fasl b.fasl c.fasl d.fasl" "in whatever order"

mkdir sub
mv c.lisp sub/c.lisp
parts small a b sub/c
build_ok small
is "$(fasls)" "a.fasl b.fasl c.fasl d.fasl" "a file that moved has one output"
ok "in its new place" test -f ".tenon/out/default$PWD/sub/c.fasl"
parts small a b
rm -r sub
build_ok small
is "$(fasls)" "a.fasl b.fasl d.fasl" "a file that is gone has none"
not_ok "nor is its folder left" test -d ".tenon/out/default$PWD/sub"

# What another request needs stays: here the two see different parts of a system.
cat >small.asd <<'END'
(asdf:defsystem "small" :components ((:file "a") #+with-b (:file "b")))
END
cat >with-b.asd <<'END'
(pushnew :with-b *features*)
(asdf:defsystem "with-b" :depends-on ("small") :components ())
END
build_ok with-b
build_ok small
build_ok with-b
expect_ran 0
is "$(fasls)" "a.fasl b.fasl d.fasl" "what another request has, whose state is as it was, stays"
rm with-b.asd
parts small a b
build_ok small other
build_ok small
parts small a
build_ok small
is "$(fasls)" "a.fasl d.fasl" "a request that would have to look again holds nothing"
build_ok small other
is "$(fasls)" "a.fasl d.fasl" "nor does it bring it back"
build_ok other
is "$(fasls)" "a.fasl d.fasl" "and nothing else goes"

# A build that fails removes nothing; what it would have removed goes with the next that succeeds.
parts small a e
lisp e.lisp <<<'(defun e () 1)'
build_ok small
parts small a f
echo '(defun f (' >f.lisp
expect_fail 1 build small
is "$(fasls)" "a.fasl d.fasl e.fasl" "a build that fails removes nothing"
lisp f.lisp <<<'(defun f () 1)'
build_ok small
is "$(fasls)" "a.fasl d.fasl f.fasl" "the next one does"

# A configuration of its own has outputs of its own.
build_ok small --config debug
parts small a
build_ok small
is "$(fasls)" "a.fasl d.fasl" "gone here"
is "$(find .tenon/out/debug -name 'f.fasl' | wc -l)" 1 "and still there in another configuration"

# A list that somebody has damaged leads nowhere else.
touch "$T_WORK/precious"
for list in .tenon/state/default/outputs-*; do
	printf 'tenon-outputs-1\n../../../precious\n%s\na/../../../../precious\n' "$T_WORK/precious" >"$list"
done
echo '(defun a-2 () 2)' >>a.lisp
build_ok small
ok "a file outside stays" test -f "$T_WORK/precious"

# Two builds at once, of which each makes something else.
parts one g h
parts two i j
for x in g h i j; do lisp $x.lisp <<<"(defun $x () 1)"; done
"$TENON" build -q one & first=$!
"$TENON" build -q two & second=$!
ok "one build" wait $first
ok "the other at the same time" wait $second
is "$(fasls)" "a.fasl d.fasl g.fasl h.fasl i.fasl j.fasl" "everything is there"
done_testing
