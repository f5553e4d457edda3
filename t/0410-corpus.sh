#!/bin/bash
# Every installed system that ASDF builds, tenon builds and loads.
# level: all
# timeout: 7200
# seconds: 3000
# alone
. "$(dirname "$0")/lib.sh"
. "$T_DIR/corpus.sh"
need sbcl $(cat "$T_DIR/corpus.txt")

CORPUS_JOBS=3 asdf_table "$T_WORK/asdf.tsv"
good=$(awk -F'\t' '$2 == "ok" { print $1 }' "$T_WORK/asdf.tsv")
ok "ASDF builds at least 250 systems" test "$(printf '%s\n' "$good" | wc -l)" -ge 250
# The home of each is the same, so that the store is: what one needs the other has built.
export CL_SOURCE_REGISTRY='(:source-registry (:also-exclude "cl-asdf") (:tree "/usr/share/common-lisp/source/") :ignore-inherited-configuration)'
for system in $good; do
	RECHECK=no corpus_system "$system"
done
ok "the store verifies" tenon cache verify
done_testing
