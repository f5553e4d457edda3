#!/bin/bash
# The uses of Clojure's macros that the worker accepts at sight: its specs accept them too, in real sources and in these
# with something changed.
# seconds: 20
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless clojure unzip libcore-async-clojure libtools-reader-clojure libtools-analyzer-jvm-clojure \
	libhiccup-clojure libprismatic-schema-clojure libspecter-clojure
JARS=/usr/share/java
CLOJURE=$(realpath $JARS/clojure.jar):$JARS/spec.alpha.jar:$JARS/core.specs.alpha.jar

mkdir src classes
for jar in core.async tools.reader tools.analyzer.jvm hiccup schema specter; do
	unzip -qo "$JARS/$jar.jar" '*.clj' '*.cljc' -x 'cljs/*' -d src
done
javac -nowarn -d classes -cp "$CLOJURE" "$T_DIR/../drivers/clojure/Shapes.java" 2>javac.err
is $? 0 "it is compiled" || diag_file javac.err
java -cp "classes:$CLOJURE" clojure.main "$T_DIR/clojure/shapes.clj" 20 src >out 2>err
is $? 0 "the comparison runs" || diag_file err
diag "$(head -n 20 out)"
number() { awk -v key="$1" -v at="$2" '$1 == key { print $at }' out; }
ok "real uses are nearly all known at sight ($(number real 4) %)" test "$(number real 4)" -ge 95
ok "there are changed ones enough that are wrong, and that are right" test "$(number changed 4)" -gt 1000 -a "$(number changed 6)" -gt 1000
is "$(number unsound 2)" 0 "none is accepted that is wrong"
is "$(number replaced 2) $(number replaced 3)" "false true" "a spec in the place of Clojure's own is asked"
done_testing
