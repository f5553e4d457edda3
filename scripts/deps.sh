#!/bin/sh
# Installs the Debian packages that a group of work needs and that are missing.
#
#     scripts/deps.sh build|check|check-all|demo|bench|lint|fuzz
#
# As root it runs apt-get; as anyone else it prints the command to run and fails. Needs nothing when all are there.
set -eu

build='gcc libc6-dev meson ninja-build pkg-config libuv1-dev libssl-dev libsqlite3-dev zlib1g-dev
	libcurl4-openssl-dev libexpat1-dev'
lisp='sbcl cl-alexandria cl-cxml cl-hunchentoot cl-ironclad cl-ppcre cl-puri'
tested='cl-anaphora cl-asdf-finalizers cl-base64 cl-cffi cl-clx-sbcl cl-esrap cl-fiveam cl-flexi-streams cl-kmrcl
	cl-lparallel cl-named-readtables cl-nibbles cl-osicat cl-plus-ssl cl-postmodern cl-ptester cl-puri cl-rt
	cl-split-sequence cl-sql cl-trivial-features cl-uax-15 cl-unicode libcommons-lang3-java'
clojure='clojure git openjdk-17-jdk-headless unzip libclojure-java libcore-async-clojure libcore-cache-clojure
	libcore-memoize-clojure libcore-specs-alpha-clojure libdata-priority-map-clojure libhiccup-clojure
	libinstaparse-clojure libmedley-clojure libnrepl-clojure libspec-alpha-clojure libtools-analyzer-clojure
	libtools-analyzer-jvm-clojure libtools-cli-clojure libtools-deps-clojure libtools-reader-clojure'
clojure_more='libcheshire-clojure libcompojure-clojure libcore-match-clojure libencore-clojure libhoneysql-clojure
	libkitchensink-clojure libnippy-clojure libpotemkin-clojure libprismatic-schema-clojure libring-core-clojure
	libtrapperkeeper-clojure maven'
# Leiningen, and the libraries of puppetdb, which itself is looked into and never installed.
clojure_bench='leiningen libat-at-clojure libbidi-clojure libclj-digest-clojure libclj-http-clojure libclj-stacktrace-clojure
	libclj-time-clojure libcommons-io-java libcommons-lang3-java libcommons-logging-java libdujour-version-check-clojure
	libdynapath-clojure libfast-zip-visit-clojure libgeronimo-j2ee-management-1.1-spec-java
	libgeronimo-jms-1.1-spec-java libhikaricp-java libjava-jdbc-clojure libjava-jmx-clojure
	libmath-combinatorics-clojure libmetrics-clojure libmurphy-clojure libpostgresql-jdbc-java
	libpuppetlabs-i18n-clojure libraynes-fs-clojure librobert-hooke-clojure libslf4j-java libspecter-clojure
	libstockpile-clojure libstructured-logging-clojure libtools-logging-clojure libtools-macro-clojure
	libtools-namespace-clojure libtrapperkeeper-authorization-clojure libtrapperkeeper-metrics-clojure
	libtrapperkeeper-scheduler-clojure libtrapperkeeper-status-clojure libtrapperkeeper-webserver-jetty9-clojure
	libversioneer-clojure'
corpus=$(grep '^cl-' "$(dirname "$0")/../t/corpus.txt")

case ${1-} in
build) wanted=$build ;;
check) wanted="$build $lisp $tested $clojure mount procps python3 util-linux" ;;
demo) wanted="$build $lisp" ;;
check-all) wanted="$build $clojure $clojure_more python3 sbcl zip $corpus" ;;
bench) wanted="$build $clojure $clojure_more $clojure_bench python3 sbcl zip $corpus" ;;
lint) wanted='clang-format clang-tidy cppcheck' ;;
fuzz) wanted="$build clang libclang-rt-14-dev" ;;
*)
	echo "usage: scripts/deps.sh build|check|check-all|demo|bench|lint|fuzz" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "not Debian: packages are not looked at; needed are (by Debian's names): $wanted" >&2
	exit 0
fi

missing=
for package in $wanted; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "these packages are missing; run: sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# Package lists may be absent or old; asking for new ones is needed only then.
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing >/dev/null ||
	{ apt-get update -q && apt-get install -y -q --no-install-recommends $missing; }
