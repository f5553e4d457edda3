#!/bin/bash
# Targets of Common Lisp: libraries, programs, tests, systems of ASDF's; among others in one workspace.
# timeout: 900
# seconds: 20
. "$(dirname "$0")/lib.sh"
need sbcl cl-alexandria

touch WORKSPACE
mkdir -p app tool
cat >app/BUILD <<'END'
(genrule :name "answer" :out "answer.lisp" :cmd "echo '(in-package :words) (defun answer () 42)' >$OUT")
(lisp-library :name "words" :srcs ["packages.lisp" ":answer" "words.lisp"] :serial true
              :deps ["//tool"] :systems ["alexandria"] :features ["with-words"])
(lisp-binary :name "cli" :main "words:main" :deps [":words"])
(lisp-test :name "words-test" :srcs ["words-test.lisp"] :run "(words-test:run)" :deps [":words"])
(genrule :name "shouted" :out "shouted.txt" :cmd "$(location :cli) abc >$OUT || true" :tools [":cli"])
END
echo '(asdf-system :name "tool" :visibility ["PUBLIC"])' >tool/BUILD
echo '(defsystem "tool" :components ((:file "tool")))' >tool/tool.asd
echo '(defpackage :tool (:use :cl) (:export :shout)) (in-package :tool) (defun shout (s) (string-upcase s))' >tool/tool.lisp
echo '(defpackage :words (:use :cl) (:export :main :words))' >app/packages.lisp
cat >app/words.lisp <<'END'
(in-package :words)
#-with-words (error "the feature is missing")
(defun words (s) (alexandria:flatten (list (tool:shout s))))
(defun main () (format t "~{~A~} ~A~%" (words (or (second sb-ext:*posix-argv*) "none")) (answer)) 7)
END
cat >app/words-test.lisp <<'END'
(defpackage :words-test (:use :cl) (:export :run))
(in-package :words-test)
(defun run () (equal (words:words "a") '("A")))
END
build_ok
out=.tenon/out/default/app
is "$($out/cli hello; echo $?)" "HELLO 42
7" "the program runs, with its arguments and exit code"
is "$(cat $out/shouted.txt)" "ABC 42" "a genrule runs it"
expect_null
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //app:cli x
is "$CODE $(stdout)" "7 X 42" "run"
tenon test
is "$CODE" 0 "the tests pass"
like "$(stderr)" '1 tests in 1 namespaces' "and are counted"
sed -i 's/string-upcase/string-downcase/' tool/tool.lisp
expect_fail 1 test -k
like "$(stderr)" 'words-test \(test\) failed: its tests failed' "a change far below has the tests run again"
sed -i 's/string-downcase/string-upcase/' tool/tool.lisp
tenon test
is "$CODE" 0 "and pass with the old content back"
echo ';; no change' >>app/words-test.lisp
tenon test
is "$(ran | grep -c '//app:cli')" 0 "a program is not made again for a test"

# What is wrong.
sed -i 's/ :systems \["alexandria"\]//' app/BUILD
expect_fail 1 build //app:words
like "$(stderr)" 'alexandria' "a system that is not declared is not there"
sed -i 's/:features/:systems ["alexandria"] :features/' app/BUILD
sed -i 's/words:main/words:mane/' app/BUILD
expect_fail 1 build //app:cli
like "$(stderr)" 'there is no words:mane' "a function that is not there"
sed -i 's/words:mane/words:main/; s/"alexandria"/"alexandrai"/' app/BUILD
expect_fail 1 build //app:cli
like "$(stderr)" 'did you mean "alexandria"' "a system that is not there offers the nearest"
sed -i 's/"alexandrai"/"alexandria"/' app/BUILD

# A program whose core is compressed, where the Lisp can.
sed -i 's/:main "words:main"/& :compression true/' app/BUILD
large=$(stat -c %s $out/cli)
if sbcl --noinform --non-interactive --eval '(sb-ext:exit :code (if (find :sb-core-compression *features*) 0 1))'; then
	build_ok //app:cli
	ok "the program is smaller ($large to $(stat -c %s $out/cli))" test $(($(stat -c %s $out/cli) * 2)) -lt "$large"
	is "$($out/cli hello; echo $?)" "HELLO 42
7" "and runs"
else
	expect_fail 1 build //app:cli
	like "$(stderr)" 'made without core compression' "an SBCL without compression says so"
fi

# Tests are confined as other actions are, and run beside each other.
cat >>app/BUILD <<'END'
(lisp-test :name "declares" :run "(with-open-file (s \"app/data.txt\") (read-line s))" :data ["data.txt"] :srcs ["words-test.lisp"] :deps [":words"])
(lisp-test :name "own" :run "(with-open-file (s (asdf:system-relative-pathname \"tool\" \"tool.lisp\")) (read-line s))" :srcs ["words-test.lisp"] :deps [":words"])
(lisp-test :name "undeclared" :run "(with-open-file (s \"app/data.txt\") (read-line s))" :srcs ["words-test.lisp"] :deps [":words"])
(lisp-test :name "writes" :run "(with-open-file (s \"app/new.txt\" :direction :output) (print 1 s))" :srcs ["words-test.lisp"] :deps [":words"])
(lisp-test :name "temporary" :run "(with-open-file (s (merge-pathnames \"new.txt\" (uiop:ensure-directory-pathname (uiop:getenv \"TMPDIR\"))) :direction :output) (print 1 s))" :srcs ["words-test.lisp"] :deps [":words"])
(defn meet [name mine other]
  (lisp-test :name name :srcs ["words-test.lisp"] :deps [":words"] :timeout 100
    :run (str "(progn (open \"" mine "\" :direction :output :if-exists :supersede) "
              "(loop repeat 800 until (probe-file \"" other "\") do (sleep 0.1)) (probe-file \"" other "\"))")))
END
shm=/dev/shm/$(basename "$T_WORK")
printf '(meet "one" "%s.1" "%s.2")\n(meet "two" "%s.2" "%s.1")\n' "$shm" "$shm" "$shm" "$shm" >>app/BUILD
echo data >app/data.txt
if tenon doctor && stdout | grep -q 'sandbox: Landlock'; then
	expect_fail 1 test //app:undeclared
	like "$(stderr)" 'undeclared \(test\) failed' "a file that is not declared is not there"
	expect_fail 1 test //app:writes
	like "$(stderr)" 'ermission denied' "and the workspace cannot be written to"
else
	like "$(stdout)" 'sandbox: .*no Landlock' "a kernel without Landlock is told of"
fi
tenon test //app:declares //app:own //app:temporary
is "$CODE" 0 "data, the systems' own sources and temporary files are"
diag "$(stderr)"
tenon test //app:undeclared --no-sandbox
is "$CODE" 0 "--no-sandbox"
tenon test //app:one //app:two
is "$CODE" 0 "two tests at the same time"

# While systems are built, other actions go on, those that become ready meanwhile too.
cat >app/waits.lisp <<END
(eval-when (:compile-toplevel)
  (loop repeat 600 until (probe-file "$shm.3") do (sleep 0.1))
  (assert (probe-file "$shm.3")))
END
cat >>app/BUILD <<END
(lisp-library :name "waits" :srcs ["waits.lisp"])
(genrule :name "first" :out "first.txt" :cmd "echo 1 >\$OUT")
(genrule :name "second" :srcs [":first"] :out "second.txt" :cmd "echo 1 >$shm.3; echo 2 >\$OUT")
END
tenon build //app:waits //app:second
is "$CODE" 0 "actions go on while a system is built"
diag "$(stderr)"
rm -f "$shm.1" "$shm.2" "$shm.3"
done_testing
