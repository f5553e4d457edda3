#!/bin/sh
# Runs all tests and ends with one line, "N passed, N failed"; fails if any failed.
#
#     scripts/check.sh [--all]    unit tests, unit tests under sanitizers, whole-program tests (all of them)
#
# Expects build/ and build-asan/ to be built. What can't run counts as one failure.
set -u
cd "$(dirname "$0")/.."
all=${1-}
passed=0
failed=0

count() { # PASSED FAILED
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# The TAP results of one folder's unit tests, from the report that meson writes. A program that dies fails once more.
unit() { # FOLDER NAME
	report=$1/meson-logs/testlog.junit.xml
	rm -f "$report"
	echo "== $2"
	status=0
	meson test -C "$1" --no-rebuild --suite unit --print-errorlogs --num-processes "$(nproc)" || status=$?
	if [ ! -s "$report" ]; then
		echo "$2: no results in $report" >&2
		count 0 1
		return
	fi
	sums=$(tr '>' '\n' <"$report" | awk '
		/<testsuite / {
			suites++
			good = bad = 0
			if (match($0, /tests="[0-9]+"/)) good = substr($0, RSTART + 7, RLENGTH - 8)
			if (match($0, /errors="[0-9]+"/)) bad += substr($0, RSTART + 8, RLENGTH - 9)
			if (match($0, /failures="[0-9]+"/)) bad += substr($0, RSTART + 10, RLENGTH - 11)
			passed += good > bad ? good - bad : 0
			failed += bad
			broken += bad > 0
		}
		END { print passed + 0, failed + 0, broken + 0 }')
	# shellcheck disable=SC2086
	set -- "$1" "$2" $sums
	good=$3
	bad=$4
	# Programs that crashed or hung without a "not ok" line of their own.
	died=$(($(grep -cE '"result": "(ERROR|FAIL|TIMEOUT|INTERRUPT)"' "$1/meson-logs/testlog.json") - $5))
	[ "$died" -le 0 ] || bad=$((bad + died))
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	if [ "$good" -eq 0 ] && [ "$bad" -eq 0 ]; then
		echo "$2: no test was run" >&2
		bad=1
	fi
	echo "$2: $good passed, $bad failed"
	count "$good" "$bad"
}

# t/run tells its results in its last line, as this script does.
whole() {
	echo "== whole-program tests"
	log=build/whole-program.log
	TENON=$PWD/build/tenon
	export TENON
	# $all is one word or none. The status comes through a file: a pipeline has only its last command's.
	{ t/run $all 2>&1; echo $? >"$log.status"; } | tee "$log"
	status=$(cat "$log.status")
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	if [ -z "$last" ]; then
		echo "t/run ended with status $status and no result" >&2
		count 0 1
		return
	fi
	good=${last%% *}
	bad=${last#*, }
	bad=${bad%% *}
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	count "$good" "$bad"
}

unit build 'unit tests'
unit build-asan 'unit tests, sanitized'
whole
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
