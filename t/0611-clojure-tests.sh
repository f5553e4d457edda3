#!/bin/bash
# tenon test on clojure.test: warm workers, caching, filters, reports, and what goes wrong.
# timeout: 900
# seconds: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure

mkdir -p src/app test/app
echo '{}' >deps.edn
resolved . deps.edn
echo '(ns app.math) (defn twice [x] (* 2 x)) (defn half [x] (/ x 2))' >src/app/math.clj
echo '(ns app.util) (defn data [] {:a 1 :b [1 2]})' >src/app/util.clj
cat >test/app/math_test.clj <<'END'
(ns app.math-test
  (:require [app.math :as math] [clojure.test :refer [deftest is testing]]))
(deftest twice (is (= 4 (math/twice 2))))
(deftest half
  (testing "halves"
    (is (= 2 (math/half 4)) "of four")))
END
cat >test/app/util_test.clj <<'END'
(ns app.util-test
  (:require [app.helper :as helper] [app.util :as util] [clojure.test :refer [deftest is use-fixtures]]))
(use-fixtures :once (fn [f] (println "once") (f)))
(deftest data
  (println "printed")
  (is (= (helper/wanted) (util/data))))
END
echo '(ns app.helper) (defn wanted [] {:a 1 :b [1 2]})' >test/app/helper.clj
tenon test
is "$CODE" 0 "tests pass"
like "$(stderr)" '3 tests in 3 namespaces, 3 assertions: 0 failures, 0 errors' "and are counted"
unlike "$(stderr)" printed "what they print is not shown when they pass"
expect_null
echo ';; a comment' >>test/app/util_test.clj
tenon test
is "$CODE $(ran | grep test)" "0 //:test (app.util-test)" "one changed test alone runs again"
sed -i 's/(\* 2 x)/(+ x x)/' src/app/math.clj
tenon test
is "$CODE $(ran | grep '(.*-test')" "0 //:test (app.math-test)" "a changed namespace: the tests that need it run again"
RECHECK=no tenon test --rerun
is "$CODE $(ran | grep -c 'test)')" "0 2" "--rerun runs known ones too"

# Libraries have reports of their own (test.check does), and options of the JVM come from the description.
cat >test/app/own_test.clj <<'END'
(ns app.own-test (:require [clojure.test :as t :refer [deftest is]]))
(def told (atom 0))
(defmethod t/report ::own [_] (swap! told inc))
(deftest own (t/do-report {:type ::own}) (is (= 1 @told)) (is (= "7" (System/getProperty "seven"))))
END
echo '{:aliases {:test {:jvm-opts ["-Dseven=7"]}}}' >deps.edn
resolved . deps.edn
tenon test --only app.own-test
is "$CODE" 0 "a report of a library's own, and :jvm-opts of the :test alias"
diag "$(stderr)"
echo '{}' >deps.edn
resolved . deps.edn
rm test/app/own_test.clj

# Filters.
tenon test --only app.math-test --junit="$T_WORK/report.xml"
is "$CODE $(grep -c '<testcase' "$T_WORK/report.xml")" "0 2" "a namespace alone"
tenon test --only app.math-test/half --only app.util-test --junit="$T_WORK/report.xml"
is "$(grep -o 'testcase name="[a-z]*"' "$T_WORK/report.xml" | tr '\n' ' ')" \
	'testcase name="half" testcase name="data" ' "a test alone, and a namespace"
expect_fail 1 test --only app.math-test/halve
like "$(stderr)" 'namespace app.math-test has no test halve' "a test that is not there"

# Failures.
sed -i 's/\[1 2\]/[1 3]/' test/app/helper.clj
sed -i 's/(\/ x 2)/(throw (ex-info "no half <\&>" {:x x}))/' src/app/math.clj
expect_fail 1 test -k --junit="$T_WORK/report.xml"
like "$(stderr)" '^test/app/util_test.clj:6: error: failure in data' "a failure has its place"
like "$(stderr)" 'missing: \{:b \[nil 3\]\}' "and what differs"
like "$(stderr)" 'extra: \{:b \[nil 2\]\}' "on both sides"
like "$(stderr)" '^test/app/math_test.clj:[0-9]+: error: error in half: halves' "an exception has the test's place and context"
like "$(stderr)" 'clojure.lang.ExceptionInfo: no half <&>' "and says what was thrown"
like "$(stderr)" 'half failed \(1 of 2 tests\)' "the namespace says which tests failed"
ok "the report is XML" "$PYTHON" -c "
import sys, xml.etree.ElementTree as e
t = e.parse(sys.argv[1]).getroot()
assert (t.get('tests'), t.get('failures'), t.get('errors')) == ('3', '1', '1'), t.attrib
case = next(c for c in t.iter('testcase') if c.get('name') == 'half')
assert 'no half <&>' in case.find('error').text, case.find('error').text
out = next(c for c in t.iter('testcase') if c.get('name') == 'data').find('system-out').text
assert 'printed' in out, out" "$T_WORK/report.xml"
sed -i 's/\[1 3\]/[1 2]/' test/app/helper.clj
sed -i 's/(throw .*))/(\/ x 2))/' src/app/math.clj
tenon test
is "$CODE" 0 "with the old content back all pass"

# Namespaces that tests load by names that they compute: those of the tests and of the project.
cat >test/app/loads_test.clj <<'END'
(ns app.loads-test (:require [clojure.test :refer [deftest is]]))
(deftest loads
  (require (symbol "app" "later") (symbol "app.later"))
  (is (= 3 ((resolve 'app.later/three))))
  (is (= 4 ((requiring-resolve 'app.math/twice) 2))))
END
sed -i 's| (symbol "app" "later")||' test/app/loads_test.clj
echo '(ns app.later) (defn three [] 3)' >test/app/later.clj
tenon test --only app.loads-test
is "$CODE" 0 "a test loads namespaces by computed names"
diag "$(stderr)"
sed -i 's/ 3)/ 33)/' test/app/later.clj
expect_fail 1 test
like "$(stderr)" 'actual: \(not \(= 3 33' "and runs again when they change"
like "$(stderr)" '4 tests in 5 namespaces' "a test that fails keeps no other from running"
rm test/app/loads_test.clj test/app/later.clj
# A namespace of ClojureScript's macros among the tests.
echo '(ns app.macros (:require [cljs.test :as t]))' >test/app/macros.clj
tenon test
is "$CODE" 0 "what needs ClojureScript is not tested"
like "$(stderr)" 'test/app/macros.clj:1:[0-9]+: app.macros is not tested: it needs cljs.test' "and is told of"
rm test/app/macros.clj

# Bad luck.
cat >test/app/bad_test.clj <<'END'
(ns app.bad-test (:require [clojure.test :refer [deftest is]]))
(deftest first-one (is true))
(deftest leaves (System/exit 0))
END
expect_fail 1 test -k
like "$(stderr)" 'app.bad-test\) failed: leaves ended the process' "System/exit is a failure that names the test"
cat >test/app/bad_test.clj <<'END'
(ns app.bad-test (:require [clojure.test :refer [deftest is]]))
(deftest killed
  (.waitFor (.start (ProcessBuilder. ["kill" "-9" (str (.pid (java.lang.ProcessHandle/current)))])))
  (Thread/sleep 100000))
END
expect_fail 1 test -k
like "$(stderr)" 'app.bad-test\) failed: the Java process that ran it died: signal 9' "a JVM that dies is a failure"
cat >test/app/bad_test.clj <<'END'
(ns app.bad-test (:require [clojure.test :refer [deftest is]]))
(deftest sleeps (Thread/sleep 100000))
END
cp .tenon/deps/PROJECT BUILD
touch WORKSPACE
sed -i 's/(clj-test :name "test"/&\n  :timeout 2/' BUILD
expect_fail 1 test -k
like "$(stderr)" 'app.bad-test\) failed: sleeps took too long' "a test that hangs ends at its time"
is "$(stderr | grep -c 'failed //:test')" 1 "and costs no other"
echo '(ns app.bad-test (:require [app.nothing]))' >test/app/bad_test.clj
expect_fail 1 test -k
like "$(stderr)" 'app/nothing' "a namespace that does not load says why"
done_testing
