#!/bin/sh
# Lists what the build is made of, one path per line, in order of bytes.
#
#     scripts/sources.sh lib|tests|drivers|fuzz|main|all
set -eu
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.."

list() {
	case $1 in
	lib) find src -mindepth 2 -maxdepth 2 -name '*.c' ! -name '*_test.c' ! -path src/cli/main.c ;;
	tests) find src -mindepth 2 -maxdepth 2 -name '*_test.c' ;;
	drivers) find drivers -mindepth 2 -maxdepth 2 \( -name '*.lisp' -o -name '*.clj' -o -name '*.java' \) ;;
	fuzz) find fuzz -maxdepth 1 -name 'fuzz_*.c' ;;
	main) find src/cli -name main.c ;;
	*) echo "usage: scripts/sources.sh lib|tests|drivers|fuzz|main|all" >&2; exit 2 ;;
	esac
}

# Editors leave files such as .#x.c; they are none of ours.
one() {
	list "$1" | { grep -v '/\.' || true; } | sort
}

if [ "${1-}" = all ]; then
	for what in lib tests drivers fuzz main; do one $what; done
else
	one "${1-}"
fi
