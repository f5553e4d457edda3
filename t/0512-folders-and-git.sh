#!/bin/bash
# Projects that rest on others: in folders (:local/root) without a WORKSPACE, nested, jars among them; and in Git
# repositories, locked by revision.
# seconds: 60
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need git openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure

# locked DIR TEXT...: the lock of DIR for a description that consists of these texts, see deps_members.c.
locked() {
	local dir=$1 sum
	resolved "$dir" deps.edn
	sum=$(printf '%s' "$2" | sha256sum | cut -d ' ' -f 1)
	sed -i "s/:from-sha256 \"[0-9a-f]*\"/:from-sha256 \"$sum\"/" "$dir/.tenon/deps/deps.lock"
}
# text FILE [LIB FILE]...
text() {
	cat "$1"
	shift
	while [ $# -gt 0 ]; do
		printf '\n;; %s\n' "$1"
		cat "$2"
		shift 2
	done
	printf .
}
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.invalid GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.invalid
commit() { # FOLDER MESSAGE
	git -C "$1" add -A && git -C "$1" commit -q -m "$2"
}

# -- folders --
mkdir -p app/src/app util/src/util base/src/base tools jars app/test/app
echo '{:deps {my/util {:local/root "../util"} my/tool {:local/root "../jars/tool.jar"}}}' >app/deps.edn
echo '(ns app.main (:require [util.core :as u]) (:gen-class)) (defn -main [& _] (println (u/shout "hello")))' \
	>app/src/app/main.clj
echo '(ns app.main-test (:require [clojure.test :refer [deftest is]] [util.core :as u]))
(deftest shouts (is (= "A!" (u/shout "a"))))' >app/test/app/main_test.clj
echo '{:deps {my/base {:local/root "../base"}}}' >util/deps.edn
echo '(ns util.core (:require [base.core :as b])) (defn shout [s] (str (b/upper s) "!"))' >util/src/util/core.clj
echo '(defproject my/base "1" :dependencies [[org.clojure/clojure "1.10.0"]])' >base/project.clj
echo '(ns base.core (:require [clojure.string :as s])) (defn upper [x] (s/upper-case x))' >base/src/base/core.clj
mkdir tool && echo 'public class Tool {}' >tool/Tool.java && javac -d tool tool/Tool.java && (cd tool && jar cf ../jars/tool.jar Tool.class)
all=$(text app/deps.edn my/util util/deps.edn my/base base/project.clj)
locked app "${all%.}"
cd app || exit 1
tenon run //:main
is "$CODE $(stdout)" "0 HELLO!" "a project that rests on two others in folders"
diag "$(stderr)"
build_ok
ok "the jar has all of them" test "$(unzip -l .tenon/out/default/main.jar | grep -Ec ' (app/main.clj|util/core.clj|base/core.clj|Tool.class|base/core__init.class)$')" = 5
tenon test
is "$CODE" 0 "and its tests run"
RECHECK=no tenon build
echo '(ns base.core (:require [clojure.string :as s])) (defn upper [x] (s/lower-case x))' >../base/src/base/core.clj
RECHECK=no tenon run //:main
is "$CODE $(stdout)" "0 hello!" "an edit two projects below"
echo '(ns base.core (:require [clojure.string :as s])) (defn upper [x] (s/lower-case' >../base/src/base/core.clj
expect_fail 2 build
like "$(stderr)" '^[^ ]*base/src/base/core.clj:1:' "an error in another project is told by its place"
echo '(ns base.core) (defn upper [x] (no-such x))' >../base/src/base/core.clj
expect_fail 1 build
like "$(stderr)" 'base/src/base/core.clj:1:32: error: Unable' "and so is one of the compiler"
mv ../util ../elsewhere
expect_fail 2 build
like "$(stderr)" 'deps.edn:1:[0-9]*: error: library my/util: there is no ".*/util"' "a folder that is not there"
mkdir ../util
expect_fail 2 build
like "$(stderr)" 'has no deps.edn, project.clj, pom.xml or BUILD' "a folder that is no project"
rm -r ../util && mv ../elsewhere ../util
echo '{:deps {my/app {:local/root "../app"}}}' >../base/deps.edn
all=$(text deps.edn my/util ../util/deps.edn my/base ../base/deps.edn)
locked . "${all%.}"
expect_fail 2 build
like "$(stderr)" 'my/app is this project itself' "a circle"
rm ../base/deps.edn
cd ..

# A project of Maven's with Java, one that has targets of its own, and a jar that says what it needs.
mkdir -p maven/src/main/clojure/maven maven/src/main/java/maven targets/src/targets three/src/three tool/META-INF/maven/g/tool
echo '<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>maven</artifactId></project>' >maven/pom.xml
echo '(ns maven.core (:import maven.Word)) (defn word [] (Word/of))' >maven/src/main/clojure/maven/core.clj
echo 'package maven; public class Word { public static String of() { return "maven"; } }' >maven/src/main/java/maven/Word.java
for jar in clojure spec.alpha core.specs.alpha; do cp -L /usr/share/java/$jar.jar targets/; done
echo '(for [n ["clojure" "spec.alpha" "core.specs.alpha"]] (jar :name n :jar (str n ".jar")))
(clj-lib :name "lib" :srcs ["src/**/*.clj"] :deps [":clojure" ":spec.alpha" ":core.specs.alpha"] :visibility ["PUBLIC"])' \
	>targets/BUILD
echo '(ns targets.core) (defn word [] "targets")' >targets/src/targets/core.clj
echo '<project><artifactId>tool</artifactId></project>' >tool/META-INF/maven/g/tool/pom.xml
(cd tool && jar cf ../jars/tool.jar META-INF Tool.class)
echo '{:deps {my/maven {:local/root "../maven"} my/targets {:local/root "../targets"} my/tool {:local/root "../jars/tool.jar"}}}' \
	>three/deps.edn
echo '(ns three.main (:require [maven.core :as m] [targets.core :as t])) (defn -main [& _] (println (m/word) (t/word) (Tool.)))' \
	>three/src/three/main.clj
all=$(text three/deps.edn my/maven maven/pom.xml my/tool tool/META-INF/maven/g/tool/pom.xml)
locked three "${all%.}"
tenon -C three run //:main
like "$CODE $(stdout)" '^0 maven targets #object.Tool' "Maven's project, targets, and a jar"
diag "$(stderr)"
echo "no jar" >jars/tool.jar
expect_fail 2 -C three build
like "$(stderr)" 'deps.edn:1:[0-9]*: error: .*tool.jar' "a jar that is none is told of where it is named"

# -- Git --
mkdir -p repo/lib/src/lib && git init -q repo
mkdir -p other/src/other && git init -q other && echo '{}' >other/deps.edn
echo '(ns other.core) (def answer 42)' >other/src/other/core.clj
commit other one && git -C other tag -a -m two v2
other=$(git -C other rev-parse HEAD)
echo "{:deps {io.github.some/other {:git/tag \"v2\" :git/sha \"${other:0:7}\"}}}" >repo/lib/deps.edn
echo '(ns lib.core (:require [other.core :as o])) (defn answer [] o/answer)' >repo/lib/src/lib/core.clj
commit repo one
one=$(git -C repo rev-parse HEAD)
# The user's own settings say where a forge is.
git config --global "url.file://$PWD/.insteadOf" "https://github.com/some/"
mv other other.git
mkdir -p user/src/user && cd user || exit 1
echo "{:deps {my/lib {:git/url \"file://$T_WORK/w/repo\" :git/sha \"$one\" :deps/root \"lib\"}}}" >deps.edn
echo '(ns user.main (:require [lib.core :as l])) (defn -main [& _] (println (l/answer)))' >src/user/main.clj
resolved . deps.edn
tenon run //:main
is "$CODE $(stdout)" "0 42" "a library of a Git repository, which needs another by its forge's name and a tag"
diag "$(stderr)"
build_ok
rm -rf .tenon/deps/git
mv "$T_WORK/w/repo" "$T_WORK/w/gone"
RECHECK=no tenon build
is "$CODE" 0 "what was cloned is not fetched again"
mv "$T_WORK/w/gone" "$T_WORK/w/repo"

# Submodules: a library whose sources are another repository.
mkdir -p "$T_WORK/w/core/src/sub" "$T_WORK/w/whole"
echo '(ns sub.core) (def word "whole")' >"$T_WORK/w/core/src/sub/core.clj"
git init -q "$T_WORK/w/core" && commit "$T_WORK/w/core" one
git init -q "$T_WORK/w/whole"
echo '{:paths ["core/src"]}' >"$T_WORK/w/whole/deps.edn"
git config --global protocol.file.allow always
git -C "$T_WORK/w/whole" submodule --quiet add "$T_WORK/w/core" core && commit "$T_WORK/w/whole" one
whole=$(git -C "$T_WORK/w/whole" rev-parse HEAD)
mkdir -p "$T_WORK/w/subs/src/subs" && cd "$T_WORK/w/subs" || exit 1
echo "{:deps {my/whole {:git/url \"file://$T_WORK/w/whole\" :git/sha \"$whole\"}}}" >deps.edn
echo '(ns subs.main (:require [sub.core :as s])) (defn -main [& _] (println s/word))' >src/subs/main.clj
resolved . deps.edn
tenon run //:main
is "$CODE $(stdout)" "0 whole" "a library with submodules"
diag "$(stderr)"
cd "$T_WORK/w/user" || exit 1

# A tag that moves.
echo '(ns other.core) (def answer 43)' >../other.git/src/other/core.clj
commit ../other.git three && git -C ../other.git tag -f -a -m three v2 >/dev/null
RECHECK=no tenon run //:main
is "$CODE $(stdout)" "0 42" "a tag that moved changes nothing here"
rm -rf .tenon "$XDG_CACHE_HOME/tenon/git"
resolved . deps.edn
expect_fail 2 build
like "$(stderr)" 'the tag v2 is another revision than :git/sha says' "and elsewhere it is an error, not another program"

# What is wrong.
sed -i "s/$one/${one//[0-9]/0}/" deps.edn
resolved . deps.edn
expect_fail 2 build
like "$(stderr)" 'has no revision' "a revision that is not there"
echo "{:deps {my/lib {:git/url \"file://$T_WORK/w/nowhere\" :git/sha \"${one//[0-9]/1}\"}}}" >deps.edn
resolved . deps.edn
expect_fail 3 build
like "$(stderr)" "library lib can.t be had from file://" "a repository that is not there"
expect_fail 3 build --offline
like "$(stderr)" 'was not fetched yet' "--offline fetches nothing"
done_testing
