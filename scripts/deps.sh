#!/bin/sh
# Installs the Debian packages that a group of work needs and that are missing.
#
#     scripts/deps.sh build|check|demo|bench|lint|fuzz
#
# As root it runs apt-get; as anyone else it prints the command to run and fails. Needs nothing when all are there.
set -eu

build='gcc libc6-dev meson ninja-build pkg-config libuv1-dev libssl-dev libsqlite3-dev'
lisp='sbcl cl-alexandria cl-cxml cl-hunchentoot cl-ironclad cl-ppcre'
# What every system below has in common is that it is in Debian 12 and installs together with the others.
corpus='
cl-abnf cl-acl-compat cl-agnostic-lizard cl-alexandria cl-anaphora cl-asdf cl-asdf-finalizers cl-asdf-flv
cl-asdf-system-connections cl-aserve cl-babel cl-base64 cl-bordeaux-threads cl-brlapi cl-cffi cl-chipz
cl-chunga cl-closer-mop cl-closure-common cl-cluck cl-clx-sbcl cl-command-line-arguments cl-consfigurator
cl-containers cl-contextl cl-csv cl-curry-compose-reader-macros cl-cxml cl-daemon cl-db3 cl-drakma
cl-dynamic-classes cl-esrap cl-fad cl-fftw3 cl-fiasco cl-fiveam cl-flexi-streams cl-ftp cl-garbage-pools
cl-getopt cl-github-v3 cl-global-vars cl-graph cl-heredoc cl-htmlgen cl-hunchentoot cl-hyperobject
cl-ieee-floats cl-interpol cl-irc cl-irc-logger cl-ironclad cl-iterate cl-ixf cl-kmrcl cl-launch cl-lml
cl-lml2 cl-local-time cl-log cl-lparallel cl-lw-compat cl-markdown cl-md5 cl-metabang-bind
cl-metatilities-base cl-modlisp cl-mssql cl-mustache cl-named-readtables cl-nibbles cl-osicat cl-parse-number
cl-pg cl-photo cl-pipes cl-plus-ssl cl-postgres cl-postmodern cl-ppcre cl-ppcre-unicode cl-ptester cl-pubmed
cl-puri cl-py-configparser cl-qmynd cl-quri cl-regex cl-reversi cl-rfc2388 cl-rss cl-rt cl-s-sql cl-salza2
cl-simple-date cl-speech-dispatcher cl-split-sequence cl-sql cl-sql-aodbc cl-sql-mysql cl-sql-odbc
cl-sql-postgresql cl-sql-postgresql-socket cl-sql-sqlite3 cl-sql-tests cl-sql-uffi cl-sqlite cl-swank
cl-trivial-backtrace cl-trivial-features cl-trivial-garbage cl-trivial-gray-streams
cl-trivial-macroexpand-all cl-trivial-utf-8 cl-uax-15 cl-uffi cl-uffi-tests cl-unicode cl-usocket
cl-utilities cl-uuid cl-webactions cl-who cl-xlunit cl-xmls cl-xptest cl-yason cl-zip cl-zpb-ttf cl-zs3
'

case ${1-} in
build) wanted=$build ;;
check) wanted="$build $lisp cl-cffi cl-postmodern cl-fiveam cl-rt procps" ;;
demo) wanted="$build $lisp time" ;;
bench) wanted="$build sbcl time $corpus" ;;
lint) wanted='clang-format clang-tidy cppcheck' ;;
fuzz) wanted="$build clang libclang-rt-14-dev" ;;
*)
	echo "usage: scripts/deps.sh build|check|demo|bench|lint|fuzz" >&2
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
