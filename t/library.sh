# The tests of a real library, run by plain SBCL on FASLs that tenon made and on those that ASDF made. Read after lib.sh.

# Debian's own copy of ASDF is left out: it would first compile itself.
export CL_SOURCE_REGISTRY='(:source-registry (:also-exclude "cl-asdf") (:tree "/usr/share/common-lisp/source/") :ignore-inherited-configuration)'

# Prints what a test run says that does not depend on times: its results.
results_of() {
	sed -n '/^===== TEST =====$/,$p' "$1" |
		grep -E '^ *(Pass|Skip|Fail): |[Tt]ests? (passed|failed)|[0-9]+ (tests|failures)|^Errors detected|^Successes|^===== (TEST|RESULT)|:EXPECTED|FAILED' |
		sed -E 's/[0-9.]+ seconds/N seconds/'
}

# plain_test SYSTEM TEST-SYSTEM OUTPUT: loads and tests in plain SBCL; says how many files it compiled.
plain_test() {
	sbcl --noinform --no-sysinit --no-userinit --disable-debugger --eval '(require :asdf)' \
		--eval '(defvar cl-user::*compiled* (list))' \
		--eval '(defmethod asdf:perform :before ((o asdf:compile-op) (c asdf:cl-source-file)) (push (asdf:component-pathname c) cl-user::*compiled*))' \
		--eval "(asdf:load-system \"$2\")" \
		--eval '(format t "~&===== COMPILED ~d ~a =====~%" (length cl-user::*compiled*) (first cl-user::*compiled*))' \
		--eval '(format t "~&===== TEST =====~%")' \
		--eval "(let ((r (asdf:test-system \"$1\"))) (format t \"~&===== RESULT ~a =====~%\" r))" \
		--quit >"$3" 2>&1 </dev/null
}

# library_test SYSTEM TEST-SYSTEM
library_test() {
	build_ok --install-fasls "$2" || return
	plain_test "$1" "$2" "$T_WORK/with-tenon"
	is $? 0 "$1: its tests run on tenon's FASLs" || diag_file "$T_WORK/with-tenon"
	like "$(cat "$T_WORK/with-tenon")" '^===== COMPILED 0 ' "$1: asdf:load-system compiles nothing"
	rm -rf "$T_WORK/asdf-cache"
	XDG_CACHE_HOME=$T_WORK/asdf-cache plain_test "$1" "$2" "$T_WORK/with-asdf"
	is $? 0 "$1: its tests run on ASDF's FASLs" || diag_file "$T_WORK/with-asdf"
	not_ok "$1: ASDF did compile for itself" grep -q '^===== COMPILED 0 ' "$T_WORK/with-asdf"
	local want
	want=$(results_of "$T_WORK/with-asdf")
	like "$want" 'passed|No tests failed|Pass: |Successes' "$1: its tests have results"
	is "$(results_of "$T_WORK/with-tenon")" "$want" "$1: the results are the same"
}
