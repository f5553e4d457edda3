#!/bin/sh
# Builds three real systems with all they need from nothing, by ASDF and by tenon, in a temporary folder; then loads one
# from tenon's FASLs and calls it. `make demo` runs this once tenon is built.
set -eu
cd "$(dirname "$0")/.."
scripts/deps.sh build
scripts/deps.sh demo
if [ -z "${TENON-}" ]; then
	[ -x build/tenon ] || make
	TENON=$PWD/build/tenon
fi
systems='ironclad hunchentoot cxml'

top=$(mktemp -d "${TMPDIR:-/tmp}/tenon-demo.XXXXXX")
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM
mkdir "$top/home" "$top/asdf" "$top/cache" "$top/work"
HOME=$top/home
XDG_CONFIG_HOME=$top/home
XDG_DATA_HOME=$top/home
LC_ALL=C.UTF-8
# Debian's own copy of ASDF is left out: with it, ASDF's time would hold seconds in which it compiles itself.
CL_SOURCE_REGISTRY='(:source-registry (:also-exclude "cl-asdf") (:tree "/usr/share/common-lisp/source/")
	:ignore-inherited-configuration)'
export HOME XDG_CONFIG_HOME XDG_DATA_HOME LC_ALL CL_SOURCE_REGISTRY

now() { date +%s%N; }
seconds() { # FROM-NS TO-NS
	echo "$1 $2" | awk '{ printf "%.1f", ($2 - $1) / 1e9 }'
}
ratio() { # A-FROM A-TO B-FROM B-TO
	echo "$1 $2 $3 $4" | awk '{ printf "%.1f", ($2 - $1) / ($4 - $3) }'
}
tenon_in() { # COMMAND ARGUMENTS...: in the demo's workspace
	(cd "$top/work" && XDG_CACHE_HOME=$top/cache "$TENON" "$@")
}

busy() { # the last minute's load average
	cut -d ' ' -f 1 /proc/loadavg
}
echo "== $(sbcl --version), $(nproc) cores, load average $(busy)"
echo "== $("$TENON" version), from nothing: $systems, with all they need"
t0=$(now)
# shellcheck disable=SC2086
tenon_in build --log "$top/log" $systems
t1=$(now)
ran=$(grep -c '"event":"action-finish".*"outcome":"ran"' "$top/log" || true)
echo "   tenon: $(seconds "$t0" "$t1") s, $ran actions, every file compiled in an image of its own"
echo

echo "== ASDF, from nothing: the same, load average $(busy)"
t2=$(now)
load=$(for system in $systems; do printf ' (asdf:load-system "%s")' "$system"; done)
if ! XDG_CACHE_HOME=$top/asdf sbcl --noinform --no-sysinit --no-userinit --disable-debugger --eval '(require :asdf)' \
	--eval "(progn $load)" --quit >"$top/asdf.log" 2>&1 </dev/null; then
	echo "ASDF failed:" >&2
	tail -n 20 "$top/asdf.log" >&2
	exit 1
fi
t3=$(now)
echo "   ASDF: $(seconds "$t2" "$t3") s; tenon was $(ratio "$t2" "$t3" "$t0" "$t1") times as fast"
echo

echo "== tenon again, nothing changed"
t4=$(now)
# shellcheck disable=SC2086
tenon_in build --quiet $systems
t5=$(now)
echo "   $(echo "$t4 $t5" | awk '{ printf "%.0f", ($2 - $1) / 1e6 }') ms"
echo

form='(ironclad:byte-array-to-hex-string (ironclad:digest-sequence :sha256 (ironclad:ascii-string-to-byte-array "tenon")))'
echo "== tenon eval --module ironclad '$form'"
said=$(tenon_in eval --module ironclad "$form")
echo "   $said"
want=$(printf tenon | sha256sum | cut -d ' ' -f 1)
if [ "$said" != "\"$want\"" ]; then
	echo "sha256sum says $want" >&2
	exit 1
fi
echo "   sha256sum agrees"
