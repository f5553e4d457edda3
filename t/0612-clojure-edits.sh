#!/bin/bash
# Early cutoff by recorded use, on a real library: what each edit compiles, and that the classes are those of a build
# from nothing. Then --audit, on code that does what its ns forms do not say.
# seconds: 90
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure libinstaparse-clojure

echo '{}' >deps.edn
resolved . deps.edn
sources /usr/share/java/instaparse.jar src
out=.tenon/out/default
classes() { (cd "$1/$out/lib.classes" && find . -name '*.class' -exec sha256sum {} + | sort -k 2); }
# edit NAME WANT: after an edit, the namespaces that were compiled.
edit() {
	RECHECK=no tenon build
	is "$CODE $(ran | sed -n 's/^\/\/:lib (\(.*\))$/\1/p' | sort | tr '\n' ' ')" "0 $2" "$1"
}
same_as_fresh() {
	local fresh=$T_WORK/fresh.$((N += 1))
	mkdir -p "$fresh/.tenon" && cp -r src deps.edn "$fresh" && cp -r .tenon/deps "$fresh/.tenon"
	RECHECK=no tenon build -C "$fresh" --store="$fresh.store"
	is "$(classes "$fresh" | sha256sum)" "$(classes . | sha256sum)" \
		"after these edits, the classes are those of a build from nothing" ||
		diff <(classes "$fresh") <(classes .) | head -5 | sed 's/^/# /'
}
N=0
util=$(ls src/instaparse/util.clj*) gll=$(ls src/instaparse/gll.clj*) line=$(ls src/instaparse/line_col.clj*)
build_ok
all=$(ran | grep -c '(')
ok "there are namespaces ($all)" test "$all" -gt 10
sed -i 's/(ns instaparse.line-col/;; a comment\n&/' "$line"
edit "a comment" "instaparse.line-col "
echo '(defn another-one [x] x)' >>"$line"
edit "a new function" "instaparse.line-col "
sed -i 's/(apply str message)/(str (apply str message))/' "$util"
RECHECK=no tenon build
ok "a body below macros: those whose macros may have run it, and no more" \
	test "$(ran | grep -c '(')" -lt $((all / 2)) -a "$(ran | grep -c 'instaparse.util')" = 1
diag "compiled: $(ran | tr '\n' ' ')"
grep -n '(defmacro' "$gll" | head -n 1 >"$T_WORK/macro"
sed -i '0,/(defmacro \([^ ]*\)/s//(defmacro \1 "changed"/' "$gll"
edit "a macro's docstring: those that expand macros of its namespace" "instaparse.core instaparse.gll instaparse.repeat "
same_as_fresh

# What a namespace is, others see: its macros, constants, classes.
mkdir -p "$T_WORK/w/two/src/two" && cd "$T_WORK/w/two" || exit 1
echo '{}' >deps.edn
resolved . deps.edn
cat >src/two/base.clj <<'END'
(ns two.base)
(defn number [] 1)
(defmacro twice [x] `(do ~x ~x))
(defmacro counted [] (number))
(def ^:const limit 10)
(defn plain [x] x)
(defrecord Point [x y])
END
echo '(ns two.plain (:require [two.base :as base])) (defn f [] (base/plain 1))' >src/two/plain.clj
echo '(ns two.macro (:require [two.base :as base])) (defn f [] (base/counted))' >src/two/macro.clj
echo '(ns two.const (:require [two.base :as base])) (defn f [] base/limit)' >src/two/const.clj
echo '(ns two.class (:require [two.base]) (:import (two.base Point))) (defn f [] (Point. 1 2))' >src/two/class.clj
echo '(ns two.all (:require [two.base :refer :all])) (defn f [] 1)' >src/two/all.clj
build_ok
sed -i 's/(defn plain \[x\] x)/(defn plain [x] [x])/' src/two/base.clj
edit "a function's body: a macro beside it may have run it" "two.base two.macro "
sed -i 's/(defn number \[\] 1)/(defn number [] 2)/' src/two/base.clj
edit "the body of what a macro calls" "two.base two.macro "
sed -i 's/limit 10/limit 11/' src/two/base.clj
edit "a constant" "two.all two.base two.const two.macro "
sed -i 's/Point \[x y\]/Point [^long x y]/' src/two/base.clj
edit "a record's field" "two.all two.base two.class two.macro "
echo '(defn more [] 1)' >>src/two/base.clj
edit "one more var: who refers all of them" "two.all two.base two.macro "
same_as_fresh
echo '{:note 1}' >src/note.edn
cat >src/two/reads.clj <<'END'
(ns two.reads (:require [clojure.java.io :as io]))
(defmacro note [] (slurp (io/resource "note.edn")))
(def text (note))
END
edit "a new namespace, and a new resource: it might be found now" \
	"$(ls src/two | sed 's/\.clj$/ /; s/^/two./' | sort | tr -d '\n')"
echo '{:note 2}' >src/note.edn
edit "a resource that a macro read" "two.reads "
echo '{}' >src/other.edn
RECHECK=no tenon build
echo '{:other 1}' >src/other.edn
edit "a resource that nobody read" ""

# Comments, and spaces that move nothing, the compiler does not see; where forms stand, and their lines, it does.
sed -i 's/$/ ; a comment/' src/two/base.clj
edit "comments at the ends of lines" ""
RECHECK=no tenon explain //:lib
like "$(stdout)" 'two\.base\).*not run: only comments or spaces of "src/two/base.clj" changed' "explain says so"
printf ';; another\n\n;; "and another\n' >>src/two/base.clj
edit "comments at the end" ""
sed -i '1s/^/\n/' src/two/base.clj
edit "a line more, before all: who runs its code" "two.base two.macro "
cat >src/two/itself.clj <<'END'
(ns two.itself (:require [clojure.java.io :as io]))
(defmacro length [] (count (slurp (io/resource "two/itself.clj"))))
(def n (length))
END
edit "one that reads its own source" "two.itself "
echo ';; more' >>src/two/itself.clj
edit "a comment in that" "two.itself "
same_as_fresh
rm src/two/itself.clj

# Audits.
RECHECK=no tenon build --audit
is "$CODE $(ran | grep -c 'two\.')" "0 7" "--audit compiles every namespace, and all are what they say"
# Two of them: one may be the first in its process, and the same alone.
for name in effect other-effect; do
	cat >"src/two/${name//-/_}.clj" <<-END
		(ns two.$name)
		(defmacro others [] (count (filter #(.startsWith (str (ns-name %)) "two.") (all-ns))))
		(def n (others))
	END
done
sed -i 's/(ns two.plain (:require/(ns two.plain (:require [two.effect] [two.other-effect]/' src/two/plain.clj
touch src/two/all.clj
RECHECK=no tenon build -j1
is "$CODE" 0 "what looks at the process compiles"
expect_fail 1 build --audit -j1 -k
like "$(stderr)" 'effect\) failed: compiled alone, two/.*effect.*class has other bytes' "and --audit finds it"

# What fails is told again at once, until something changes.
mkdir -p "$T_WORK/w/fails/src/fails" && cd "$T_WORK/w/fails" || exit 1
echo '{}' >deps.edn
resolved . deps.edn
echo '(ns fails.base) (defn f [] (no-such-thing 1))' >src/fails/base.clj
echo '(ns fails.top (:require fails.base))' >src/fails/top.clj
find src -type f -exec touch -d '2001-01-01' {} +
expect_fail 1 build
like "$(stderr)" 'fails/base.clj:1:2[0-9]: error: Unable to resolve symbol: no-such-thing' "the error"
expect_fail 1 build
like "$(stderr)" 'fails/base.clj:1:2[0-9]: error: Unable to resolve symbol: no-such-thing' "the error again"
like "$(stderr)" 'nothing has changed since this failed' "and that nothing was tried"
is "$(logged "$T_LOG" ran | wc -l) $(grep -c '"action-start"' "$T_LOG")" "0 0" "no action was started"
echo '(ns fails.apart)' >src/fails/apart.clj
touch -d '2001-01-01' src/fails/apart.clj
expect_fail 1 build -j1 --strategy=serial
expect_fail 1 build -k
unlike "$(stderr)" 'nothing has changed' "nor is -k told of a build that stopped"
expect_fail 1 build -k
like "$(stderr)" 'nothing has changed' "only of one that went on"
echo '(ns fails.top (:require fails.base)) (defn g [] 1)' >src/fails/top.clj
expect_fail 1 build
unlike "$(stderr)" 'nothing has changed' "a change of what was not even tried counts"
echo '(ns fails.base) (defn f [] 1)' >src/fails/base.clj
build_ok
done_testing
