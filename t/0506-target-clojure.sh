#!/bin/bash
# Clojure targets: the sample by which they were first described, and a library as Debian ships it.
# timeout: 900
# seconds: 60
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure libinstaparse-clojure

touch WORKSPACE
mkdir -p lib jbx/src/clj/jbx jbx/src/cljc/jbx
cp /usr/share/java/clojure.jar /usr/share/java/spec.alpha.jar /usr/share/java/core.specs.alpha.jar lib/
cat >lib/CLJ <<'END'
(jar :name "clojure1.11"
     :jar "clojure.jar"
     :deps [":core.specs.alpha", ":spec.alpha"]
     :visibility ["PUBLIC"])
(jar :name "spec.alpha" :jar "spec.alpha.jar")
(jar :name "core.specs.alpha" :jar "core.specs.alpha.jar")
END
cat >jbx/CLJ <<'END'
(clj-lib :name "lib"
         :srcs ["src/clj/**/*.clj", "src/cljc/**/*.cljc"]
         :deps ["//lib:clojure1.11"])
(clj-binary :name "main"
            :main "jbx.core"
            :deps [":lib"])
END
cat >jbx/src/cljc/jbx/shape.cljc <<'END'
(ns jbx.shape)
(defprotocol Shape (area [this]))
(defrecord Square [side] Shape (area [_] (* side side)))
(defmacro twice [form] `(do ~form ~form))
#?(:cljs (throw "never read"))
END
cat >jbx/src/clj/jbx/text.clj <<'END'
(ns jbx.text (:require [clojure.string :as string]))
(defn loud [s] (string/upper-case s))
END
cat >jbx/src/clj/jbx/core.clj <<'END'
(ns jbx.core
  (:gen-class)
  (:require [jbx.shape :as shape] [jbx.text :as text])
  (:import (jbx.shape Square)))
(defn -main [& args]
  (shape/twice (println (text/loud (first args)) (shape/area (Square. 3))))
  (System/exit (count args)))
END
build_ok
expect_ran 3 '^//jbx:lib \('
out=.tenon/out/default
is "$(java -jar $out/jbx/main.jar abc d; echo $?)" "ABC 9
ABC 9
2" "java -jar of the uberjar runs"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //jbx:main x y z
is "$CODE $(head -n 1 "$T_OUT")" "3 X 9" "run passes arguments and the exit code"
before=$(outputs .)
mkdir "$T_WORK/w2" && cp -r WORKSPACE lib jbx "$T_WORK/w2"
tenon build -C "$T_WORK/w2" --store="$T_WORK/store2" --strategy=serial
is "$CODE $(diff <(outputs "$T_WORK/w2") <(echo "$before"))" "0 " "the same bytes in another folder, store and order"

# Edits.
sed -i 's/(defn loud/;; as loud as can be\n&/' jbx/src/clj/jbx/text.clj
tenon build
is "$CODE $(ran | grep '(' | tr '\n' ' ')" "0 //jbx:lib (jbx.text) " "a moved line: nobody else is compiled"
echo ";; the end" >>jbx/src/clj/jbx/text.clj
tenon build
is "$CODE $(ran | grep "(" | tr "\n" " ")" "0 " "a comment at the end: nobody is compiled"
sed -i 's/upper-case s/capitalize s/' jbx/src/clj/jbx/text.clj
build_ok
is "$(ran | grep '(' | tr '\n' ' ')" "//jbx:lib (jbx.text) " "a function's body: nobody else either"
is "$(java -jar $out/jbx/main.jar abc | head -n 1)" "Abc 9" "and is there"

# What is wrong.
sed -i 's/string\/capitalize s/string\/capitalise s/' jbx/src/clj/jbx/text.clj
expect_fail 1 build
like "$(diagnostics)" '^error	[a-z-]+	text.clj	[0-9]+	[0-9]+	.*No such var: string/capitalise' "an error has a place"
is "$(logged "$T_LOG" skipped | grep -c core)" 1 "what needs it is not tried"
sed -i 's/string\/capitalise s/string\/capitalize s/' jbx/src/clj/jbx/text.clj
sed -i 's/(:require \[jbx.shape :as shape\] \[jbx.text :as text\])/(:require [jbx.shape :as shape])/; s,text/loud,jbx.text/loud,' \
	jbx/src/clj/jbx/core.clj
expect_fail 1 build
like "$(diagnostics)" '^error	.*jbx.text' "a namespace that is not required is not there"
sed -i 's/\[jbx.shape :as shape\])/[jbx.shape :as shape] [jbx.text])/' jbx/src/clj/jbx/core.clj
build_ok

# Two targets, one of which does not say that it needs the other.
mkdir -p jbx/src/other/tool
cat >jbx/src/other/tool/main.clj <<'END'
(ns tool.main (:gen-class) (:require [jbx.text :as text]))
(defn -main [& args] (println (text/loud "tool")))
END
cat >>jbx/CLJ <<'END'
(clj-binary :name "tool" :main "tool.main" :srcs ["src/other/**/*.clj"] :deps ["//lib:clojure1.11"])
(clj-lib :name "unused" :deps [":lib"])
END
expect_fail 2 build //jbx:tool //jbx:lib
golden target-clojure-undeclared "$T_ERR"
sed -i '/:name "tool"/s/:deps \[/&":lib" /' jbx/CLJ
build_ok //jbx:tool
is "$(java -jar $out/jbx/tool.jar)" "Tool" "with the declaration it is built"
cat >jbx/src/clj/jbx/text.clj <<'END'
(ns jbx.text (:require [jbx.core]))
END
expect_fail 2 build //jbx:lib
golden target-clojure-cycle "$T_ERR"

# A library of Debian, from its sources.
mkdir -p "$T_WORK/w/insta/src" && cd "$T_WORK/w" || exit 1
"$PYTHON" - insta/src <<'END'
import sys, zipfile
z = zipfile.ZipFile("/usr/share/java/instaparse.jar")
for n in z.namelist():
    if n.endswith((".clj", ".cljc")):
        z.extract(n, sys.argv[1])
END
cat >insta/BUILD <<'END'
(clj-lib :name "insta" :srcs (glob ["src/**/*.clj" "src/**/*.cljc"]) :deps ["//lib:clojure1.11"])
END
build_ok //insta
ok "instaparse has over ten namespaces" test "$(ran | grep -c '(')" -gt 10
is "$(java -cp $out/insta/insta.jar:lib/clojure.jar:lib/spec.alpha.jar:lib/core.specs.alpha.jar clojure.main -e \
	'(require (quote [instaparse.core :as i])) ((i/parser "S = A* ; A = <\"a\"> \"b\"") "abab")')" \
	'[:S [:A "b"] [:A "b"]]' "and parses"
done_testing
