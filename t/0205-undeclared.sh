#!/bin/bash
# Dependencies that are used and not declared: strict builds say what to declare, lax builds go on.
# seconds: 30
. "$(dirname "$0")/lib.sh"
need sbcl cl-alexandria

# use.lisp needs the macro of macros.lisp and does not say so; ASDF's order hides it.
small_system
SERIAL=nil system small package macros use
sed -i 's/(:file "macros")/(:file "macros" :depends-on ("package"))/; s/(:file "use")/(:file "use" :depends-on ("package"))/' \
	small.asd
expect_fail 1 build
like "$(diagnostics)" '(twice|TWICE)' "the symbol is named"
hints=$(logged "$T_LOG" hints)
like "$hints$(stderr)" 'macros' "the file that defines it is named"
like "$hints$(stderr)" ':depends-on' "the declaration to add is shown"
golden undeclared-file "$T_ERR"
build_ok --lax
like "$(logged "$T_LOG" texts; logged "$T_LOG" hints; stderr)" 'macros' "--lax says which declaration is missing"
eval_is '(small:answer)' 42 "what --lax built works" --module small --lax
sed -i 's/(:file "use" :depends-on ("package"))/(:file "use" :depends-on ("package" "macros"))/' small.asd
build_ok
eval_is '(small:answer)' 42 "with the declaration it builds strictly" --module small

# A system that is used and not declared.
mkdir app && cd app || exit 1
system app app
lisp app.lisp <<-'END'
	(defpackage #:app (:use #:common-lisp))
	(in-package #:app)
	(defun f (x) (alexandria:flatten x))
END
expect_fail 1 build
like "$(diagnostics)" '(alexandria|ALEXANDRIA)' "the missing package is named"
like "$(logged "$T_LOG" hints; stderr)" 'alexandria' "the system to declare is named"
DEPENDS=alexandria system app app
build_ok

# Systems of others are built as ASDF would: what they lack is told once, and by name to those who want to know.
mkdir -p "$T_WORK/others/lib" user && cd "$T_WORK/others/lib" || exit 1
cat >lib.asd <<-'END'
	(defsystem "lib" :components ((:file "package") (:file "macros" :depends-on ("package")) (:file "late")
	                              (:file "uses" :depends-on ("package")) (:file "calls" :depends-on ("package"))))
END
lisp package.lisp <<<'(defpackage #:lib (:use #:common-lisp))'
lisp macros.lisp <<<'(in-package #:lib) (defmacro twice (x) `(list ,x ,x)) (defun once (x) x)'
lisp late.lisp <<<'(in-package #:lib) (defun late () 1)'
lisp uses.lisp <<<'(in-package #:lib) (defun uses (x) (twice x))'
lisp calls.lisp <<<'(in-package #:lib) (defun calls (x) (once x))'
cd "$T_WORK/w/app/user" || exit 1
export CL_SOURCE_REGISTRY="(:source-registry (:tree \"$T_WORK/others/\") :ignore-inherited-configuration)"
DEPENDS=lib system user user
lisp user.lisp <<<'(print (lib::uses 1))'
build_ok
is "$(logged "$T_LOG" lax | sort)" "lib:late.lisp	1	package LIB
lib:uses.lisp	1	LIB::TWICE" "the log says which files lacked what; a function that another file defines is no matter"
like "$(stderr)" '2 files of systems outside this workspace lack declarations' "so does a note"
tenon eval --module user 1
unlike "$(stderr)" 'declarations' "eval does not say it again"
rm -r .tenon
tenon build --verbose
like "$(stderr)" '"lib:uses.lisp" lacks declarations: LIB::TWICE' "--verbose names them"
unlike "$(stderr)" 'files of systems outside' "what comes from the store is no news"
unlike "$(stderr)" '"lib:calls.lisp" lacks' "and nothing that lacks nothing"
done_testing
