#!/bin/sh
# Builds every system of the installed Debian packages with ASDF (Debian's newest, in fresh processes with a fresh
# cache) and writes a table: system, ok or fail, seconds, why it failed.
#
#     scripts/corpus.sh TABLE [--jobs N] [--timeout SECONDS] [--only SYSTEM...]
set -eu
if [ $# -lt 1 ]; then
	echo "usage: scripts/corpus.sh TABLE [--jobs N] [--timeout SECONDS] [--only SYSTEM...]" >&2
	exit 2
fi
table=$1
shift
exec /usr/bin/python3 "$(dirname "$0")/../bench/corpus.py" --table "$table" "$@"
