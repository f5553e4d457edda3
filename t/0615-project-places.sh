#!/bin/bash
# Errors of a project without a BUILD file name the file that people wrote.
# timeout: 900
# seconds: 20
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/clojure.sh"
need openjdk-17-jdk-headless libclojure-java libspec-alpha-clojure libcore-specs-alpha-clojure

mkdir -p src/app
echo '{:paths ["src"]}' >deps.edn
resolved . deps.edn
echo '(ns app.core) (defn f [] (undefined-thing))' >src/app/core.clj
expect_fail 1 build
like "$(stderr)" '^deps.edn: error: //:lib \(app.core\) failed' "a target that fails is one of deps.edn"
unlike "$(stderr)" '\bBUILD\b' "no BUILD file is named"
echo '(ns app.core)' >src/app/core.clj
expect_fail 2 build //:lub
like "$(stderr)" 'there is no target "//:lub": deps.edn does not declare it' "a target that is not there"
expect_fail 2 build //foo:lub
unlike "$(stderr)" '\bBUILD\b' "a folder that is not there"
mkdir foo
expect_fail 2 build //foo:lub
echo '(defproject app "1" :dependencies [[org.clojure/clojure "1"]] :source-paths ["src"])' >project.clj
rm -r deps.edn .tenon
resolved . project.clj
echo '(ns app.core) (defn f [] (undefined-thing))' >src/app/core.clj
expect_fail 1 build
like "$(stderr)" '^project.clj: error: //:lib \(app.core\) failed' "likewise project.clj"
unlike "$(stderr)" '\bBUILD\b' "no BUILD file is named"

# A file that is there is named with the place.
rm -r .tenon project.clj
touch WORKSPACE
echo '(genrule :name "a" :out "a" :cmd "false")' >BUILD
expect_fail 1 build
like "$(stderr)" '^BUILD:1:1: error: ' "a BUILD file that is there is named"
done_testing
