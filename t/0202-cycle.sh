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
like "$(stderr)" 'circular dependency: a → b → c → a$' "the whole circle is shown, by the names of the systems"
for x in a:b b:c c:a; do
	like "$(stderr)" "\"${x%:*}\" depends on \"${x#*:}\": see \".*/${x%:*}\.asd\"" "where $x stands"
done
golden cycle-systems "$T_ERR"

cat >files.asd <<'END'
(asdf:defsystem "files" :components ((:file "x" :depends-on ("y")) (:file "y" :depends-on ("x"))))
END
lisp x.lisp <<<'(defvar *x* 1)'
lisp y.lisp <<<'(defvar *y* 1)'
expect_fail 2 build files
like "$(stderr)" 'circular dependency' "files that wait for each other are found too"
like "$(stderr)" 'circular dependency: (x.lisp → y.lisp → x.lisp|y.lisp → x.lisp → y.lisp)$' "both are named"
like "$(stderr)" '"x.lisp" depends on "y.lisp": see ".*/files.asd"' "and where that stands"

# In modules, through definitions, between files that stand for systems.
mkdir -p sub inferred
lisp sub/z.lisp <<<'(defvar *z* 1)'
cat >modules.asd <<'END'
(asdf:defsystem "modules" :components ((:module "sub" :depends-on ("x") :components ((:file "z")))
                                       (:file "x" :depends-on ("sub"))))
END
expect_fail 2 build modules
like "$(stderr)" 'circular dependency: .*sub/.* → ' "a cycle through a module"
unlike "$(stderr)" 'compile-op|load-op|#<' "no internal names"
echo '(defsystem "d" :defsystem-depends-on ("e") :components ((:file "x")))' >d.asd
echo '(defsystem "e" :depends-on ("d") :components ((:file "y")))' >e.asd
expect_fail 2 build d
like "$(stderr)" 'circular dependency: (d → e → d|e → d → e)$' "a cycle through definitions"
unlike "$(stderr)" 'define-op|#<' "no internal names"
echo '(defsystem "inferred" :class :package-inferred-system :depends-on ("inferred/one"))' >inferred/inferred.asd
echo '(defpackage :inferred/one (:use :cl :inferred/two))' >inferred/one.lisp
echo '(defpackage :inferred/two (:use :cl :inferred/one))' >inferred/two.lisp
expect_fail 2 build inferred
like "$(stderr)" 'circular dependency: inferred/(one → inferred/two|two → inferred/one)' "between packages"
like "$(stderr)" 'see ".*/inferred/one.lisp"' "whose files are named"

sed -i 's/:file "y" :depends-on ("x")/:file "y"/' files.asd
build_ok files
expect_ran 2
done_testing
