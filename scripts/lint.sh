#!/bin/sh
# Format, clang-tidy and cppcheck over all sources; fails if any has something to say.
#
#     scripts/lint.sh BUILD-FOLDER
set -eu
cd "$(dirname "$0")/.."
build=$1
status=0
find src tools fuzz -name '*.[ch]' | LC_ALL=C sort >"$build/lint.list"
xargs clang-format --dry-run -Werror <"$build/lint.list" || status=1
checks='-*,bugprone-*,clang-analyzer-*,performance-*,portability-*,misc-redundant-expression,misc-unused-parameters'
# Wrong in clang 14: it does not see va_start when it analyses several files in one run.
checks="$checks,-clang-analyzer-valist.Uninitialized"
# Off: they object to idioms of this code (short names, macros of types, memcpy itself) and find no mistakes.
checks="$checks,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-macro-parentheses"
checks="$checks,-bugprone-narrowing-conversions,-bugprone-assignment-in-if-condition,-bugprone-sizeof-expression"
checks="$checks,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling"
checks="$checks,-performance-no-int-to-ptr,-bugprone-suspicious-include,-bugprone-branch-clone"
scripts/sources.sh all | grep '\.c$' | xargs -P "$(nproc)" -n 4 \
	clang-tidy -p "$build" --quiet --checks="$checks" --warnings-as-errors='*' || status=1
cppcheck --std=c11 --language=c -Isrc -D_GNU_SOURCE --enable=warning,performance,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --error-exitcode=1 --quiet \
	-j "$(nproc)" src tools fuzz || status=1
exit $status
