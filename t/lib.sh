# Whole-program tests: read by t/NNNN-topic.sh, run by t/run, which sets up the environment.
#
#     . "$(dirname "$0")/lib.sh"
#     need sbcl cl-alexandria
#     system demo a b                  # writes demo.asd with the files a.lisp and b.lisp
#     tenon build demo                 # checks itself; see tenon() below
#     expect_ran 2
#     done_testing
#
# What ran is read from the structured log, never from what is printed. Every assertion is one line of TAP.
set -u
T_COUNT=0
T_BAD=0
T_DIR=$(cd "$(dirname "$0")" && pwd)
T_NAME=$(basename "$0" .sh)
if [ -z "${T_WORK-}" ]; then
	echo "Bail out! run this by t/run ${0##*/}"
	exit 1
fi
case $T_WORK in
/*/t[0-9][0-9][0-9][0-9]-?*) ;;
*) echo "Bail out! T_WORK is no folder of t/run: $T_WORK"; exit 1 ;;
esac
mkdir -p "$T_WORK/w" && cd "$T_WORK/w" || exit 1
PYTHON=/usr/bin/python3

# -- assertions --

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
diag_file() { [ -f "$1" ] && tail -n "${2-40}" "$1" | cut -c1-400 | sed 's/^/#   /'; }

pass() {
	T_COUNT=$((T_COUNT + 1))
	echo "ok $T_COUNT - $*"
}

fail() {
	T_COUNT=$((T_COUNT + 1))
	T_BAD=$((T_BAD + 1))
	echo "not ok $T_COUNT - $*"
	return 1
}

# ok NAME COMMAND...: the command succeeds.
ok() {
	local name=$1
	shift
	if "$@"; then pass "$name"; else fail "$name"; diag "failed: $*"; return 1; fi
}

# not_ok NAME COMMAND...: the command fails.
not_ok() {
	local name=$1
	shift
	if "$@"; then fail "$name"; diag "succeeded: $*"; return 1; else pass "$name"; fi
}

# is GOT WANT NAME
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got:    $(printf '%s' "$1" | head -c 2000)"
		diag "wanted: $(printf '%s' "$2" | head -c 2000)"
		return 1
	fi
}

# like TEXT EXTENDED-REGEX NAME: a line of TEXT matches.
like() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		pass "$3"
	else
		fail "$3"
		diag "nothing like /$2/ in:"
		printf '%s\n' "$1" | head -c 3000 | sed 's/^/#   /'
		return 1
	fi
}

unlike() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3"
		diag "something like /$2/ in:"
		printf '%s\n' "$1" | head -c 3000 | sed 's/^/#   /'
		return 1
	else
		pass "$3"
	fi
}

same_file() { # A B NAME
	if cmp -s "$1" "$2"; then pass "$3"; else fail "$3"; diag "$(cmp "$1" "$2" 2>&1)"; return 1; fi
}

done_testing() {
	echo "1..$T_COUNT"
	[ "$T_BAD" = 0 ]
	exit
}

bail() {
	echo "Bail out! $*"
	exit 1
}

# need PACKAGE...: without one of them nothing here can be tested; that is a failure, not a reason to skip.
need() {
	local missing=
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing="$missing $package"
	done
	[ -z "$missing" ] || bail "missing packages: apt-get install$missing"
}

# -- tenon --

# tenon ARGUMENTS...: runs it and checks that no process is left. Sets CODE; standard output is in $T_OUT, standard
# error in $T_ERR, the structured log of commands that build in $T_LOG. After a `build` that succeeded, checks that a
# second run executes nothing and that the store verifies; RECHECK=no turns that off for one call.
T_OUT=$T_WORK/out
T_ERR=$T_WORK/err
T_LOG=$T_WORK/log
CODE=0

# Removes files of the test's own folder and nothing else: tests may run as root, where a wrong path would be a device.
discard() {
	local path
	for path; do
		case $path in
		*/../* | */..) bail "the tests' own error: will not remove $path" ;;
		"$T_WORK"/?*) rm -f -- "$path" ;;
		*) bail "the tests' own error: will not remove $path" ;;
		esac
	done
}

# Runs $TENON, or what WRAP puts in front of it.
raw_tenon() {
	local log=$1 out=$2 err=$3
	shift 3
	case " ${*} " in
	*" build "* | *" test "* | *" eval "* | *" load-list "*) set -- "$@" --log "$log" ;;
	esac
	# `--` ends options: the log's must stand before it.
	case " ${*} " in
	*" -- "*) bail "the tests' tenon takes no --" ;;
	esac
	discard "$log" "$T_WORK/strays"
	# shellcheck disable=SC2086
	"$PYTHON" "$T_DIR/guard.py" --strays "$T_WORK/strays" ${GUARD-} -- ${WRAP-} "$TENON" "$@" >"$out" 2>"$err" \
		</dev/null
	CODE=$?
	if [ -s "$T_WORK/strays" ]; then
		fail "no process is left after: tenon $*"
		diag_file "$T_WORK/strays"
	fi
	return $CODE
}

tenon() {
	local kind= word
	for word; do
		case $word in
		-*) ;;
		build | test) kind=build; break ;;
		*) [ -n "$kind" ] || kind=other ;;
		esac
	done
	raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" "$@"
	local code=$CODE
	if [ "$kind" = build ] && [ $code = 0 ] && [ "${RECHECK-yes}" = yes ]; then
		recheck "$@"
	fi
	CODE=$code
	return $code
}

recheck() {
	local again=$T_WORK/log.again name="after tenon $*: a second run executes nothing, the store verifies" store=
	raw_tenon "$again" "$T_WORK/out.again" "$T_WORK/err.again" "$@"
	local code=$CODE started
	if [ $code != 0 ]; then
		fail "$name"
		diag "the second run ended with $code"
		diag_file "$T_WORK/err.again"
		return
	fi
	started=$(logged "$again" started)$(logged "$again" ran)$(logged "$again" cached)
	if [ -n "$started" ] || [ "$(logged "$again" count fork)" != 0 ]; then
		fail "$name"
		diag "the second run did:" $started "and forked $(logged "$again" count fork) times"
		diag "$(grep -h 'is not what the last build saw' "$again" | head -n 1)"
		return
	fi
	local word
	for word; do
		case $word in --store=*) store=$word ;; esac
	done
	raw_tenon "$T_WORK/log.verify" "$T_WORK/out.again" "$T_WORK/err.again" cache verify ${store:+"$store"}
	if [ $CODE != 0 ]; then
		fail "$name"
		diag "cache verify ended with $CODE"
		diag_file "$T_WORK/out.again"
		diag_file "$T_WORK/err.again"
		return
	fi
	pass "$name"
}

# logged LOG QUESTION...: see log.py.
logged() { "$PYTHON" "$T_DIR/log.py" "$@"; }
ran() { logged "$T_LOG" ran; }
diagnostics() { logged "$T_LOG" diagnostics; }
stderr() { cat "$T_ERR"; }
stdout() { cat "$T_OUT"; }

# build_ok [ARGUMENTS...]: tenon build succeeds.
build_ok() {
	tenon build "$@"
	if [ $CODE = 0 ]; then
		pass "tenon build $* succeeds"
	else
		fail "tenon build $* succeeds"
		diag "exit code $CODE"
		diag_file "$T_ERR"
		return 1
	fi
}

# expect_fail CODE ARGUMENTS...: tenon ends with that exit code.
expect_fail() {
	local want=$1
	shift
	tenon "$@"
	if [ $CODE = "$want" ]; then
		pass "tenon $* ends with $want"
	else
		fail "tenon $* ends with $want"
		diag "exit code $CODE"
		diag_file "$T_ERR"
		return 1
	fi
}

# expect_ran N [REGEX]: the last build executed N actions (with labels that match).
expect_ran() {
	local labels
	labels=$(ran | grep -E -e "${2-.}")
	local n
	n=$(printf '%s' "$labels" | grep -c .)
	if [ "$n" = "$1" ]; then
		pass "$1 actions ran${2+ like $2}"
	else
		fail "$1 actions ran${2+ like $2}"
		diag "$n did:" $(printf '%s' "$labels" | head -40)
		return 1
	fi
}

# expect_null ARGUMENTS...: a build that executes nothing and takes nothing from the store.
expect_null() {
	RECHECK=no tenon build "$@"
	is "$CODE $(logged "$T_LOG" started)$(ran)$(logged "$T_LOG" cached)" "0 " "tenon build $* has nothing to do"
}

# check_rebuilds IN REGEX [ARGUMENTS...]: a change of file IN has the action with such a label executed; with the old
# content back nothing needs to be executed.
check_rebuilds() {
	local in=$1 out=$2
	shift 2
	cp "$in" "$T_WORK/saved"
	printf '\n(defvar cl-user::*changed-by-a-test* t)\n' >>"$in"
	tenon build "$@"
	if [ $CODE = 0 ] && ran | grep -Eq -e "$out"; then
		pass "a change of $in rebuilds $out"
	else
		fail "a change of $in rebuilds $out"
		diag "exit code $CODE; ran:" $(ran)
	fi
	cat "$T_WORK/saved" >"$in"
	tenon build "$@"
	is "$CODE $(ran)" "0 " "with the old content of $in back nothing is executed"
}

# -- sources --

# system NAME FILE...: NAME.asd with these components, each of which depends on the one before (SERIAL=nil: on none);
# DEPENDS: names of systems. Files are not written.
system() {
	local name=$1
	shift
	{
		echo "(asdf:defsystem \"$name\""
		[ -z "${DEPENDS-}" ] || { printf '  :depends-on ('; printf '"%s" ' $DEPENDS; echo ")"; }
		echo "  :serial ${SERIAL-t}"
		printf '  :components ('
		local file
		for file; do printf '(:file "%s") ' "$file"; done
		echo "))"
	} >"$name.asd"
}

# lisp FILE: writes standard input.
lisp() {
	mkdir -p "$(dirname "$1")"
	cat >"$1"
}

# A system `small`: a package, a macro in one file, a use of it in the next.
small_system() {
	system small package macros use
	lisp package.lisp <<-'END'
		(defpackage #:small (:use #:common-lisp) (:export #:answer #:twice))
	END
	lisp macros.lisp <<-'END'
		(in-package #:small)
		(defmacro twice (form) `(progn ,form ,form))
	END
	lisp use.lisp <<-'END'
		(in-package #:small)
		(defvar *count* 0)
		(defun answer () (twice (incf *count* 21)) *count*)
	END
}

# eval_is FORM WANT NAME [ARGUMENTS...]: tenon eval prints WANT.
eval_is() {
	local form=$1 want=$2 name=$3
	shift 3
	tenon eval "$@" "$form"
	is "$CODE $(cat "$T_OUT")" "0 $want" "$name" || diag_file "$T_ERR"
}

# All built files below the folder, with their digests.
outputs() { (cd "$1/.tenon/out" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum); }

# as_nobody COMMAND...: without the rights of root, for what depends on permissions. The test's folder must be open to
# it: open_to_nobody.
open_to_nobody() {
	[ "$(id -u)" != 0 ] || chown -hR 65534:65534 "$T_WORK"
}
nobody_wrap() {
	if [ "$(id -u)" = 0 ]; then echo "setpriv --reuid=65534 --regid=65534 --clear-groups"; fi
}

# golden NAME FILE: FILE is t/golden/NAME.txt but for folders, times, addresses, process numbers, and the lines of progress,
# whose order is that of a parallel build. TENON_UPDATE_GOLDEN=1 writes it.
normalised() {
	sed -E -e "s,$T_WORK/w,WORK,g; s,$T_WORK,TEMP,g" -e 's/[0-9]+(\.[0-9]+)? ?(ms|s|min)\b/TIME/g' \
		-e 's/\b(pid|process) [0-9]+/\1 PID/g; s/\{[0-9A-F]{8,}\}/{ADDRESS}/g' -e '/^\[[0-9]+\/[0-9]+\] /d' "$1"
}
golden() {
	local want=$T_DIR/golden/$1.txt
	if [ -n "${TENON_UPDATE_GOLDEN-}" ]; then
		mkdir -p "$T_DIR/golden"
		normalised "$2" >"$want"
	fi
	if [ ! -f "$want" ]; then
		fail "golden file $1"
		diag "t/golden/$1.txt is missing: TENON_UPDATE_GOLDEN=1 t/run $T_NAME writes it"
		return 1
	fi
	if normalised "$2" | diff -u "$want" - >"$T_WORK/golden.diff"; then
		pass "golden file $1"
	else
		fail "golden file $1"
		diag_file "$T_WORK/golden.diff" 80
		return 1
	fi
}
