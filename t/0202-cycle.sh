#!/bin/bash
# Circular dependencies, between systems and between files.
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
DEPENDS=b system a package
DEPENDS=c system b package
DEPENDS=a system c package
expect_fail 2 build a
like "$(stderr)" 'circular dependency' "it is called a circular dependency"
like "$(stderr)" 'a(:[a-z.]+)? → b(:[a-z.]+)? → c(:[a-z.]+)? → a|b(:[a-z.]+)? → c(:[a-z.]+)? → a(:[a-z.]+)? → b|c(:[a-z.]+)? → a(:[a-z.]+)? → b(:[a-z.]+)? → c' \
	"the whole circle is shown"
like "$(stderr)" 'package|[abc]\.asd' "with files"
golden cycle-systems "$T_ERR"

cat >files.asd <<'END'
(asdf:defsystem "files" :components ((:file "x" :depends-on ("y")) (:file "y" :depends-on ("x"))))
END
lisp x.lisp <<<'(defvar *x* 1)'
lisp y.lisp <<<'(defvar *y* 1)'
expect_fail 2 build files
like "$(stderr)" 'circular dependency' "files that wait for each other are found too"
like "$(stderr)" '\bx\b.*\by\b|\by\b.*\bx\b' "both are named"

sed -i 's/:file "y" :depends-on ("x")/:file "y"/' files.asd
build_ok files
expect_ran 2
done_testing
