#!/bin/bash
# A source that is edited while it compiles is never kept under a wrong key.
# seconds: 30
. "$(dirname "$0")/lib.sh"
need sbcl

system race race
gate=$T_WORK/gate
mkfifo "$gate.in" "$gate.out"
# The compile tells by one pipe that it has begun and waits at the other; the definition stands behind.
source_with() {
	cat <<-END
		(eval-when (:compile-toplevel)
		  (when (probe-file "$gate.armed")
		    (with-open-file (s "$gate.in" :direction :output :if-exists :append) (write-line "begun" s))
		    (with-open-file (s "$gate.out") (read-line s))))
		(defun value () $1)
	END
}
# Pipes are files that the sandbox would not let it write.
race() { # NEW-CONTENT-FILE
	touch "$gate.armed"
	"$PYTHON" "$T_DIR/guard.py" -- "$TENON" build --no-sandbox --log "$T_LOG" >"$T_OUT" 2>"$T_ERR" </dev/null &
	local pid=$!
	read -r _ <"$gate.in"
	rm "$gate.armed"
	cat "$1" >race.lisp
	echo go >"$gate.out"
	wait $pid
	CODE=$?
}

source_with 1 >first
source_with 2 >second
cp first race.lisp
race second
ok "the build in which it happens ends with 0, 1 or 4" test $CODE = 0 -o $CODE = 1 -o $CODE = 4
build_ok --no-sandbox
eval_is '(value)' 2 "the new content is what counts" --module race --no-sandbox
cp first race.lisp
build_ok --no-sandbox
eval_is '(value)' 1 "the old content gives the old value" --module race --no-sandbox
cp second race.lisp
build_ok --no-sandbox
eval_is '(value)' 2 "and the new one the new value" --module race --no-sandbox

# The same with the size and time that it had.
source_with 3 >third
source_with 4 >fourth
touch -r third fourth race.lisp
cat third >race.lisp
touch -d '2020-01-01 00:00:00' race.lisp third fourth
race fourth
touch -d '2020-01-01 00:00:00' race.lisp
build_ok --no-sandbox
eval_is '(value)' 4 "same size and time: the new content counts" --module race --no-sandbox
cat third >race.lisp
touch -d '2020-01-01 00:00:00' race.lisp
build_ok --no-sandbox
eval_is '(value)' 3 "same size and time: and the old one" --module race --no-sandbox
done_testing
