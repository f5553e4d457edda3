#!/bin/bash
# Compiles that do not end well: endless, out of heap, exiting, killed, crashing, printing megabytes. Each costs its own
# action; what does not depend on it is built.
# seconds: 60
# timeout: 600
. "$(dirname "$0")/lib.sh"
need sbcl

SERIAL=nil system wild good bad other
echo '(defun good () :good)' >good.lisp
echo '(defun other () :other)' >other.lisp

# wild WHAT CODE-AT-COMPILE-TIME EXPECTED [ARGUMENTS...]: bad.lisp fails in the way EXPECTED tells, the others don't.
wild() {
	local what=$1 form=$2 expected=$3
	shift 3
	printf '(eval-when (:compile-toplevel)\n  %s)\n' "$form" >bad.lisp
	expect_fail 1 build --keep-going "$@"
	is "$(logged "$T_LOG" failed | grep -c .)" 1 "$what: one action failed"
	like "$(diagnostics)" "bad\.lisp.*($expected)" "$what: it is said"
	local built
	built=$(logged "$T_LOG" ran; logged "$T_LOG" cached; logged "$T_LOG" current)
	like "$built" good "$what: the other files are built"
	like "$built" other "$what: all of them"
	RECHECK=no tenon build --keep-going "$@"
	is "$CODE" 1 "$what: it is not forgotten"
}

wild "an endless loop" '(loop)' '2 s|time' --timeout=2
wild "an endless loop that catches everything" '(loop (handler-case (sb-sys:without-interrupts (loop)) (condition () nil)))' \
	'2 s|time' --timeout=2
wild "a sleep" '(sleep 1000)' '2 s|time' --timeout=2
wild "exit 0" '(sb-ext:exit :code 0 :abort t)' 'exit'
wild "exit 3" '(sb-ext:exit :code 3 :abort t)' 'exit'
wild "an unwinding exit" '(sb-ext:exit :code 0)' 'exit'
wild "its own death" '(sb-unix:unix-kill (sb-unix:unix-getpid) 9)' 'signal|[Kk]ill'
wild "a segmentation fault" \
	'(progn (sb-alien:alien-funcall (sb-alien:extern-alien "signal" (function sb-alien:long sb-alien:int sb-alien:long)) 11 0) (sb-unix:unix-kill (sb-unix:unix-getpid) 11))' \
	'signal|[Ss]egm'
wild "an exhausted heap" '(let ((all nil)) (loop (push (make-array 4000000) all)))' '[Hh]eap|memory'
wild "a heap that the collector exhausts" '(let ((all nil)) (loop (push (make-list 100000) all)))' \
	'Heap exhausted' --heap=300M
like "$(stderr)" 'ran out of memory; --heap gives it more' "what to do"
wild "an end that Lisp doesn't know of" \
	'(progn (sb-alien:alien-funcall (sb-alien:extern-alien "perror" (function sb-alien:void sb-alien:c-string)) "last words") (sb-alien:alien-funcall (sb-alien:extern-alien "_exit" (function sb-alien:void sb-alien:int)) 3))' \
	'died: exit code 3.*last words'
wild "an exhausted stack" '(labels ((deep (x) (+ 1 (deep (1+ x))))) (deep 0))' '[Ss]tack|exhausted'
wild "a fork that outlives it" \
	'(progn (when (zerop (sb-alien:alien-funcall (sb-alien:extern-alien "fork" (function sb-alien:int)))) (sleep 1000)) (error "parent gone"))' \
	'parent gone'

# Output in megabytes is not held in memory, and fails nothing.
printf '(eval-when (:compile-toplevel)\n  (dotimes (i 800000) (format t "~%% a line of output, number ~~d~%%" i)))\n(defun bad () 1)\n' |
	sed 's/~%/~%/g' >bad.lisp
build_ok
ok "megabytes of output are not all shown" test "$(wc -c <"$T_OUT")" -lt 1000000 -a "$(wc -c <"$T_ERR")" -lt 1000000

printf '(eval-when (:compile-toplevel)\n  (dotimes (i 20000) (warn "warning number ~~d" i)))\n(defun bad () 1)\n' >bad.lisp
tenon build --warnings=ignore
is "$CODE" 0 "twenty thousand warnings are survived"

echo '(defun bad () 1)' >bad.lisp
build_ok
expect_ran 1
# Every process that is forked from an image with this file is gone before it says a word.
mkdir "$T_WORK/w/stillborn" && cd "$T_WORK/w/stillborn" || exit 1
cat >stillborn.asd <<'END'
(defsystem "stillborn" :components ((:file "first") (:file "one" :depends-on ("first")) (:file "two" :depends-on ("first"))))
END
lisp first.lisp <<'END'
(sb-alien:alien-funcall
 (sb-alien:extern-alien "__register_atfork" (function sb-alien:int sb-alien:unsigned-long sb-alien:unsigned-long
                                                      sb-alien:unsigned-long sb-alien:unsigned-long))
 0 0 (sb-sys:find-foreign-symbol-address "abort") 0)
END
echo '(defun one () 1)' >one.lisp
echo '(defun two () 2)' >two.lisp
start=$(date +%s)
expect_fail 1 build --no-headers --keep-going
like "$(diagnostics)" 'died: (signal|exit code) ' "a process that dies before it is heard of is told"
ok "without waiting for the timeout" test $(($(date +%s) - start)) -lt 60
# An image whose process takes its time over each fork: nothing of what it was asked for is lost.
mkdir "$T_WORK/w/slow" && cd "$T_WORK/w/slow" || exit 1
cat >slow.asd <<'END'
(defsystem "slow" :components ((:file "first") (:file "one" :depends-on ("first")) (:file "two" :depends-on ("first"))
                               (:file "alone")))
END
lisp first.lisp <<'END'
(sb-alien:alien-funcall
 (sb-alien:extern-alien "__register_atfork" (function sb-alien:int sb-alien:unsigned-long sb-alien:unsigned-long
                                                      sb-alien:unsigned-long sb-alien:unsigned-long))
 0 (sb-sys:sap-int (sb-alien:alien-sap (sb-alien::alien-lambda sb-alien:void () (sleep 0.5)))) 0 0)
END
echo '(defun one () 1)' >one.lisp
echo '(defun two () 2)' >two.lisp
echo '(defun alone () 3)' >alone.lisp
start=$(date +%s)
build_ok -j4
expect_ran 4
ok "without waiting for the timeout" test $(($(date +%s) - start)) -lt 25
# A process that dies while it loads: what it loaded is named, and what it said.
mkdir "$T_WORK/w/fatal" && cd "$T_WORK/w/fatal" || exit 1
cat >fatal.asd <<'END'
(defsystem "fatal" :serial t :components ((:file "first") (:file "second") (:file "third") (:file "last")))
END
for f in first third last; do echo "(defun $f-one () 1)" >$f.lisp; done
fatal() {
	echo "$2" >second.lisp
	expect_fail 1 build "${@:4}"
	like "$(diagnostics)" "second\.lisp.*the Lisp process that loaded it died: $3" "$1: it is said"
}
fatal "a kill" '(sb-unix:unix-kill (sb-unix:unix-getpid) 9)' 'signal 9'
fatal "a kill among FASLs" '(sb-unix:unix-kill (sb-unix:unix-getpid) 9) ' 'signal 9' --no-headers
fatal "an exhausted heap" '(let ((all nil)) (loop (push (make-list 100000) all)))' \
	'exit code 1.*Heap exhausted' --heap=300M
like "$(stderr)" 'ran out of memory; --heap gives it more' "what to do"
fatal "last words" '(progn (sb-alien:alien-funcall (sb-alien:extern-alien "perror" (function sb-alien:void sb-alien:c-string)) "last words")
	(sb-alien:alien-funcall (sb-alien:extern-alien "_exit" (function sb-alien:void sb-alien:int)) 3))' 'exit code 3.*last words'
echo '(defun second-one () 2)' >second.lisp
build_ok
expect_fail 3 build --heap=1M second
like "$(cat "$T_ERR")" 'too small' "a heap that is too small for Lisp"
done_testing
