#!/bin/bash
# What is wrong with Clojure targets and jars is told where it is, with what to do.
# timeout: 900
# seconds: 30
. "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure

touch WORKSPACE
mkdir -p lib src/a
cp /usr/share/java/clojure.jar /usr/share/java/spec.alpha.jar /usr/share/java/core.specs.alpha.jar lib/
cat >lib/BUILD <<'END'
(jar :name "clojure" :jar "clojure.jar" :deps [":spec.alpha" ":core.specs.alpha"] :visibility ["PUBLIC"])
(jar :name "spec.alpha" :jar "spec.alpha.jar")
(jar :name "core.specs.alpha" :jar "core.specs.alpha.jar")
(jar :name "bad" :jar "bad.jar" :visibility ["PUBLIC"])
END
binary() { echo "(clj-binary :name \"main\" :main \"$1\" :srcs [\"src/**/*.clj\"] :deps [\"//lib:clojure\" ${2-}])" >BUILD; }
says() { # CODE REGEX NAME
	RECHECK=no tenon build //:main
	is "$CODE" "$1" "$3: exit code"
	like "$(stderr)" "$2" "$3"
}
echo '(ns a.core (:gen-class)) (defn -main [] 1)' >src/a/core.clj
head -c 3000 lib/spec.alpha.jar >lib/bad.jar
binary a.core '"//lib:bad"'
says 1 '"lib/bad.jar" is not a zip archive that can be read' "a jar that was cut short"
"$PYTHON" -c "import zipfile; z = zipfile.ZipFile('lib/bad.jar', 'w'); z.writestr('../evil.txt', 'x'); z.close()"
says 1 'entry "../evil.txt": the name leads out of its folder' "a jar with names that lead out"
binary a.cre
says 2 'there is no namespace a.cre, here or in a library' "a main that is not there"
like "$(stderr)" 'did you mean "a.core"' "and the nearest"
binary a.core
RECHECK=no tenon build //:mian
like "$(stderr)" 'did you mean "//:main"' "an unknown target and the nearest"
echo '(ns ~(symbol "a.core"))' >src/a/core.clj
says 2 '^src/a/core.clj:1:5: error: the name of this namespace can.t be read statically' "an ns form that is computed"
echo '(ns a.other)' >src/a/core.clj
says 2 '^src/a/core.clj:1:5: error: the namespace a.other does not belong in this file' "a namespace in the wrong file"
echo '(ns a.core (:require [a.b]))' >src/a/core.clj
echo '(ns a.b (:require [a.core]))' >src/a/b.clj
says 2 'circular dependency: a.b → a.core → a.b' "namespaces that need each other"
echo '(ns a.b) (defn f [] (undefined-thing))' >src/a/b.clj
says 1 '^src/a/b.clj:1:[0-9]+: error: Unable to resolve symbol: undefined-thing' "an unknown symbol has its place"
echo '(ns a.b) (defn f [] (' >src/a/b.clj
says 2 'src/a/b.clj:1' "an open parenthesis has its place"
echo '(ns a.b) (System/exit 3)' >src/a/b.clj
says 1 'ended the process' "code that ends the compiler"
done_testing
