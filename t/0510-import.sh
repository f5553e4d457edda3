#!/bin/bash
# tenon import: what is wrong with a description is told before anything is fetched or written.
. "$(dirname "$0")/lib.sh"

mkdir -p src && echo '(ns app)' >src/app.clj
expect_fail 2 import deps
like "$(stderr)" 'deps.edn' "no deps.edn: it is named"

echo '{:deps {x/y {:git/url "u" :git/sha "s"}}}' >deps.edn
expect_fail 2 import deps
like "$(stderr)" 'deps.edn:1:9: error: x/y needs a :git.sha of 40 hex' "a Git dependency: place"
like "$(stderr)" '40 hexadecimal digits' "a Git dependency: what to do"

echo '{:deps {x/y {:mvn/version "1"}' >deps.edn
expect_fail 2 import deps
like "$(stderr)" 'deps.edn:1:8: error: "\{" is never closed' "an open bracket: place"

echo '(defproject a "1" :dependencies [[x ~v]])' >project.clj
expect_fail 2 import lein
like "$(stderr)" 'project.clj:1:37: .*computed' "a computed value: place"
like "$(stderr)" 'lein pom' "a computed value: what to do"

echo '<project><artifactId>a</project>' >pom.xml
expect_fail 2 import pom
like "$(stderr)" 'pom.xml:1:' "broken XML: place"

expect_fail 2 import maven
like "$(stderr)" "must be 'deps', 'lein' or 'pom'" "an unknown kind of description"

echo '{:deps {org.clojure/clojure {:mvn/version "1.11.1"}}}' >deps.edn
path=$PATH
PATH=/nowhere expect_fail 3 import deps
PATH=$path
like "$(stderr)" '"mvn" is not in PATH' "no Maven: said"

echo '{:version 1 :from "deps.edn"}' >deps.lock
expect_fail 2 import deps
like "$(stderr)" 'deps.lock:1:1: ' "a lock that is none"
ok "nothing was written" test ! -e BUILD -a ! -e lib -a ! -e WORKSPACE
done_testing
