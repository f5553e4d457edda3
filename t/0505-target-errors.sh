#!/bin/bash
# Targets that cannot be built, before anything runs.
. "$(dirname "$0")/lib.sh"

touch WORKSPACE
mkdir -p a b
cat >a/BUILD <<'END'
(genrule :name "open" :out "open.txt" :cmd "echo >$OUT" :visibility ["PUBLIC"])
(genrule :name "closed" :out "closed.txt" :cmd "echo >$OUT")
END
cat >b/BUILD <<'END'
(genrule :name "user" :srcs ["//a:opne"] :out "o" :cmd "true")
END
expect_fail 2 build //b:user
golden target-unknown "$T_ERR"
expect_fail 2 build //a:opn
golden target-unknown-asked "$T_ERR"
sed -i s/opne/closed/ b/BUILD
expect_fail 2 build //b:user
golden target-invisible "$T_ERR"
cat >b/BUILD <<'END'
(genrule :name "one" :out "same.txt" :cmd "echo 1 >$OUT")
(genrule :name "two" :outs ["x" "same.txt"] :cmd "echo 2 >same.txt")
END
expect_fail 2 build //b/...
golden target-same-file "$T_ERR"
cat >b/BUILD <<'END'
(genrule :name "x" :srcs [":y"] :out "x" :cmd "true")
(genrule :name "y" :srcs [":z"] :out "y" :cmd "true")
(genrule :name "z" :srcs [":x"] :out "z" :cmd "true")
END
expect_fail 2 build //b:y
golden target-cycle "$T_ERR"
cat >b/BUILD <<'END'
(remote-file :name "r" :url "file:/etc/hostname" :sha256 "0123" :out "r")
END
expect_fail 2 build //b:r
golden target-no-sha256 "$T_ERR"
echo content >elsewhere
cat >b/BUILD <<END
(remote-file :name "r" :url "file:$PWD/elsewhere" :out "r"
             :sha256 "0000000000000000000000000000000000000000000000000000000000000000")
END
expect_fail 1 build //b:r
golden target-wrong-sha256 "$T_ERR"
cat >b/BUILD <<'END'
(genrule :name "g" :out "g" :cmd "$(exe //a:open) $(location //a:open)")
END
expect_fail 2 build //b:g
golden target-undeclared-tool "$T_ERR"
cat >b/BUILD <<'END'
(genrule :name "g" :srcs ["absent.txt"] :out "g" :cmd "cp $SRCS $OUT")
END
expect_fail 2 build //b:g
golden target-absent-source "$T_ERR"
rm WORKSPACE
expect_fail 2 build //a:open
golden target-no-workspace "$T_ERR"
done_testing
