#!/bin/sh
# Runs every fuzzer of a build folder for a while, from a copy of its corpus.
#
#     scripts/fuzz.sh FOLDER SECONDS
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$1"
seconds=$2
found=0
for fuzzer in fuzz_*; do
	[ -f "$fuzzer" ] && [ -x "$fuzzer" ] || continue
	topic=${fuzzer#fuzz_}
	mkdir -p "corpus/$topic"
	found=$((found + 1))
	echo "== $fuzzer, $seconds s"
	"./$fuzzer" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-verbosity=0 -artifact_prefix="corpus/$topic-" "corpus/$topic" "$root/fuzz/corpus/$topic"
done
if [ "$found" -eq 0 ]; then
	echo "no fuzzer in $1" >&2
	exit 1
fi
