#!/bin/bash
# The Clojure worker on real libraries: every namespace compiles alone, to the same bytes in another order and folder;
# what goes wrong in one costs no other.
# seconds: 60
# timeout: 600
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless clojure unzip libcore-async-clojure libtools-reader-clojure libtools-analyzer-clojure \
	libtools-analyzer-jvm-clojure libcore-memoize-clojure libcore-cache-clojure libdata-priority-map-clojure \
	libhiccup-clojure libmedley-clojure libnrepl-clojure
JVMRUN=$(dirname "$TENON")/jvmrun
JARS=/usr/share/java
CLOJURE=$(realpath $JARS/clojure.jar):$JARS/spec.alpha.jar:$JARS/core.specs.alpha.jar

# What is no Clojure source stays on the class path.
mkdir src res
for jar in core.async tools.reader tools.analyzer tools.analyzer.jvm core.memoize core.cache data.priority-map hiccup \
	medley nrepl; do
	unzip -qo "$JARS/$jar.jar" '*.clj' '*.cljc' -d src
	unzip -qo "$JARS/$jar.jar" -x '*.clj' '*.cljc' 'META-INF/*' -d res 2>"$T_WORK/unzip"
done
rm -rf src/META-INF src/project.clj src/cljs src/clojure/tools/reader/impl/ExceptionInfo.clj
CLASS_PATH=$PWD/res:$JARS/asm.jar

plan() { # ROOT
	java -XX:TieredStopAtLevel=1 -cp "$CLOJURE" clojure.main "$T_DIR/clojure/plan.clj" "$1" 2>"$T_WORK/plan.err"
}
worker() { # OPTION... PLAN [CLASS-PATH]
	"$PYTHON" "$T_DIR/guard.py" --strays "$T_WORK/strays" -- "$JVMRUN" --store="$T_WORK/store" "$@" >"$T_OUT" 2>"$T_ERR"
	CODE=$?
	[ ! -s "$T_WORK/strays" ] || { fail "no process is left after: jvmrun $*"; diag_file "$T_WORK/strays"; }
}
answered() { stdout | tr '\n' ' '; }

plan src >src.plan
namespaces=$(grep -c ':sources' src.plan)
ok "there are namespaces enough ($namespaces)" test "$namespaces" -ge 80

worker --out="$PWD/one" src.plan "$CLOJURE" "$CLASS_PATH"
is "$CODE $(grep -c '^ok' "$T_OUT")" "0 $namespaces" "every namespace compiles" ||
	{ grep '^failed' "$T_OUT" | cut -c1-500 | sed 's/^/# /'; diag_file "$T_ERR"; }
diag "$(tail -n 1 "$T_OUT")"
cp -r src "$T_WORK/elsewhere"
plan "$T_WORK/elsewhere" >elsewhere.plan
find "$T_WORK/elsewhere" -type f -exec touch -d '2001-01-01' {} +
worker --out="$T_WORK/two" --libraries --reverse --threads=2 elsewhere.plan "$CLOJURE" "$CLASS_PATH"
is "$CODE" 0 "every namespace compiles in another order, from another folder"
diff -rq one "$T_WORK/two" >"$T_WORK/diff"
is "$(wc -l <"$T_WORK/diff")" 0 "all $(find one -name '*.class' | wc -l) classes have the same bytes" ||
	diag_file "$T_WORK/diff"

# Comments are not seen: what counts as the same source compiles to the same bytes.
"$PYTHON" "$T_DIR/clojure/comments.py" src "$T_WORK/commented"
(cd src && find . -name '*.clj*') >files
"$(dirname "$TENON")/test-lang-clj_code" src "$T_WORK/commented" <files >other 2>&1
is "$(cat other)" ./clojure/data/test_priority_map.clj \
	"$(wc -l <files) sources with other comments count as the same, but for one with returns amid its lines"
plan "$T_WORK/commented" >commented.plan
worker --out="$T_WORK/three" commented.plan "$CLOJURE" "$CLASS_PATH"
diff -rq one "$T_WORK/three" >"$T_WORK/diff"
is "$CODE $(wc -l <"$T_WORK/diff")" "0 0" "and they compile to the same bytes" || diag_file "$T_WORK/diff"

# The driver that was compiled with tenon is for one Clojure; for another one it is compiled where it is used.
"$PYTHON" - "${CLOJURE%%:*}" "$T_WORK/clojure.jar" <<'END'
import shutil, sys, zipfile
shutil.copy(sys.argv[1], sys.argv[2])
with zipfile.ZipFile(sys.argv[2], "a") as z:
    z.comment = b"another one"
END
worker --out="$T_WORK/four" src.plan "$T_WORK/clojure.jar:${CLOJURE#*:}" "$CLASS_PATH"
diff -rq one "$T_WORK/four" >"$T_WORK/diff"
is "$CODE $(wc -l <"$T_WORK/diff")" "0 0" "with a driver that is compiled here, the same bytes" || diag_file "$T_WORK/diff"

# A namespace's folder holds its own classes only, and what is loaded from all of them works.
is "$(cd one/hiccup.core && find . -name '*__init.class')" ./hiccup/core__init.class "a namespace's output is its own"
all=$(printf '%s:' one/*)
is "$(java -XX:TieredStopAtLevel=1 -cp "$all$CLASS_PATH:$CLOJURE" clojure.main -e \
	"(require 'hiccup.core '[clojure.core.async :as a]) (print (hiccup.core/html [:p (a/<!! (a/go 42))]))")" '<p>42</p>' \
	"the classes work in an ordinary Clojure, with no source there"

# What is wrong in one namespace.
mkdir -p bad/bad
cat >bad/bad/symbol.clj <<'END'
(ns bad.symbol)
(defn f [x]
  (+ x no-such-name))
END
cat >bad/bad/open.clj <<'END'
(ns bad.open)
(defn f [x]
  (+ x 1)
END
cat >bad/bad/base.clj <<'END'
(ns bad.base)
(defmacro twice [x] `(do ~x ~x))
(defn helper [] 1)
END
cat >bad/bad/fine.clj <<'END'
(ns bad.fine (:require [bad.base :refer [twice]]))
(defn f [s] (twice (.length s)))
END
cat >bad/bad/undeclared.clj <<'END'
(ns bad.undeclared)
(defn f [] (bad.base/helper))
END
cat >bad/bad/leaves.clj <<'END'
(ns bad.leaves)
(System/exit 0)
END
cat >bad/bad/hangs.clj <<'END'
(ns bad.hangs)
(when *compile-files* (while true))
END
cat >bad/bad/killed.clj <<'END'
(ns bad.killed)
(.waitFor (.start (ProcessBuilder. ["kill" "-9" (str (.pid (java.lang.ProcessHandle/current)))])))
(Thread/sleep 10000)
END
cat >bad/bad/eats.clj <<'END'
(ns bad.eats)
(def all (when *compile-files* (loop [x []] (recur (conj x (byte-array 10000000))))))
END
plan bad >bad.plan
worker --out="$PWD/bad-out" --timeout=8000 --heap=200 bad.plan "$CLOJURE"
is "$CODE" 1 "a namespace that does not compile is a failure"
is "$(grep '^ok' "$T_OUT" | sort | tr '\n' ' ')" "ok bad.base ok bad.fine " "what is fine compiles in spite of all others"
like "$(stdout)" '^failed bad.symbol .*Unable to resolve symbol: no-such-name.*bad/symbol.clj" :line 3 :column' \
	"an unknown symbol has its place"
like "$(stdout)" '^failed bad.open .*:kind :reader .*bad/open.clj" :line 2' "a missing parenthesis has its place"
like "$(stdout)" '^failed bad.undeclared .*:kind :undeclared .*bad/undeclared.clj" :line 2' "a use of a namespace that is not required fails"
like "$(stdout)" '^failed bad.leaves \(:exited .*:kind :exit' "System/exit while compiling is a failure"
like "$(stdout)" '^failed bad.eats .*:kind :heap' "so is one that fills the heap"
like "$(stdout)" '^failed bad.killed signal 9' "a process that dies costs what it did, and no other"
like "$(stdout)" '^failed bad.hangs .*:kind :timeout .*took longer than 8 s.*hangs.clj:2' \
	"a compile that hangs is ended, and it is told where"

# What an answer tells.
mkdir -p answer-out
worker --request=compile:':namespaces ("bad.base") :sources (("bad/base.clj" "'"$PWD"'/bad/bad/base.clj")) :out "'"$PWD"'/answer-out"' \
	bad.plan "$CLOJURE"
like "$(answered)" ':rows \(\("bad.base" \(\("helper" :function "[0-9a-f]{32}"\) \("twice" :macro "[0-9a-f]{32}"\)\)\)\)' \
	"an answer has a row for each var"
mkdir -p answer-two
worker --request=compile:':namespaces ("bad.fine") :warn-on-reflection t :sources (("bad/fine.clj" "'"$PWD"'/bad/bad/fine.clj")) :out "'"$PWD"'/answer-two" :closure (("bad.base" "'"$PWD"'/answer-out"))' \
	bad.plan "$CLOJURE"
like "$(answered)" ':expanded \([^)]*"bad.base/twice"' "it names the macros that were expanded"
like "$(answered)" ':kind :reflection [^)]*bad/fine.clj" :line 2 :column' "reflection is a diagnostic with its place"

# Tests.
mkdir -p tests/a
cat >tests/a/some_test.clj <<'END'
(ns a.some-test (:require [clojure.test :refer [deftest is testing use-fixtures]]))
(use-fixtures :each (fn [f] (println "fixture") (f)))
(deftest good (println "hello") (is (= 1 1)))
(deftest bad (testing "outer" (is (= {:a 1 :b 2} {:a 1 :b 3}) "maps")))
(deftest throws (is (= 1 (throw (ex-info "boom" {})))))
END
cat >tests/a/exit_test.clj <<'END'
(ns a.exit-test (:require [clojure.test :refer [deftest is]]))
(deftest first-one (is true))
(deftest leaves (System/exit 0))
END
plan tests >tests.plan
some=':namespace "a.some-test" :sources (("a/some_test.clj" "'$PWD'/tests/a/some_test.clj"))'
worker --request=test:"$some" tests.plan "$CLOJURE"
like "$(answered)" ' :pass 1 ' "a test that passes is counted"
like "$(answered)" ':name "good" [^)]*\) .*:output "fixture hello ' "a test's output is its own, fixtures' too"
like "$(answered)" ':line 4 .*:difference \("\{:b 2\}" "\{:b 3\}"\)' "a failure has its line and difference"
like "$(answered)" ':type :error .*ExceptionInfo: boom' "an exception is an error"
worker --request=test:"$some"' :vars ("good")' tests.plan "$CLOJURE"
like "$(answered)" ':status :ok' "one var alone can be run"
worker --request=test:':namespace "a.exit-test" :sources (("a/exit_test.clj" "'"$PWD"'/tests/a/exit_test.clj"))' \
	--request=test:"$some"' :vars ("good")' tests.plan "$CLOJURE"
like "$(stdout)" '^answered \(:exited .*:current "leaves"' "System/exit in a test is a failure that names the test"
like "$(stdout)" '^answered \(:answer .*:status :ok' "the tests of another namespace run in spite of it"

# The prompt, with the script that the store holds.
repl=$(grep -l 'A prompt for people' "$T_WORK"/store/cas/*/* | head -n 1)
is "$(echo '(* 6 7)' | timeout 60 java -cp "$CLOJURE" clojure.main "$repl" 2>&1)" "Clojure 1.11.1
user=> 42
user=> " "a plain prompt without nrepl"
mkdir repl
(cd repl && exec java -cp "$JARS/nrepl.jar:$CLOJURE" clojure.main "$repl" --headless >out 2>&1) &
server=$!
for ((i = 0; i < 300; i++)); do
	[ -s repl/.nrepl-port ] && break
	sleep 0.1
done
ok "an nREPL answers at the port in .nrepl-port" java -cp "$JARS/nrepl.jar:$CLOJURE" clojure.main -e \
	"(require 'nrepl.core) (with-open [c (nrepl.core/connect :port (Long/parseLong (slurp \"repl/.nrepl-port\")))] (assert (= [42] (nrepl.core/response-values (nrepl.core/message (nrepl.core/client c 20000) {:op \"eval\" :code \"(* 6 7)\"}))))) (shutdown-agents)"
kill "$server" && wait "$server"
ok "the port's file is gone with the server" test ! -e repl/.nrepl-port
done_testing
