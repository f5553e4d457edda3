#!/bin/bash
# What a Clojure target's jar holds, and how it starts: :ns, :exclude, :manifest, :aot, a main without gen-class.
# timeout: 600
# seconds: 40
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless unzip libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure libinstaparse-clojure

touch WORKSPACE
mkdir -p lib app/src/my_app
cp /usr/share/java/clojure.jar /usr/share/java/spec.alpha.jar /usr/share/java/core.specs.alpha.jar lib/
cat >lib/CLJ <<'END'
(jar :name "clojure" :jar "clojure.jar" :deps [":core.specs.alpha", ":spec.alpha"] :visibility ["PUBLIC"])
(jar :name "spec.alpha" :jar "spec.alpha.jar")
(jar :name "core.specs.alpha" :jar "core.specs.alpha.jar")
END
cat >app/src/my_app/main_part.clj <<'END'
(ns my-app.main-part (:require [my-app.used :as u]))
(defn -main [& args]
  (println (u/join args) *command-line-args* (System/getProperty "greeting"))
  (shutdown-agents)
  (when (seq args) (System/exit (count args))))
END
echo '(ns my-app.used (:require [clojure.string :as s])) (defn join [xs] (s/join "+" xs))' >app/src/my_app/used.clj
echo '(ns my-app.loose) (def x (throw (Exception. "compiled")))' >app/src/my_app/loose.clj
cat >app/CLJ <<'END'
(clj-lib :name "lib" :ns "my-app.main-part" :srcs ["src/**/*.clj"] :deps ["//lib:clojure"])
(clj-binary :name "main" :main "my-app.main-part" :deps [":lib"] :jvm-options ["-Dgreeting=hi"]
            :manifest {"Implementation-Title" "the title"}
            :exclude ["clojure/inspector*" "META-INF/maven/**" "{clojure/repl,no/such}/**"])
(clj-lib :name "source" :aot false :srcs ["src/my_app/main_part.clj" "src/my_app/used.clj"] :deps ["//lib:clojure"])
END
sed -i '/:name "source"/d' app/CLJ
build_ok
out=.tenon/out/default/app
names() { unzip -Z1 "$1"; }
is "$(names $out/lib.jar | grep -Ec '^my_app/(main_part|used)__init.class$') $(names $out/lib.jar | grep -c loose__init)" "2 0" \
	":ns compiles the namespace and what it needs, no more"
is "$(names $out/lib.jar | grep -c 'my_app/loose.clj')" 1 "the others are there as sources"
is "$(java -Dgreeting=x -jar $out/main.jar a b; echo $?)" "a+b (a b) x
2" "java -jar starts a main without gen-class, with arguments and exit code"
is "$(java -Dgreeting=x -jar $out/main.jar; echo $?)" " nil x
0" "and without arguments"
raw_tenon "$T_LOG" "$T_OUT" "$T_ERR" run //app:main x
is "$CODE $(cat "$T_OUT")" "1 x (x) hi" "tenon run does the same, with :jvm-options"
is "$(java -Xverify:all -cp $out/main.jar my_app.main_part 2>&1; echo $?)" " nil nil
0" "the verifier accepts the class"
like "$(unzip -p $out/main.jar META-INF/MANIFEST.MF)" '^Main-Class: my_app.main_part' "Main-Class"
like "$(unzip -p $out/main.jar META-INF/MANIFEST.MF)" '^Implementation-Title: the title' ":manifest"
names $out/main.jar >"$T_WORK/names"
is "$(grep -Ec '^clojure/inspector[^/]*$' "$T_WORK/names") $(grep -c '^META-INF/maven/' "$T_WORK/names") $(grep -c '^clojure/repl/' "$T_WORK/names")" \
	"0 0 0" ":exclude leaves out what its patterns match"
ok "and nothing else" grep -q '^clojure/core__init.class' "$T_WORK/names"
sed -i 's|"clojure/inspector\*" ||' app/CLJ
build_ok
ok "without the pattern it is there" test "$(names $out/main.jar | grep -Ec '^clojure/inspector[^/]*$')" -gt 0
is "$(ran)" "//app:main" "and the jar alone was made again"

# Sources alone.
sed -i 's/:name "lib" :ns "my-app.main-part"/:name "lib" :aot false :ns "my-app.main-part"/' app/CLJ
build_ok
is "$(names $out/main.jar | grep -c 'my_app/.*__init') $(java -jar $out/main.jar q; echo $?)" "0 q (q) nil
1" ":aot false: a jar of sources that starts"

# With gen-class it is the namespace's own.
sed -i 's/:aot false //' app/CLJ
sed -i 's/(ns my-app.main-part/(ns my-app.main-part (:gen-class)/' app/src/my_app/main_part.clj
build_ok
is "$(java -jar $out/main.jar q; echo $?)" "q nil nil
1" "a main with gen-class"

# A library that brings classes of a namespace whose source is here: the source counts.
mkdir -p "$T_WORK/old/my_app" "$T_WORK/classes" && echo '(ns my-app.used) (defn join [xs] :library)' >"$T_WORK/old/my_app/used.clj"
java -cp "lib/clojure.jar:lib/spec.alpha.jar:lib/core.specs.alpha.jar:$T_WORK/old:$T_WORK/classes" \
	-Dclojure.compile.path="$T_WORK/classes" clojure.lang.Compile my-app.used >/dev/null
(cd "$T_WORK/classes" && jar cf "$T_WORK/w/lib/bundle.jar" .)
echo '(jar :name "bundle" :jar "bundle.jar" :visibility ["PUBLIC"])' >>lib/CLJ
sed -i 's|:deps \["//lib:clojure"\]|:deps ["//lib:bundle" "//lib:clojure"]|' app/CLJ
build_ok
is "$(java -jar $out/main.jar q r; echo $?)" "q+r nil nil
2" "a library with classes of the project's own namespace"

# Libraries that come as source, compiled too: those of their namespaces that the program needs, and no others.
mkdir -p "$T_WORK/libraries/src/gram" "$T_WORK/libraries/lib" && cp lib/c*.jar lib/s*.jar "$T_WORK/libraries/lib" && cd "$T_WORK/libraries" || exit 1
touch WORKSPACE
cp /usr/share/java/instaparse.jar lib/
sed '/bundle/d' "$T_WORK/w/lib/CLJ" >lib/CLJ
echo '(jar :name "instaparse" :jar "instaparse.jar" :visibility ["PUBLIC"])' >>lib/CLJ
cat >BUILD <<'END'
(clj-lib :name "lib" :srcs ["src/gram/core.clj"] :deps ["//lib:instaparse" "//lib:clojure"])
(clj-binary :name "main" :main "gram.core" :aot-libraries true :deps [":lib"])
(clj-lib :name "more" :srcs ["src/gram/more.clj"] :deps ["//lib:instaparse" "//lib:clojure"])
END
cat >src/gram/core.clj <<'END'
(ns gram.core (:require [instaparse.core :as insta]) (:gen-class))
(def p (insta/parser "S = A*; A = 'a'"))
(defn -main [& [s]] (println (p s)))
END
echo '(ns gram.more (:require [instaparse.combinators]))' >src/gram/more.clj
build_ok //:main
out=.tenon/out/default
is "$(java -jar $out/main.jar aa)" "[:S [:A a] [:A a]]" "a program with its libraries compiled"
ok "it has their classes" test "$(names $out/main.jar | grep -c '^instaparse/core__init.class')" = 1
ok "and their sources" test "$(names $out/main.jar | grep -c '^instaparse/core.clj')" = 1
is "$(names $out/main.jar | grep -c '^instaparse/combinators__init')" 0 "and no classes that it does not need"
sum=$(sha256sum <$out/main.jar)
cp -r "$T_WORK/libraries" "$T_WORK/elsewhere" && rm -rf "$T_WORK/elsewhere/.tenon" && cd "$T_WORK/elsewhere" || exit 1
tenon build //:more --store="$T_WORK/store3"
is "$CODE" 0 "another store, in which there is more of the library"
tenon build //:main --store="$T_WORK/store3"
is "$CODE $(sha256sum <$out/main.jar)" "0 $sum" "the jar is the same"
cd "$T_WORK/w" || exit 1

# What is wrong.
sed -i 's/:ns "my-app.main-part"/:ns ["my-app.main-par"]/' app/CLJ
expect_fail 2 build
like "$(stderr)" 'app/CLJ:1:26: error: my-app.main-par is no namespace of "//app:lib"' "an unknown namespace"
like "$(stderr)" 'did you mean "my-app.main-part"' "and the nearest"
sed -i 's/:ns \["my-app.main-par"\]/:ns "my-app.main-part"/; s|{clojure/repl,no/such}|{clojure/repl,no|' app/CLJ
expect_fail 2 build
like "$(stderr)" 'app/CLJ:4:[0-9]*: error: .*clojure/repl' "a pattern that is none"
done_testing
