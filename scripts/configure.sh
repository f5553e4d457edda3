#!/bin/sh
# Configures a build folder, or again when files have come or gone since: Meson lists files only then.
#
#     scripts/configure.sh FOLDER [OPTION...]
set -eu
cd "$(dirname "$0")/.."
build=$1
shift
now=$(scripts/sources.sh all)
if [ ! -f "$build/build.ninja" ]; then
	rm -rf "$build"
	meson setup "$build" "$@"
elif [ "$now" != "$(cat "$build/sources.list" 2>/dev/null)" ]; then
	meson setup --reconfigure "$build" "$@"
fi
printf '%s\n' "$now" >"$build/sources.list"
