#!/bin/bash
# The life of a small system: built, current, changed, cleaned, restored; used by eval, load-list and plain ASDF.
# seconds: 20
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
build_ok
expect_ran 3
is "$(logged "$T_LOG" whole)" ok "every start in the log has its finish, and time does not go back"
expect_null
eval_is '(small:answer)' 42 "the built system works" --module small

check_rebuilds macros.lisp 'small.*use'
check_rebuilds package.lisp 'small.*macros'

# A comment at the end changes no FASL, so nothing else is compiled again.
echo ';; a comment' >>macros.lisp
build_ok
is "$(ran)" small:macros.lisp "a comment behind all forms compiles its own file alone"
sed -i '$d' macros.lisp
build_ok

# The system's own name and no name at all are the same build's files.
before=$(outputs .)
expect_null small
is "$(outputs .)" "$before" "asked for by its name, the files are the same"

ok "clean succeeds" tenon clean
ok "clean removes the built files" test ! -e .tenon/out
build_ok
expect_ran 0
is "$(outputs .)" "$before" "what comes back from the store is what was built"

# A file's name is part of it, its time is not.
touch -d '2001-01-01' use.lisp
tenon build
is "$CODE $(ran)" "0 " "another time of a file executes nothing"

# One more file; then one fewer.
system small package macros use more
lisp more.lisp <<-'END'
	(in-package #:small)
	(defun more () (* 2 (answer)))
END
build_ok
ok "a file that was added is compiled" grep -q more <(ran)
eval_is '(small::more)' 84 "it is loaded" --module small
system small package macros use
build_ok
expect_ran 0
not_ok "a file that was taken out is not loaded" tenon eval --module small '(small::more)'

tenon load-list small
is "$CODE $(sed 's,.*/,,' "$T_OUT" | tr '\n' ' ')" "0 package.fasl macros.fasl use.fasl " "load-list has the order"
ok "the files of load-list are there" test -z "$(while read -r f; do [ -f "$f" ] || echo "$f"; done <"$T_OUT")"
sbcl --noinform --no-sysinit --no-userinit --non-interactive \
	$(sed 's/^/--load /' "$T_OUT") --eval '(print (small:answer))' >"$T_WORK/plain" 2>&1
like "$(cat "$T_WORK/plain")" '^42' "plain SBCL loads them in that order"

# Configurations are apart.
build_ok --config debug
expect_ran 3
ok "both configurations' files are there" test -d .tenon/out/default -a -d .tenon/out/debug
expect_null
expect_null --config debug

tenon build --no-such-option
is "$CODE" 2 "an unknown option ends with 2"
tenon buidl
is "$CODE" 2 "an unknown command ends with 2"
like "$(stderr)" 'build' "it offers the nearest command"
done_testing
