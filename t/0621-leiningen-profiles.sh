#!/bin/bash
# Leiningen's profiles and aliases, and which tests its selectors mean.
# timeout: 900
# seconds: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure

mkdir -p src/app test/app more/app
cat >project.clj <<'END'
(defproject app "1" :dependencies [[org.clojure/clojure "1.11.1"]]
  :test-selectors {:default #(not (:slow %)) :slow :slow :all (constantly true)}
  :aliases {"hello" ["run" "-m" "app.main" "hello"]}
  :profiles {:dev [:tests] :tests {:jvm-opts ["-Dtests=yes"]} :more {:source-paths ["more"]}})
END
echo '(ns app.main) (defn -main [& args] (apply println args))' >src/app/main.clj
cat >test/app/main_test.clj <<'END'
(ns app.main-test (:require [clojure.test :refer [deftest is]]))
(deftest quick (is (= "yes" (System/getProperty "tests"))))
(deftest ^:slow slowly (is (= 1 2)))
(deftest ^:odd strange (is true))
END
echo '(ns ^:slow app.slow-test (:require [clojure.test :refer [deftest is]])) (deftest other (is true))' >test/app/slow_test.clj
resolved . project.clj
tenon test
is "$CODE" 0 "tests that the default selector leaves out do not run"
like "$(stderr)" '2 tests in 2 namespaces, 2 assertions: 0 failures' "the others do"
expect_fail 1 test --select slow
like "$(stderr)" '2 tests in 2 namespaces, 2 assertions: 1 failures' "a selector by its name, also of a namespace"
expect_fail 1 test --select slow --select odd
like "$(stderr)" '3 tests in 2 namespaces' "and a key of the metadata besides"
expect_fail 1 test --select all
like "$(stderr)" '4 tests in 2 namespaces' "all of them"
expect_fail 2 test --select old
like "$(stderr)" 'no test has "old"' "a name that selects nothing"
expect_fail 1 test --only app.main-test/slowly
like "$(stderr)" '1 tests in 1 namespaces' "a test that is named runs"
tenon run hello you
is "$CODE $(stdout)" "0 hello you" "an alias that runs a namespace"
expect_fail 2 build --profile mroe
like "$(stderr)" 'project.clj has no profile :mroe' "an unknown profile"
like "$(stderr)" 'did you mean "more"' "offers the nearest"

# A profile adds sources.
echo '(ns app.added) (defn -main [& _] (println "added"))' >more/app/added.clj
mkdir -p tmp && cp project.clj tmp/ && resolved tmp project.clj && mkdir -p .tenon/with && mv tmp/.tenon/deps .tenon/with/more
sum=$( { cat project.clj; printf '\n;; with more'; } | sha256sum | cut -d ' ' -f 1)
sed -i "s/:from-sha256 \"[0-9a-f]*\"/:from-sha256 \"$sum\"/" .tenon/with/more/deps.lock
tenon build --profile more
is "$CODE $(unzip -l .tenon/out/default/lib.jar | grep -c app/added.clj)" "0 1" "a profile that was chosen adds its sources"
done_testing
