#!/bin/bash
# Two tenons in one workspace, and several workspaces over one store, at once.
# seconds: 40
. "$(dirname "$0")/lib.sh"
need sbcl

make_project() { # FOLDER
	mkdir "$1" && (cd "$1" && SERIAL=nil system both a b c d e f g h i j
		for f in a b c d e f g h i j; do echo "(defun f-$f (x) (* x (+ x $(printf %d "'$f"))))" >$f.lisp; done)
}
start() { # NAME FOLDER ARGUMENTS...
	local name=$1 folder=$2
	shift 2
	(cd "$folder" && exec "$PYTHON" "$T_DIR/guard.py" --strays "$T_WORK/$name.strays" -- \
		"$TENON" build --log "$T_WORK/$name.log" "$@" >"$T_WORK/$name.out" 2>&1 </dev/null) &
}
finish() { # PID NAME
	wait "$1"
	is $? 0 "$2 succeeds" || diag_file "$T_WORK/$2.out"
	ok "$2 leaves no process" test ! -s "$T_WORK/$2.strays"
}
count() { logged "$T_WORK/$1.log" ran | grep -c .; }

make_project w1
for round in 1 2 3; do
	rm -rf w1/.tenon "$XDG_CACHE_HOME/tenon"
	start first w1; p1=$!
	start second w1; p2=$!
	finish $p1 first
	finish $p2 second
	is $(($(count first) + $(count second))) 10 "round $round: in one workspace each file is compiled once"
done
cd w1 && expect_null && want=$(outputs .) && cd ..

make_project w2
make_project w3
for round in 1 2 3; do
	rm -rf w?/.tenon "$XDG_CACHE_HOME/tenon"
	start first w1; p1=$!
	start second w2; p2=$!
	start third w3; p3=$!
	finish $p1 first
	finish $p2 second
	finish $p3 third
	for w in w1 w2 w3; do
		is "$(outputs $w | wc -l)" "$(printf '%s\n' "$want" | wc -l)" "round $round: $w has all files"
	done
done
ok "the store verifies" tenon cache verify
# gc while a build runs must not take away what it uses.
rm -rf w?/.tenon
start first w1; p1=$!
"$TENON" cache gc --max-size=1K >/dev/null 2>&1
finish $p1 first
cd w1 && build_ok
done_testing
