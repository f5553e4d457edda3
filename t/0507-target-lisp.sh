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
done_testing
