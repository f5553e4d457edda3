#!/bin/bash
# Sources in a folder that cannot be written to; a store that cannot be.
. "$(dirname "$0")/lib.sh"
need sbcl

mkdir sources && cd sources || exit 1
small_system
open_to_nobody
[ "$(id -u)" != 0 ] || chown -h root:root . ./*
chmod 555 .
before=$(ls -la --time-style=full-iso)
WRAP=$(nobody_wrap) build_ok
expect_ran 3
is "$(ls -la --time-style=full-iso)" "$before" "nothing has changed in the folder"
WRAP=$(nobody_wrap) eval_is '(small:answer)' 42 "it can be used from there" --module small
chmod 755 .

cd .. && mkdir store && chmod 555 store
[ "$(id -u)" != 0 ] || chown root:root store
cd sources || exit 1
WRAP=$(nobody_wrap) expect_fail 3 build --store="$PWD/../store"
like "$(stderr)" 'store' "a store without permission is named"
like "$(stderr)" '[Pp]ermission denied' "and why"
chmod 755 ../store
done_testing
