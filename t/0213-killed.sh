#!/bin/bash
# tenon killed at any instant: no process stays, the next build is right.
# seconds: 60
# timeout: 600
. "$(dirname "$0")/lib.sh"
need sbcl

# Several systems, so that there is something to interrupt.
for s in one two three; do
	mkdir -p $s
	(cd $s && SERIAL=nil system $s a b c d e f g h
		for f in a b c d e f g h; do
			echo "(defun $s-$f (x) (loop for i below x collect (list i \"$s $f\")))" >$f.lisp
		done)
done
DEPENDS="one two three" system all all
echo '(defun all () (list (one-a 1) (two-b 1) (three-c 1)))' >all.lisp

build_ok
expect_ran 25
want=$(outputs .)
lines=$(wc -l <"$T_LOG")
mkdir "$T_WORK/keep"
cp -a "$XDG_CACHE_HOME/tenon" "$T_WORK/keep/store"

# The base core is kept in half of the cases, so that the instants lie in the build itself.
killed=0
for at in 1 2 3 4 6 8 10 13 16 20 25 30 $((lines / 2)) $((lines * 2 / 3)) $((lines - 8)) $((lines - 3)) $((lines - 1)); do
	rm -rf .tenon "$XDG_CACHE_HOME/tenon"
	if [ $((at % 2)) = 0 ]; then
		# The core and the description, without results of actions that would be taken instead.
		cp -a "$T_WORK/keep/store" "$XDG_CACHE_HOME/tenon"
		for f in one two three; do sed -i "s/\$/ /" $f/a.lisp; done
	fi
	GUARD="--kill-at $at $T_LOG" RECHECK=no tenon build
	[ $CODE != 137 ] || killed=$((killed + 1))
	tenon build
	is "$CODE" 0 "killed at line $at of the log: the next build succeeds" || diag_file "$T_ERR"
	for f in one two three; do sed -i 's/ *$//' $f/a.lisp; done
	tenon build
	is "$CODE $(outputs .)" "0 $want" "killed at line $at of the log: and is right"
done
ok "it was killed in the midst most of the time ($killed of 17)" test $killed -ge 10

# A polite end: code 130, no strays.
rm -rf .tenon "$XDG_CACHE_HOME/tenon"
rm -f "$T_WORK/pid"
"$PYTHON" "$T_DIR/guard.py" --strays "$T_WORK/strays" --pid "$T_WORK/pid" -- "$TENON" build --log "$T_LOG" \
	>"$T_OUT" 2>"$T_ERR" </dev/null &
guard=$!
until [ -s "$T_LOG" ] && grep -q action-start "$T_LOG"; do
	kill -0 $guard 2>/dev/null || break
done
kill -INT "$(cat "$T_WORK/pid")"
wait $guard
is $? 130 "an interrupt ends with 130"
ok "and leaves no process" test ! -s "$T_WORK/strays"
build_ok
is "$(outputs .)" "$want" "and the next build is right"
done_testing
