#!/bin/bash
# `tenon explain` over targets: for each action and namespace why it ran or did not, after each kind of change.
# seconds: 60
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure

# explained REGEX NAME [ARGUMENT...]: a line of what explain says.
explained() {
	local want=$1 name=$2
	shift 2
	RECHECK=no tenon explain "$@"
	like "$(stdout)" "$want" "$name" || diag "$(stderr)"
}
# told FIELD LABEL [ARGUMENT...]: of the JSON.
told() {
	local field=$1 label=$2
	shift 2
	RECHECK=no tenon explain --format=json "$@"
	stdout | "$PYTHON" -c 'import json, sys
print(*[a[sys.argv[1]] for a in json.load(sys.stdin) if a["label"] == sys.argv[2]])' "$field" "$label"
}

# Commands.
mkdir -p commands && cd commands || exit 1
touch WORKSPACE
echo one >a.txt
cat >BUILD <<'END'
(genrule :name "upper" :srcs ["a.txt"] :out "upper.txt" :cmd "tr a-z A-Z <$SRCS >$OUT")
(genrule :name "twice" :srcs [":upper"] :out "twice.txt" :cmd "cat $SRCS $SRCS >$OUT" :env {"MODE" "x"})
END
explained '^//:upper: was not built yet' "before the first build"
build_ok
explained '^//:upper: ran because it was never built here' "the first build"
echo two >a.txt
build_ok
explained '^//:upper: ran because "a.txt" changed' "a source"
explained '^//:twice: ran because "upper.txt" changed' "what another action made"
is "$(told cause //:upper) $(told name //:upper)" "input a.txt" "as JSON"
sed -i 's/"x"/"y"/' BUILD
build_ok
explained '^//:twice: ran because the environment variable "MODE" changed' "a variable"
explained '^1 action did not run: nothing in its key changed' "and what did not run"
sed -i 's/tr a-z A-Z/tr a-y A-Y/' BUILD
build_ok
explained '^//:upper: ran because its command changed: .*tr a-y A-Y' "a command"
echo one >a.txt && sed -i 's/tr a-y A-Y/tr a-z A-Z/' BUILD
build_ok
explained '^//:upper: taken from the store: .* and this was built before' "back to what was"
sed -i 's/cat $SRCS $SRCS/false/' BUILD
echo three >a.txt
expect_fail 1 build
explained '^//:twice: failed; it ran because' "a failure"
sed -i 's/tr a-z A-Z/false/' BUILD
expect_fail 1 build
explained '^//:twice: did not run: //:upper was not built' "what failed below"
expect_fail 2 explain //:upperr
like "$(stderr)" 'did you mean "//:upper"' "an unknown target"

mkdir "$T_WORK/w/fails" && cd "$T_WORK/w/fails" || exit 1
touch WORKSPACE
echo '(genrule :name "a" :out "a" :cmd "false") (genrule :name "b" :srcs [":a"] :out "b" :cmd "cp $SRCS $OUT")' >BUILD
expect_fail 1 build
explained '^//:b: did not run: //:a was not built' "what was never built before"
sed -i 's/"false"/"echo 1 >$OUT"/' BUILD
build_ok
explained '^//:b: ran because it was never built here' "and is built then"

# Namespaces.
mkdir -p "$T_WORK/w/clojure/src/two" && cd "$T_WORK/w/clojure" || exit 1
echo '{}' >deps.edn
resolved . deps.edn
cat >src/two/base.clj <<'END'
(ns two.base)
(defn number [] 1)
(defmacro counted [] (number))
(defn plain [x] x)
(defn other [x] x)
END
echo '(ns two.plain (:require [two.base :as base])) (defn f [] (base/plain 1))' >src/two/plain.clj
echo '(ns two.macro (:require [two.base :as base])) (defn f [] (base/counted))' >src/two/macro.clj
echo '(ns two.all (:require [two.base :refer :all])) (defn f [] 1)' >src/two/all.clj
build_ok
sed -i 's/(defn number \[\] 1)/(defn number [] 2)/' src/two/base.clj
build_ok
explained 'two.base\): ran because "src/two/base.clj" changed' "its own source" two.base
explained 'two.macro\): ran because the code of "two.base".* changed, and compiling this runs it' "a macro's code"
explained '^//:lib \(two.plain\): not run: "//:lib \(two.base\)" changed, but nothing in it that this uses' "no use"
sed -i 's/(defn plain \[x\] x)/(defn plain [x y] x)/' src/two/base.clj
build_ok
explained 'two.plain\): ran because "two.base/plain", which it uses, changed' "a var's arguments" two.plain
is "$(stdout | wc -l)" 1 "one namespace alone"
is "$(told cause '//:lib (two.plain)' two.plain) $(told name '//:lib (two.plain)' two.plain)" "var two.base/plain" \
	"as JSON"
echo '(defn more [] 1)' >>src/two/base.clj
build_ok
explained 'two.all\): ran because it refers all vars of "two.base", and these changed' "one more var"
echo '(ns two.new)' >src/two/new.clj
sed -i 's/(:require \[two.base :as base\])) (defn f \[\] (base\/pl/(:require [two.base :as base] two.new)) (defn f [] (base\/pl/' \
	src/two/plain.clj
build_ok
explained 'two.new\): ran because it was never built here' "a new namespace"
expect_fail 2 explain two.plane
like "$(stderr)" 'did you mean "two.plain"' "an unknown namespace"
mkdir jars && cp .tenon/deps/*.jar jars && touch WORKSPACE
echo '(clj-lib :name "lib" :srcs ["src/**/*.clj"] :deps [":clojure" ":spec" ":core"])
(jar :name "clojure" :jar "jars/clojure-1.jar")
(jar :name "spec" :jar "jars/spec.alpha-1.jar")
(jar :name "core" :jar "jars/core.specs.alpha-1.jar")' >BUILD
build_ok
sed -i 's/(clj-lib :name "lib"/(clj-lib :name "lib" :direct-linking true/' BUILD
build_ok
explained 'two.base\): ran because its option "direct-linking" is new' "an option" two.base
done_testing
