#!/bin/bash
# Processes of Clojure are confined: what a namespace, or a test, can read of the workspace and write at all. And they
# are replaced before they fill up.
# seconds: 60
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure
tenon doctor
if ! stdout | grep -q 'sandbox: Landlock'; then
	like "$(stdout)" 'sandbox: none: this kernel has no Landlock; actions run UNSANDBOXED' "doctor says so"
	done_testing
	exit
fi

touch WORKSPACE
mkdir -p jars app/src/app app/test/app other
cp /usr/share/java/clojure.jar jars/clojure.jar
cp /usr/share/java/spec.alpha.jar /usr/share/java/core.specs.alpha.jar jars/
cat >jars/BUILD <<'END'
(jar :name "clojure" :jar "clojure.jar" :deps [":spec" ":core"] :visibility ["PUBLIC"])
(jar :name "spec" :jar "spec.alpha.jar")
(jar :name "core" :jar "core.specs.alpha.jar")
END
cat >app/BUILD <<'END'
(clj-lib :name "lib" :srcs ["src/**/*.clj"] :resources ["src/app/note.txt"] :source-roots ["src"] :deps ["//jars:clojure"])
(clj-test :name "test" :srcs ["test/**/*.clj"] :data ["data.txt"] :deps [":lib" "//jars:clojure"])
END
echo note >app/src/app/note.txt
echo data >app/data.txt
echo secret >other/secret.txt
echo '(ns app.core-test)' >app/test/app/core_test.clj
form() { echo "(ns app.core (:require [clojure.java.io :as io])) (defmacro at-compile-time [] $1 1) (def x (at-compile-time))" >app/src/app/core.clj; }
form '(slurp (io/resource "app/note.txt"))'
build_ok
form "(spit (java.io.File/createTempFile \"abc\" \"d\") 1)"
build_ok
form "(slurp \"$PWD/other/secret.txt\")"
expect_fail 1 build
like "$(stderr)" 'secret.txt \(Permission denied\)' "a macro cannot read what is not declared"
like "$(stderr)" 'no-sandbox switches that off' "and what can be done is said"
form "(spit \"$PWD/app/src/app/new.txt\" 1)"
expect_fail 1 build
ok "nor write into the workspace" test ! -e app/src/app/new.txt
form "(spit \"$HOME/new.txt\" 1)"
expect_fail 1 build
ok "nor anywhere else" test ! -e "$HOME/new.txt"
tenon build --no-sandbox
is "$CODE" 0 "--no-sandbox"
form 1
rm "$HOME/new.txt"

cat >app/test/app/core_test.clj <<'END'
(ns app.core-test (:require [clojure.test :refer [deftest is]]))
(deftest reads (is (= "data\n" (slurp "data.txt"))) (is (.exists (java.io.File. "src/app/core.clj"))))
(deftest temporary (let [f (java.io.File/createTempFile "abc" "d")] (spit f 1) (is (= "1" (slurp f)))))
END
tenon test
is "$CODE" 0 "a test reads its package and what it declares, and writes temporary files"
diag "$(stderr)"
sed -i 's|"data.txt"|"../other/secret.txt"|' app/test/app/core_test.clj
expect_fail 1 test
like "$(stderr)" 'secret.txt \(Permission denied\)' "and nothing else of the workspace"
echo '(ns app.core-test (:require [clojure.test :refer [deftest is]])) (deftest writes (spit "new.txt" 1))' >app/test/app/core_test.clj
expect_fail 1 test
like "$(stderr)" 'new.txt \(Permission denied\)' "a test that writes into its package"
like "$(stderr)" 'no-sandbox' "is told what to do"
tenon test --no-sandbox
is "$CODE" 0 "and may"

# Each namespace leaves 40 MB behind: more than a heap of 256 MB holds of ten.
rm app/new.txt
for n in 0 1 2 3 4 5 6 7 8 9; do
	echo "(ns app.large$n-test (:require [clojure.test :refer [deftest is]])) (def kept (byte-array 40000000)) (deftest t (is (do (System/gc) true)))" \
		>app/test/app/large${n}_test.clj
done
sed -i 's/(spit "new.txt" 1)/(is true)/' app/test/app/core_test.clj
sed -i 's/:data/:jvm-options ["-Xmx256m"] :data/' app/BUILD
tenon test -j1
is "$CODE" 0 "a process that fills up is replaced"
diag "$(stderr)"
done_testing
