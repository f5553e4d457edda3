#!/bin/bash
# A Clojure project as it is: no BUILD file, no WORKSPACE. build, run, test, repl, targets and query just work.
# timeout: 900
# seconds: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure libtools-cli-clojure \
	libnrepl-clojure

mkdir -p src/app test/app resources java/app
cat >deps.edn <<'END'
{:paths ["src" "resources"]
 :deps {org.clojure/tools.cli {:mvn/version "1.0.219"}}
 :aliases {:test {:extra-deps {io.github.cognitect-labs/test-runner {:git/tag "v0.5.1" :git/sha "dfb30dd"}}}}}
END
cat >src/app/core.clj <<'END'
(ns app.core
  (:gen-class)
  (:require [app.text :as text] [clojure.java.io :as io] [clojure.tools.cli :as cli]))
(defn -main [& args]
  (let [{:keys [options arguments]} (cli/parse-opts args [["-l" "--loud"]])]
    (println (str (if (:loud options) (text/loud "hello") "hello") (slurp (io/resource "sign.txt")) #app/wrap 1))
    (System/exit (count arguments))))
END
cat >src/app/text.clj <<'END'
(ns app.text (:require [clojure.string :as string]))
(defn loud [s] (string/upper-case s))
(defn wrap [x] [:wrapped x])
END
echo "{app/wrap app.text/wrap}" >src/data_readers.clj
printf '!' >resources/sign.txt
echo '(ns user) (throw (Exception. "a REPL loads this, and no build"))' >src/user.clj
echo '(ns not.here)' >resources/template.clj
cat >test/app/text_test.clj <<'END'
(ns app.text-test (:require [app.text :as text] [clojure.test :refer [deftest is]]))
(deftest loud (is (= "A" (text/loud "a"))))
END
resolved . deps.edn org.clojure/tools.cli=/usr/share/java/tools.cli.jar
build_ok
expect_ran 2 '^//:lib \('
out=.tenon/out/default
is "$(java -jar $out/main.jar --loud a b; echo $?)" "HELLO![:wrapped 1]
2" "java -jar of what it made"
expect_null
is "$(unzip -l $out/lib.jar | grep -c 'app/text__init.class\|app/text.clj$\|data_readers.clj\|sign.txt\|template.clj')" 5 \
	"the library has classes, sources and resources"
unlike "$(unzip -l $out/lib.jar)" "user.clj" "and nothing of the REPL's"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run
is "$CODE $(cat "$T_OUT")" "0 hello![:wrapped 1]" "run finds the one program"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //:main x y z --loud
is "$CODE $(cat "$T_OUT")" "3 HELLO![:wrapped 1]" "and passes arguments and the exit code"
tenon test
is "$CODE" 0 "tests of a library from Git need no Git"
like "$(stderr)" '1 tests in 1 namespaces, 1 assertions: 0 failures' "tests ran"
tenon targets
is "$(cut -d ' ' -f 1 "$T_OUT" | tr '\n' ' ')" "//:lib //:main //:test " "targets"
tenon query 'rdeps(//:lib)' --format=json
like "$(stdout)" '"//:main"' "query"
sed -i 's/ *(System\/exit (count arguments))/ (count arguments)/' src/app/core.clj
rm src/user.clj
"$TENON" repl <<<"(require 'app.core) (app.core/-main \"--loud\")" >"$T_OUT" 2>"$T_ERR"
like "$(stdout)" 'HELLO!' "repl has the sources, as they are now"
"$TENON" repl --headless >"$T_OUT" 2>"$T_ERR" &
server=$!
for ((i = 0; i < 600; i++)); do
	[ -s .nrepl-port ] && break
	sleep 0.1
done
cat >"$T_WORK/ask.clj" <<'END'
(require 'nrepl.core)
(with-open [c (nrepl.core/connect :port (Long/parseLong (slurp ".nrepl-port")))]
  (println (nrepl.core/response-values
            (nrepl.core/message (nrepl.core/client c 20000)
                                {:op "eval" :code "(do (require 'app.text) (app.text/loud \"a\"))"}))))
END
JARS=/usr/share/java
is "$(java -cp "$JARS/nrepl.jar:$JARS/clojure.jar:$JARS/spec.alpha.jar:$JARS/core.specs.alpha.jar" clojure.main \
	"$T_WORK/ask.clj" 2>&1)" "[A]" "repl --headless serves an nREPL, its port in .nrepl-port"
kill $server && wait $server
build_ok
cp -r . "$T_WORK/elsewhere" && rm -rf "$T_WORK/elsewhere/.tenon/out" "$T_WORK/elsewhere/.tenon/state"
before=$(cd $out && find . -type f -exec sha256sum {} + | sort)
tenon build -C "$T_WORK/elsewhere" --store="$T_WORK/store2" --jobs=1 --strategy=serial
is "$(cd "$T_WORK/elsewhere/$out" && find . -type f -exec sha256sum {} + | sort)" "$before" \
	"the same bytes in another folder, another store and another order"

# What is wrong.
echo '(ns app.more (:require [no.such.library :as n]))' >src/app/more.clj
build_ok
like "$(stderr)" 'src/app/more.clj:1:[0-9]+: app.more is not compiled: it needs no.such.library, which no library has' \
	"what lacks a library is told of, and left as source"
sed -i 's/clojure.tools.cli :as cli/clojure.tools.cly :as cli/' src/app/core.clj
expect_fail 2 build //:main
like "$(stderr)" 'app.core can.t be compiled' "a program can't be"
sed -i 's/clojure.tools.cly :as cli/clojure.tools.cli :as cli/' src/app/core.clj
rm src/app/more.clj
build_ok
expect_fail 2 test --only app.txt-test
like "$(stderr)" 'did you mean "app.text-test"' "an unknown namespace of tests offers the nearest"
mkdir "$T_WORK/empty"
expect_fail 2 -C "$T_WORK/empty" test
like "$(stderr)" 'no deps.edn' "nothing to test says what could be"

# Leiningen's description, with Java sources and a main that makes no class.
mkdir -p "$T_WORK/w/lein/src/java/app" "$T_WORK/w/lein/src/clj/app" && cd "$T_WORK/w/lein" || exit 1
cat >project.clj <<'END'
(defproject app "0.1" :dependencies [[org.clojure/clojure "1.11.1"]]
  :source-paths ["src/clj"] :java-source-paths ["src/java"] :main app.main)
END
echo 'package app; public class Word { public static String of(String s) { return "<" + s + ">"; } }' >src/java/app/Word.java
echo '(ns app.main (:import (app Word))) (defn -main [& args] (println (Word/of (first args))))' >src/clj/app/main.clj
resolved . project.clj
build_ok
echo '{:aliases {}}' >deps.edn
RECHECK=no build_ok
ok "a deps.edn that says nothing is not the project's description" grep -q 'from project.clj' .tenon/deps/PROJECT
rm deps.edn
build_ok
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //:main x
is "$CODE $(stdout)" "0 <x>" "project.clj with Java sources; run starts a namespace that makes no class"
done_testing
