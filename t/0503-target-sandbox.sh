#!/bin/bash
# Actions of targets that do what they may not: each fails, says why, and leaves nothing.
# seconds: 10
. "$(dirname "$0")/lib.sh"

touch WORKSPACE secret.txt
echo given >given.txt
target() { printf '(genrule :name "%s" %s)\n' "$1" "$2" >BUILD; }

target reads ':srcs ["given.txt"] :out "o" :cmd "cat given.txt secret.txt >$OUT"'
expect_fail 1 build
like "$(diagnostics)" '^error	genrule	.*cat: secret.txt: No such file' "a file that is not declared is not there"
target reads ":srcs [\"given.txt\"] :out \"o\" :cmd \"cat $PWD/secret.txt >\$OUT\""
expect_fail 1 build
like "$(diagnostics)" '^error	genrule	.*Permission denied' "nor by its absolute path"
like "$(logged "$T_LOG" hints)" 'read of the workspace only what it declares' "and what to do is said"

target writes ":out \"o\" :cmd \"touch \$OUT; echo x >$PWD/planted\""
expect_fail 1 build
like "$(diagnostics)" '^error	genrule	.*planted' "it does not write into the workspace"
not_ok "nothing was written" test -e planted
target writes ':srcs ["given.txt"] :out "o" :cmd "touch $OUT; echo x >>given.txt"'
expect_fail 1 build
is "$(cat given.txt)" given "it does not change its source"
target writes ":out \"o\" :cmd \"touch \$OUT; echo x >$HOME/planted\""
expect_fail 1 build
not_ok "it does not write into the home folder" test -e "$HOME/planted"

target nothing ':out "o" :cmd "echo x >other.txt || echo x >${OUT}.other"'
expect_fail 1 build
like "$(diagnostics)" '^error	genrule	BUILD	1	1	//:nothing: it did not write "o", which it declares' "an output that is not made"
like "$(logged "$T_LOG" hints)" 'it wrote "o.other", which it does not declare' "what was made instead is named"

target loops ':out "o" :cmd "while :; do :; done"'
expect_fail 1 build --timeout 1
like "$(diagnostics)" '^error	genrule	BUILD	1	1	//:loops failed: it took longer than 1 s and was ended' "a command that loops is ended"
target sleeps ':out "o" :cmd "sleep 1000 & (setsid sleep 1000 &) ; echo x >$OUT"'
build_ok

target fails ':out "o" :cmd "echo what is wrong >&2; exit 9"'
expect_fail 1 build
like "$(diagnostics)" '^error	genrule	.*what is wrong' "what the command says is shown"
like "$(diagnostics)" '//:fails failed: it ended with exit code 9' "and how it ended"
target floods ':out "o" :cmd "head -c 30000000 /dev/zero | tr \\\\0 x; exit 1"'
expect_fail 1 build
ok "what it says without end is cut" test "$(wc -c <"$T_LOG")" -lt 5000000

# A failure is not remembered, and what does not need it goes on.
cat >BUILD <<'END'
(genrule :name "good" :out "good.txt" :cmd "echo good >$OUT")
(genrule :name "bad" :out "bad.txt" :cmd "exit 1")
(genrule :name "after-bad" :srcs [":bad"] :out "after.txt" :cmd "cat $SRCS >$OUT")
END
expect_fail 1 build -k
is "$(ran) $(logged "$T_LOG" failed) $(logged "$T_LOG" skipped)" "//:good //:bad //:after-bad" "with -k the rest is built"
expect_fail 1 build -k
is "$(logged "$T_LOG" failed)" "//:bad" "a failure is tried again"

# Without the sandbox the workspace can be read: the user asked for it.
target reads ":out \"o\" :cmd \"cat $PWD/secret.txt >\$OUT\""
build_ok --no-sandbox
done_testing
