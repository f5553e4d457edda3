#!/bin/bash
# A file that asks for a module of the Lisp while it is compiled: where the user has systems is not its concern.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

# Two systems of one name below one tree: ASDF warns when it looks there.
tree=$T_WORK/tree
mkdir -p "$tree/a" "$tree/b"
(cd "$tree/a" && system twin one)
cp "$tree/a/twin.asd" "$tree/b/"
export CL_SOURCE_REGISTRY="$tree//:"

system own own
lisp own.lisp <<'END'
(eval-when (:compile-toplevel :load-toplevel :execute)
  (require "sb-rotate-byte"))
(defun cl-user::rotated () (sb-rotate-byte:rotate-byte 1 (byte 8 0) 129))
END
build_ok own
unlike "$(stderr)" 'several entries' "what ASDF thinks of the user's folders is no warning of that file"
eval_is '(rotated)' 3 "it has the module" --module own

mkdir "$tree/c"
(cd "$tree/c" && system another one)
tenon build own
expect_ran 0

# A system of one's own is looked for, and the warning is still not this file's.
lisp "$tree/c/one.lisp" <<<'(defun cl-user::one () 1)'
lisp own.lisp <<'END'
(eval-when (:compile-toplevel :load-toplevel :execute)
  (require "another"))
(defun cl-user::two () (+ 1 (one)))
END
build_ok own
unlike "$(stderr)" 'several entries' "nor when it has a system of the user's looked for"
eval_is '(two)' 2 "it has the system" --module own

# It is looked for where tenon looks for systems, wherever that is written down.
unset CL_SOURCE_REGISTRY
build_ok own --registry "(:tree \"$tree/\")"
expect_ran 0
echo '(defun cl-user::three () (+ 2 (one)))' >>own.lisp
build_ok own --registry "(:tree \"$tree/\")"
eval_is '(three)' 3 "a system that --registry names is found" --module own --registry "(:tree \"$tree/\")"

# Definitions that require what ASDF has, or is, leave it what it was for the others.
mkdir definitions
cat >definitions/first.asd <<'END'
(require :asdf)
(require :another)
(asdf:defsystem "first" :components ((:file "first")))
END
echo '(defsystem "second" :depends-on ((:version "asdf" "3.0") "another" "first") :components ((:file "second")))' \
	>definitions/second.asd
echo '(defun cl-user::first-of-all () (one))' >definitions/first.lisp
echo '(defun cl-user::all () (list (first-of-all) (one)))' >definitions/second.lisp
build_ok first second --registry "(:tree \"$tree/\") (:tree \"$PWD/definitions/\")"
eval_is '(all)' '(1 1)' "modules that definitions require are still systems" \
	--module second --registry "(:tree \"$tree/\") (:tree \"$PWD/definitions/\")"
done_testing
