#!/bin/bash
# Aliases of deps.edn: what they add and replace, what they start; and which descriptions a project may have.
# timeout: 600
# seconds: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure libtools-cli-clojure

# resolved_with FOLDER TEXT LIBRARY...: what an earlier build with aliases would have left; TEXT is the part of the
# digest that tells of them.
resolved_with() {
	local folder=$1 text=$2 sum
	shift 2
	mkdir -p tmp
	cp deps.edn tmp/
	resolved tmp deps.edn "$@"
	mkdir -p .tenon/with
	rm -rf ".tenon/with/$folder"
	mv tmp/.tenon/deps ".tenon/with/$folder"
	rm -r tmp
	sum=$( { cat deps.edn; printf '\n;; with %s' "$text"; } | sha256sum | cut -d ' ' -f 1)
	sed -i "s/:from-sha256 \"[0-9a-f]*\"/:from-sha256 \"$sum\"/" ".tenon/with/$folder/deps.lock"
}

mkdir -p src/app bench/app test/app
cat >deps.edn <<'END'
{:aliases
 {:test {:extra-paths ["test"]}
  :hello {:main-opts ["-m" "app.main" "hello"]}
  :bench {:extra-paths ["bench"]
          :extra-deps {org.clojure/tools.cli {:mvn/version "1.0.219"}}
          :jvm-opts ["-Dspeed=9"]
          :main-opts ["-m" "app.bench"]}
  :expr {:main-opts ["-e" "(println (+ 1 2))"]}
  :tell {:exec-fn app.tools/tell :exec-args {:who "you" :times 1}}
  :tools {:ns-default app.tools :ns-aliases {m app.main}}
  :quick {:jvm-opts ["-Dspeed=1"] :main-opts ["-m" "app.main"]}}}
END
cat >src/app/main.clj <<'END'
(ns app.main)
(defn -main [& args] (apply println "main" (System/getProperty "speed") args))
(defn shout [{:keys [what]}] (println (str what "!")))
END
echo '(ns app.tools) (defn tell [{:keys [who times] :as m}] (dotimes [_ times] (println who (:deep m))))
(defn boom [_] (throw (ex-info "boom" {})))' >src/app/tools.clj
cat >bench/app/bench.clj <<'END'
(ns app.bench (:require [app.main :as main] [clojure.tools.cli :as cli]))
(defn -main [& args] (println (:options (cli/parse-opts args [["-n" "--number N"]]))) (main/-main))
END
echo '(ns app.main-test (:require [clojure.test :refer [deftest is]])) (deftest x (is (nil? (System/getProperty "speed"))))' \
	>test/app/main_test.clj
resolved . deps.edn
resolved_with bench 'bench for a program' org.clojure/tools.cli=/usr/share/java/tools.cli.jar
build_ok
says() { # WANT NAME ARGUMENT...
	local want=$1 name=$2
	shift 2
	raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run "$@"
	is "$CODE $(stdout)" "$want" "$name"
	[ "$CODE" = 0 ] || diag "$(stderr)"
}
says "0 main nil hello x" "an alias that starts a program of the project" hello x
says "0 {:number 5}
main 9" "one with paths, libraries and options of its own" bench -n 5
says "0 3" "what clojure.main does" expr
says "0 main 1 y" "options of the JVM" quick y
says "0 you nil" "a function with its map" tell
says "0 me {:a [1]}
me {:a [1]}" "keys, values, paths into it and a map" tell :times 2 '[:deep :a]' '[1]' '{:who "me"}'
says "0 he nil" "a function of the default namespace" tools tell :times 1 :who '"he"'
says "0 no!" "and of an alias of a namespace" tools m/shout :what no
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run tools boom
is "$CODE" 1 "a function that throws"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run tools
is "$CODE" 1 "no function"
like "$(stderr)" 'which function\? the alias has no :exec-fn' "is told"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run tools nothing
is "$CODE" 1 "a function that is not there"
like "$(stderr)" 'there is no function app.tools/nothing' "is told"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run tools no.ns/f
like "$(stderr)" 'there is no namespace no.ns' "and so is its namespace"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run tell :who
is "$CODE $(stderr)" '1 argument :who has no value' "a key without a value"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run tell '"'
like "$(stderr)" 'is not EDN' "an argument that is not EDN"

# What an alias makes of the project.
resolved_with bench bench org.clojure/tools.cli=/usr/share/java/tools.cli.jar
RECHECK=no tenon build --alias bench
is "$CODE" 0 "a build with an alias"
ok "has its sources" test "$(unzip -l .tenon/out/default/lib.jar | grep -c 'app/bench.clj$')" = 1
RECHECK=no tenon test -A:bench
is "$CODE $(stderr | grep -c 'nil. (System/getProperty')" "1 1" "its options are those of the tests as well"
like "$(stderr)" 'actual: \(not \(nil\? "9"\)\)' "and are seen there"
RECHECK=no tenon build
is "$CODE $(unzip -l .tenon/out/default/lib.jar | grep -c 'app/bench.clj$')" "0 0" "a build without it has none of that"
tenon test
is "$CODE" 0 "nor have tests"
expect_fail 2 build --alias bnech
like "$(stderr)" 'deps.edn has no alias :bnech' "an unknown alias"
like "$(stderr)" 'did you mean "bench"' "offers the nearest"
touch WORKSPACE && echo '(export-file :name "deps.edn")' >BUILD
expect_fail 2 build --alias bench
like "$(stderr)" 'there are BUILD files here' "aliases are not for BUILD files"
done_testing
