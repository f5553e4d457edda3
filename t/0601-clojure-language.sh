#!/bin/bash
# The Clojure worker and the language: what a namespace may define and use, each compiled on its own, runs in an ordinary
# Clojure; groups; what an answer tells of a change; processes that are replaced; tests that crash, hang or fail.
# seconds: 40
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless clojure unzip
JVMRUN=$(dirname "$TENON")/jvmrun
JARS=/usr/share/java
CLOJURE=$(realpath $JARS/clojure.jar):$JARS/spec.alpha.jar:$JARS/core.specs.alpha.jar

plan() { # ROOT...
	java -XX:TieredStopAtLevel=1 -cp "$CLOJURE" clojure.main "$T_DIR/clojure/plan.clj" "$@" 2>"$T_WORK/plan.err"
}
worker() { # OPTION... PLAN [CLASS-PATH]
	"$PYTHON" "$T_DIR/guard.py" --strays "$T_WORK/strays" -- "$JVMRUN" --store="$T_WORK/store" "$@" >"$T_OUT" 2>"$T_ERR"
	CODE=$?
	[ ! -s "$T_WORK/strays" ] || { fail "no process is left after: jvmrun $*"; diag_file "$T_WORK/strays"; }
}
answered() { stdout | tr '\n' ' '; }
source_of() { # NAMESPACE ROOT: ("a/b.clj" "/.../a/b.clj")
	local file
	file=$(echo "$1" | tr .- /_).clj
	printf '("%s" "%s/%s/%s")' "$file" "$PWD" "$2" "$file"
}

mkdir -p src/app
cat >src/app/shapes.clj <<'END'
(ns app.shapes)
(defprotocol Shape (area [this]) (scaled [this by]))
(defrecord Square [side] Shape (area [_] (* side side)) (scaled [_ by] (->Square (* side by))))
(deftype Counter [^:unsynchronized-mutable n] clojure.lang.IDeref (deref [_] (set! n (inc n)) n))
(definterface Named (^String getName []))
(extend-protocol Shape nil (area [_] 0) (scaled [_ _] nil))
END
cat >src/app/macros.clj <<'END'
(ns app.macros)
(defmacro unless [test & body] `(let [t# ~test] (if t# nil (do ~@body))))
(defmacro with-closure [x] `(fn [y#] (str ~x y#)))
(defn ^{:inline (fn [x] `(* 2 ~x))} twice [x] (* 2 x))
(def ^:const limit 99)
END
cat >src/app/generated.clj <<'END'
(ns app.generated
  (:gen-class :name app.Greeter :methods [[greet [String] String]] :init init :constructors {[String] []} :state word))
(defn -init [word] [[] word])
(defn -greet [this who] (str (.word this) ", " who))
END
cat >src/app/user_of.clj <<'END'
(ns app.user-of
  (:require [app.shapes :as s :refer [area]] [app.macros :refer :all] [app.absent-name :as-alias absent]
            app.generated [app.both])
  (:import (app.shapes Square Counter Named) (app Greeter)))
(defrecord Circle [r] s/Shape (area [_] (* 3 r r)) (scaled [_ by] (->Circle (* r by))))
(def named (reify Named (getName [_] "named")))
(defn all []
  [(area (Square. 3)) (area (s/scaled (->Circle 1) 2)) (area nil) @(doto (Counter. 5) deref)
   (.getName ^Named named) (unless false ((with-closure 1) 2)) (twice 21) limit ::absent/key
   (.greet (Greeter. "hello") "you") app.both/platform #app/upper "quiet" (instance? Square (s/->Square 1))])
END
cat >src/app/both.cljc <<'END'
(ns app.both)
(def platform #?(:clj :jvm :cljs :js))
END
cat >src/app/readers.clj <<'END'
(ns app.readers)
(defn upper [s] (.toUpperCase ^String s))
END
echo "{app/upper app.readers/upper}" >src/data_readers.clj
cat >src/app/parts.clj <<'END'
(ns app.parts)
(declare in-part)
(load "parts_more")
(defn all [] [(in-part 1) #"a+" #{String #"x" :k}])
END
cat >src/app/parts_more.clj <<'END'
(in-ns 'app.parts)
(defn in-part [x] (inc x))
END
cat >src/app/literals.clj <<'END'
(ns app.literals (:require [app.shapes :as s]))
(def table {String 1, Long 2, #"p" 3, :k #{Integer Double Character Boolean Byte Short}})
(defn dispatch [x] (case x :a 1 "b" 2 c 3 nil))
(defmulti kind class)
(defmethod kind String [_] :string)
(defn proxied [] (.nextInt (proxy [java.util.Random] [] (nextInt ([] 5) ([n] n)))))
(defn closes [a b c d e f] (fn [] (let [g (fn [] [a b c])] (fn [] [d e f (g)]))))
END

# A reader tag is no part of the ns form: who reads with it says so.
plan src | sed 's/"app.generated" "app.macros" "app.shapes")/"app.generated" "app.macros" "app.readers" "app.shapes")/; s/"app.absent-name" //' >src.plan
like "$(cat src.plan)" 'app.user-of.*:requires \("app.both" "app.generated" "app.macros" "app.readers" "app.shapes"\)' \
	"what the namespace needs is known" || cat src.plan
worker --out="$PWD/one" src.plan "$CLOJURE" "$PWD/none"
is "$CODE $(grep -c '^ok' "$T_OUT")" "0 8" "every namespace compiles on its own" || { stdout | cut -c1-600; diag_file "$T_ERR"; }
worker --out="$PWD/two" --processes=2 --threads=1 --recycle=1 --reverse src.plan "$CLOJURE" "$PWD/none"
is "$CODE $(diff -rq one two | wc -l)" "0 0" "each in a process of its own: the same bytes" || diag "$(diff -rq one two)"
like "$(tail -n 1 "$T_OUT")" ' 8 processes$' "a process that has done its share is replaced"
mkdir -p none && cp src/data_readers.clj none
is "$(java -XX:TieredStopAtLevel=1 -cp "$(printf '%s:' one/*)$PWD/none:$CLOJURE" clojure.main -e \
	"(require 'app.user-of 'app.parts 'app.literals) (prn (app.user-of/all) (app.parts/in-part 1) (app.literals/dispatch \"b\") (app.literals/kind \"\") (app.literals/table Long) (app.literals/proxied) (((app.literals/closes 1 2 3 4 5 6))))" 2>&1)" \
	'[9 12 0 7 "named" "12" 42 99 :app.absent-name/key "hello, you" :jvm "QUIET" true] 2 2 :string 2 5 [4 5 6 [1 2 3]]' \
	"the classes do what the sources say, in an ordinary Clojure"
for class in app.shapes/app/shapes/Square app.user-of/app/user_of/Circle app.generated/app/Greeter \
	app.parts/app/parts_more__init; do
	ok "$class is in its namespace's folder, and there alone" \
		test "$(cd one && find . -name "${class##*/}.class")" = "./$class.class"
done

# Two that can't be separated.
mkdir -p group/g
echo "(ns g.a) (def base 1) (require 'g.b) (defn both [] (+ base @(resolve 'g.b/more)))" >group/g/a.clj
echo "(ns g.b (:require [g.a :as a])) (def more (inc a/base))" >group/g/b.clj
echo '(:project ("g.a" "g.b") :roots () :externals () :namespaces ())' >group.plan
worker --request=compile:":namespaces (\"g.a\" \"g.b\") :sources ($(source_of g.a group) $(source_of g.b group)) :out \"$PWD/group-out\"" \
	group.plan "$CLOJURE"
like "$(answered)" ':status :ok' "a group is compiled together"
is "$(cd group-out && find . -name '*__init.class' | sort | tr '\n' ' ')" "./g/a__init.class ./g/b__init.class " \
	"the group's folder has both"

# What others can see of a change.
rows() { # TEXT: rows of a namespace with this source, and what it uses
	mkdir -p change/c
	printf '%s\n' "$1" >change/c/d.clj
	worker --request=compile:":namespaces (\"c.d\") :sources ($(source_of c.d change)) :out \"$PWD/change-out\"" group.plan "$CLOJURE"
	answered | grep -o ':rows (("c.d" (([^:]*:.*' | sed 's/)))) .*/))))/'
}
first=$(rows '(ns c.d) (defn f [x] (+ x 1)) (def v {:a 1}) (defmacro m [x] x) (def ^:const k 1) (defprotocol P (p [x]))')
like "$first" '"f" :function .*"k" :const .*"m" :macro .*"p" .*"v" :value' "there is a row for each var"
second=$(rows '(ns c.d) (defn f "doc" [x] (+ x 2))

(def v {:a 2}) (defmacro m [x] x) (def ^:const k 1) (defprotocol P (p [x]))')
is "$second" "$first" "a body, a docstring, a value and moved lines change no row"
third=$(rows '(ns c.d) (defn f [x y] (+ x y)) (def v 1) (defmacro m [x] x) (def ^:const k 2) (defprotocol P (p [x y]))')
changed=$(diff <(grep -oE '\("[^" ]+" :[a-z]+ "[0-9a-f]+"' <<<"$first") <(grep -oE '\("[^" ]+" :[a-z]+ "[0-9a-f]+"' <<<"$third") |
	sed -n 's/^> ("\([^"]*\)".*/\1/p' | sort | tr '\n' ' ')
is "$changed" "P f k p v " "a lambda list, a class of value, a constant, a protocol change theirs"

# Libraries as source in a jar: compiled once, whatever they do; what can't be is loaded.
mkdir -p lib/l app/x
echo '(ns l.base) (defprotocol P (p [x])) (defmacro m [x] `(let [y# ~x] [y# (p y#)]))' >lib/l/base.clj
echo '(ns l.user (:require [l.base :refer [P p]])) (defrecord R [a] P (p [_] a)) (load "user_more")' >lib/l/user.clj
echo "(in-ns 'l.user) (defn more [] (p (->R 7)))" >lib/l/user_more.clj
echo "(ns l.odd (:require l.user)) (defn f [_ _ x] (list 'quote x)) (def ^:macro odd #'f)" >lib/l/odd.clj
echo '(ns l.refuses (:require l.user)) (when *compile-files* (throw (Exception. "not with me"))) (defn f [] :loaded)' >lib/l/refuses.clj
echo '(ns l.broken) (no-such-thing)' >lib/l/broken.clj
(cd lib && "$(dirname "$(realpath "$(command -v javac)")")/jar" cf ../lib.jar l)
echo '(ns x.fine (:require [l.base :as b] [l.user :as u] [l.odd :as o] [l.refuses :as r]))
(defn f [] [(b/m (u/->R 1)) (u/more) (o/odd sym) (r/f)])' >app/x/fine.clj
echo '(ns x.poor (:require l.broken))' >app/x/poor.clj
plan app >app.plan
for i in 1 2 3; do
	libraries=--libraries
	[ $i = 3 ] && libraries=--threads=2
	worker $libraries --out="$PWD/app$i" app.plan "$CLOJURE" "$PWD/lib.jar"
	is "$(grep -oE '^(ok|failed) [^ ]*|no-such-thing' "$T_OUT" | sort | tr '\n' ' ')" \
		"failed x.poor no-such-thing ok x.fine " "what needs a broken library fails, nothing else ($i)" || diag_file "$T_OUT"
done
is "$(diff -r app1 app2) $(diff -r app1 app3)" " " "the same bytes with libraries from source and from classes"
kept=$(find "$T_WORK/store/cas" -type f -size +1k -exec sh -c 'unzip -l "$1" 2>/dev/null | grep -q tenon/left && echo "$1"' - {} \;)
is "$(unzip -l "$kept" | grep -oE 'l/[a-z_]+__init.class' | tr '\n' ' ')$(unzip -p "$kept" tenon/left | tr '\n' ' ')" \
	"l/base__init.class l/user__init.class l/user_more__init.class l.broken l.odd l.refuses" \
	"the store has the classes of what compiles, and the names of what does not"
is "$(java -XX:TieredStopAtLevel=1 -cp "app2/x.fine:$kept:lib.jar:$CLOJURE" clojure.main -e "(require 'x.fine) (prn (x.fine/f))" 2>&1)" \
	'[[#l.user.R{:a 1} 1] 7 sym :loaded]' "all of it works together"

# Tests that go wrong.
mkdir -p tests/t
cat >tests/t/hangs.clj <<'END'
(ns t.hangs (:require [clojure.test :refer [deftest is]]))
(deftest good (is true))
(deftest hangs (while true))
END
cat >tests/t/killed.clj <<'END'
(ns t.killed (:require [clojure.test :refer [deftest is]]))
(deftest good (is true))
(deftest dies (.waitFor (.start (ProcessBuilder. ["kill" "-9" (str (.pid (java.lang.ProcessHandle/current)))]))) (Thread/sleep 10000))
END
cat >tests/t/eats.clj <<'END'
(ns t.eats (:require [clojure.test :refer [deftest is]]))
(deftest eats (is (loop [x []] (recur (conj x (byte-array 10000000))))))
END
cat >tests/t/prints.clj <<'END'
(ns t.prints (:require [clojure.test :refer [deftest is]]))
(deftest prints
  (.write (java.io.FileOutputStream. java.io.FileDescriptor/out) (.getBytes "12\n(:answer 2 :status :ok)"))
  (dotimes [_ 20000] (println "a long line of no use at all"))
  (is (= "a\"b" "a\"c") "quotes \" and \\"))
END
plan tests >tests.plan
for n in hangs killed eats prints; do
	requests+=(--request=test:":namespace \"t.$n\" :sources ($(source_of "t.$n" tests))")
done
worker --timeout=6000 --heap=300 --threads=1 "${requests[@]}" tests.plan "$CLOJURE"
all=$(answered)
like "$all" 'answered \(:exited [^(]*(\([^)]*)*:timeout.*hangs.clj:3' "a test that hangs is ended, and it is told where"
like "$all" ':name "good".*:current "hangs"' "the tests before it have their results"
like "$all" 'crashed signal 9 \(killed\) \(in dies\)' "a process that dies names the test"
like "$all" ':kind :heap|OutOfMemoryError' "a test that fills the heap fails"
like "$all" 'bytes left out' "of much output the beginning and the end are kept"
like "$all" ':expected "\(= \\"a\\\\\\"b\\" \\"a\\\\\\"c\\"\)"' "what was expected comes as it is written"
done_testing
