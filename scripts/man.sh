#!/bin/sh
# Makes docs/tenon.1 from docs/tenon.1.in and the option table of a built tenon.
#
#     scripts/man.sh TENON            write docs/tenon.1
#     scripts/man.sh --check TENON    fail if docs/tenon.1 is not what would be written
set -eu

check=
if [ "${1-}" = --check ]; then
	check=1
	shift
fi
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
	echo "usage: scripts/man.sh [--check] TENON" >&2
	exit 2
fi
tenon=$1
docs=$(dirname "$0")/../docs
new=$docs/tenon.1.new.$$
trap 'rm -f "$new" "$new.options"' EXIT

"$tenon" help --man >"$new.options"
sed -e "/^@OPTIONS@\$/{r $new.options" -e 'd;}' "$docs/tenon.1.in" >"$new"

if [ -n "$check" ]; then
	if ! diff -u "$docs/tenon.1" "$new"; then
		echo "docs/tenon.1 is not current: run scripts/man.sh $tenon" >&2
		exit 1
	fi
else
	mv "$new" "$docs/tenon.1"
fi
