#!/bin/bash
# An image that was saved may hold what was in files that nobody declared: it serves as long as they are what they were.
# seconds: 10
. "$(dirname "$0")/lib.sh"
need sbcl

lib=$T_WORK/lib
mkdir "$lib"
echo 5 >"$lib/data"
(cd "$lib" && system lib a)
lisp "$lib/a.lisp" <<END
(defpackage #:lib (:use #:common-lisp))
(in-package #:lib)
(eval-when (:compile-toplevel :load-toplevel :execute)
  (let ((end (+ (get-internal-run-time) (floor internal-time-units-per-second 10/3))))
    (loop until (> (get-internal-run-time) end))))
(defparameter *data* (with-open-file (in "$lib/data") (read in)))
(defmacro datum () *data*)
END
DEPENDS=lib system own first

answer() {
	lisp first.lisp <<<"(in-package #:lib) (defun answer () (+ $1 (datum)))"
	build_ok --verbose --registry "(:tree \"$lib/\")"
	texts=$(logged "$T_LOG" texts)
	eval_is '(lib::answer)' "$2" "$3" --module own --registry "(:tree \"$lib/\")"
}

tenon doctor # the base core is there
answer 1 6 "an image holds what is in a file"
answer 2 7 "an edit"
answer 3 8 "and another one"
like "$texts" 'starts from a saved image' "which starts from the image that was saved"
echo 6 >"$lib/data"
answer 4 10 "what is in the file now counts"
answer 5 11 "and after the next edit"
done_testing
