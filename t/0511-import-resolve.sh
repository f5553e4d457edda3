#!/bin/bash
# tenon import, with Maven and its repository: a lock that another machine keeps to, and what it refuses.
# level: all
# timeout: 900
# seconds: 60
# alone
. "$(dirname "$0")/lib.sh"
need maven

project() { # FOLDER
	mkdir -p "$1/src" "$1/test" "$1/resources"
	echo '(ns app (:require [clojure.tools.cli :as cli]))' >"$1/src/app.clj"
	echo '(ns app-test (:require app))' >"$1/test/app_test.clj"
	echo text >"$1/resources/note.txt"
	cat >"$1/deps.edn" <<-'EOF'
		{:paths ["src" "resources"]
		 :deps {org.clojure/clojure {:mvn/version "1.11.1"}
		        org.clojure/tools.cli {:mvn/version "1.0.219"}}
		 :aliases {:test {:extra-paths ["test"]
		                  :extra-deps {org.clojure/test.check {:mvn/version "1.1.1"}}}}}
	EOF
}
project one
tenon -C one import deps
is "$CODE" 0 "deps.edn is imported"
diag_file "$T_ERR"
like "$(cat one/deps.lock)" ':lib org.clojure/clojure :mvn/version "1.11.1" :scope :main' "the lock has the coordinates"
like "$(cat one/deps.lock)" ':lib org.clojure/test.check .* :scope :test' "and the scope"
is "$(grep -c ':sha256' one/deps.lock)" "$(find one/lib -name '*.jar' | wc -l)" "each jar is in the lock"
like "$(cat one/BUILD)" ':srcs \["src/\*\*/\*.clj"\]' "BUILD has the sources"
like "$(cat one/BUILD)" ':resources \["resources/\*\*/\*.txt"\]' "and the resources"
like "$(cat one/lib/BUILD)" ':jar "clojure-1.11.1.jar"' "lib/BUILD has the jars"
sum=$(sha256sum one/lib/clojure-1.11.1.jar | cut -d ' ' -f 1)
like "$(cat one/deps.lock)" "clojure .*$sum" "the digest is that of the jar"

# Another machine: the same lock, nothing else.
project two
cp one/deps.lock two/
tenon -C two import deps
is "$CODE" 0 "a second machine imports by the lock"
ok "the lock is the same" cmp one/deps.lock two/deps.lock
ok "the targets are the same" cmp one/BUILD two/BUILD
ok "the jars are the same" diff -r one/lib two/lib

# The same, said in another way.
mkdir three && cp -r one/src one/test one/resources three/
echo '(defproject app "1" :dependencies [[org.clojure/clojure "1.11.1"] [org.clojure/tools.cli "1.0.219"]]
	:profiles {:dev {:dependencies [[org.clojure/test.check "1.1.1"]]}})' >three/project.clj
tenon -C three import lein
is "$CODE" 0 "project.clj is imported"
ok "to the same jars" diff -r one/lib three/lib

mkdir -p four/src/main/clojure && cp one/src/app.clj four/src/main/clojure/
cat >four/pom.xml <<-'EOF'
	<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>a</artifactId><version>1</version>
	<properties><v>1.11.1</v></properties>
	<dependencies><dependency><groupId>org.clojure</groupId><artifactId>clojure</artifactId><version>${v}</version>
	</dependency></dependencies></project>
EOF
tenon -C four import pom
is "$CODE" 0 "pom.xml is imported, with its properties"
diag_file "$T_ERR"
like "$(cat four/deps.lock)" 'clojure :mvn/version "1.11.1"' "the property is settled"

# What is refused.
sed -i "s/$sum/${sum//[0-9]/0}/" two/deps.lock
expect_fail 2 -C two import deps
like "$(stderr)" 'org.clojure/clojure 1.11.1 has another content than deps.lock says' "a wrong digest"
echo '(jar :name "mine")' >three/BUILD
expect_fail 2 -C three import lein
like "$(stderr)" 'BUILD was not written by' "a BUILD file of the user's own"
sed -i 's/1.0.219/99.9.9/' one/deps.edn
expect_fail 3 -C one import deps --offline
like "$(stderr)" 'library org.clojure:tools.cli:jar:99.9.9 can.t be had' "what is missing is named"
like "$(stderr)" 'offline' "and why it is not fetched"
done_testing
