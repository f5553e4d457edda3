#!/bin/bash
# Headers that can't be made, or not in good time: the file's FASL takes their place, --verbose says why, nothing hangs,
# and nothing is built twice.
# seconds: 70
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

fresh bad use
echo '(defun use () (m))' >use.lisp

# bad NAME REASON: bad.lisp has what standard input says before its macro; what is said of its header is like REASON.
bad() {
	{
		echo '(defun interpreted () (typep #'"'"'interpreted (quote sb-kernel:interpreted-function)))'
		cat
		echo "(defmacro m () '(list :$1))"
	} >bad.lisp
	RECHECK=no tenon build --verbose --timeout=60
	is "$CODE" 0 "$1: it builds" || diag_file "$T_ERR"
	like "$(stderr)" "\"small:bad.lisp\" gets no header: $2; files that depend on it wait for its FASL" "$1: it is said"
	is "$(compiled)" "bad use" "$1: each file is compiled once"
	expect_null
	[ "${2#* too long}" = "$2" ] || return 0 # that takes too long once more
	RECHECK=no tenon build --verify-headers
	like "$CODE $(stdout)$(stderr)" '2 of 2 FASLs are the same among headers and among FASLs \(1 have no headers' \
		"$1: --verify-headers agrees"
}

bad computing "it computes for too long" <<<'(defun sum (n) (let ((s 0)) (dotimes (i n s) (incf s i)))) (defparameter *n* (sum 4000000))'
bad looping "it computes for too long" <<<'(when (interpreted) (loop (handler-case (sb-sys:without-interrupts (loop)) (condition () nil))))'
bad failing "no header can be made: made of an error" <<<'(when (interpreted) (error "made of an error"))'
bad reading "no header can be made: end of file.*" <<<'(when (interpreted) (read-line))'
bad breaking "break" <<<'(when (interpreted) (break))'
bad exiting "the code called exit while it was being built" <<<'(when (interpreted) (sb-ext:exit :code 0 :abort t))'
bad dying "making it ends the process" <<<'(when (interpreted) (sb-unix:unix-kill (sb-unix:unix-getpid) 9))'
bad piling "no header can be made: .*" <<<'(when (interpreted) (make-array (expt 10 11)))'
# Where an allocation meets the end of the stack, SBCL has no way out.
bad sinking "(no header can be made: Control stack exhausted.*|making it ends the process)" <<<'(when (interpreted) (labels ((deep (x) (+ 1 (deep x)))) (deep 1)))'
bad circular "a form is too large, or circular" <<<"(defparameter *c* '#1=(a . #1#))"
bad writing "no header can be made: .*Permission denied" <<END
(with-open-file (out "$T_WORK/written" :direction :output :if-exists :append :if-does-not-exist :create) (print 1 out))
END

# A wait is ended by the timeout at the latest.
echo "(when (typep (lambda ()) 'sb-kernel:interpreted-function) (sleep 1000)) (defmacro m () 1)" >bad.lisp
RECHECK=no tenon build --verbose --timeout=2
is "$CODE" 0 "waiting: it builds"
like "$(stderr)" 'gets no header: it computes for too long' "waiting: it is said"

# What compiled code takes is no reason: it takes as long when the file itself is compiled.
fresh bad use last
lisp bad.lisp <<'E'
(defun sum (n) (let ((s 0)) (dotimes (i n s) (incf s i))))
(defparameter *n* (sum 4000000))
(defun busy (n) (let ((s 0)) (declare (fixnum s n)) (dotimes (i n s) (setf s (logxor s i)))))
(defmacro slow () (busy 3000000000))
E
echo '(defparameter *s* (slow)) (defmacro m () 1)' >use.lisp
echo '(defun f () (m))' >last.lisp
RECHECK=no tenon build --verbose
like "$CODE $(stderr)" 'small:bad.lisp" gets no header: it computes for too long' "compiled code: its file gets no header"
unlike "$(stderr)" 'small:use.lisp" gets no header' "the file whose macro it is does"

# A macro of which the interpreter is the wrong one to carry it out: its users are compiled among FASLs.
fresh bad use
lisp bad.lisp <<'E'
(defun sum (n) (let ((s 0)) (dotimes (i n s) (incf s i))))
(defmacro m () (sum 4000000))
E
echo '(defun use () (m))' >use.lisp
tenon build --verbose
like "$(stderr)" 'small:use.lisp" can.t be compiled among headers: the interpreter takes too long; trying FASLs' \
	"a slow macro: its user is compiled among FASLs"
edit '*' "they are the same"
fresh bad use
echo '(defun use () (m))' >use.lisp

# The compiler itself is not safe from them.
lisp bad.lisp <<'E'
(sb-int:encapsulate 'compile-file 'changed (lambda (next &rest arguments) (push :changed *features*) (apply next arguments)))
(defmacro m () '(list 1))
E
edit '*' "COMPILE-FILE is wrapped"
echo "(defun use () (list (m) #+changed 1))" >use.lisp
edit 'use' "and still is when its user changes"

# A thread that stays keeps images from forking.
lisp bad.lisp <<'E'
(defvar *thread* (sb-thread:make-thread (lambda () (sleep 100))))
(defmacro m () '(list 2))
E
edit 'bad use' "a thread stays behind"
change bad.lisp 'list 2' 'list 3'
edit 'bad use' "and a macro beside it changes"

# Macros that call functions in the wrong way, or ask what only compiled functions tell.
fresh bad use
lisp bad.lisp <<'E'
(defun f (x) (list x 1))
(defmacro wrong () (list 'quote (handler-case (funcall 'f 1 2) (program-error () :wrong))))
(defmacro wrong-2 () (handler-case (apply 'f (remove 1 (list 1))) (error () :wrong)))
(defmacro compiled () (if (compiled-function-p #'f) :compiled :interpreted))
(defmacro compiled-now () `',(funcall (compile nil #'f) 1))
(defmacro by-name () (compile 'f) `',(f 2))
(defmacro functions () (list 'quote (list (functionp #'f) (fboundp 'not-there) (and (fdefinition 'f) t))))
(defmacro lambda-list () `',(sb-kernel:%fun-lambda-list #'f))
E
echo '(defun use () (list (wrong) (wrong-2) (compiled) (compiled-now) (by-name) (functions) (lambda-list)))' >use.lisp
edit 'bad use' "functions are asked about"
change bad.lisp '(list x 1)' '(list x 2)'
edit 'bad use' "a body that is compiled at compile time"
change bad.lisp 'defun f (x)' 'defun f (x &optional (y nil))'
sed -i 's/(list x 2)/(list x y)/' bad.lisp
edit 'bad use' "a lambda list that makes a wrong call a right one"
RECHECK=no tenon build --verify-headers
like "$CODE $(stdout)$(stderr)" '2 of 2 FASLs are the same among headers and among FASLs' "--verify-headers agrees"

# A call that fails is the compile's own failure, with its place.
change bad.lisp "(handler-case (apply 'f (remove 1 (list 1))) (error () :wrong))" "(apply 'f (remove 1 (list 1)))"
expect_fail 1 build
like "$(diagnostics)" 'error.*use\.lisp.*1.*(argument|wrong-2)' "a stub called with too few arguments is an error at its place"

done_testing
