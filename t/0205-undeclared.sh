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
done_testing
