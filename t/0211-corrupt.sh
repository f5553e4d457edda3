#!/bin/bash
# Damaged, cut and emptied files of the store and of the workspace's state: found, and built again.
# seconds: 60
# timeout: 600
. "$(dirname "$0")/lib.sh"
need sbcl

small_system
build_ok
want=$(outputs .)
store=$XDG_CACHE_HOME/tenon
ok "the store has blobs" test -n "$(find "$store/cas" -type f -size -100k)"
ok "the store has results" test -n "$(find "$store/ac" -type f)"

# Only files of this test: the functions below take what find gives.
own() { case $1 in "$T_WORK"/* | .tenon/*) [ -f "$1" ] && [ ! -L "$1" ] ;; *) bail "will not damage $1" ;; esac; }
flip() { own "$1" || return; chmod u+w "$1"; printf '\377\000\377' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc 2>/dev/null; }
cut_short() { own "$1" || return; chmod u+w "$1"; truncate -s $(($(stat -c %s "$1") / 2)) "$1"; }
empty() { own "$1" || return; chmod u+w "$1"; : >"$1"; }
remove() { own "$1" || return; rm -f "$1"; }
grow() { own "$1" || return; chmod u+w "$1"; echo more >>"$1"; }

# Outputs are hard links to blobs: they go first, else they would be damaged along with them, which is a case below.
# damage WHAT HOW FILES...: with the outputs gone, the next build gives the right files all the same.
damage() {
	local what=$1 how=$2 file
	shift 2
	rm -rf .tenon/out
	for file; do $how "$file"; done
	tenon build
	is "$CODE $(outputs .)" "0 $want" "$what, $how: the right files come back" || diag_file "$T_ERR"
}
for how in flip cut_short empty remove grow; do
	damage "every small blob" $how $(find "$store/cas" -type f -size -1000k)
done
for how in flip cut_short empty remove grow; do
	damage "every result" $how $(find "$store/ac" -type f)
done
# The base core is a blob too.
rm -rf .tenon/out
for file in $(find "$store/cas" -type f -size +1000k); do cut_short "$file"; done
sed -i 's/21/22/' use.lisp
RECHECK=no tenon build
is "$CODE $(ran)" "0 small:use.lisp" "with the base core cut short a file is compiled all the same" || diag_file "$T_ERR"
# What nothing needed any more is found by verify.
tenon cache verify
ok "then the store verifies" tenon cache verify
sed -i 's/22/21/' use.lisp
tenon build
is "$CODE $(outputs .)" "0 $want" "and the right files come back"

# The files of the workspace's state.
for how in flip cut_short empty remove grow; do
	for file in $(find .tenon -type f ! -path '*/out/*' ! -path '*/log/*' ! -name lock); do $how "$file"; done
	tenon build
	is "$CODE $(outputs .)" "0 $want" "the workspace's state, $how: the right files are there" || diag_file "$T_ERR"
done

# A built file that someone has changed, with its link to the store.
for how in cut_short empty grow; do
	$how "$(find .tenon/out -name use.fasl)"
	tenon build
	is "$CODE $(outputs .)" "0 $want" "a built file, $how: it is put right" || diag_file "$T_ERR"
done

# verify finds what is wrong, and says so by its exit code; then nothing is wrong any more.
cut_short "$(find "$store/cas" -type f -size -100k | head -n 1)"
not_ok "cache verify tells about a damaged blob" tenon cache verify
ok "and has removed it" tenon cache verify
ok "cache stat works" tenon cache stat
build_ok
ok "cache gc works" tenon cache gc --max-size=1M
build_ok
is "$(outputs .)" "$want" "after gc the files are right"
# The same for programs.
field() { "$PYTHON" -c 'import json,sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1" <"$T_OUT"; }
tenon cache stat --format=json
is "$CODE $(field 'd["files"] > 0 and d["file_bytes"] > 0 and d["actions"] > 0')" "0 True" "cache stat as JSON"
tenon cache verify --format=json
is "$CODE $(field 'd["checked"] > 0, d["corrupt"], d["problems"]')" "0 (True, 0, [])" "cache verify as JSON"
tenon cache gc --max-size 1 --format=json
is "$CODE $(field 'd["removed"]["files"] > 0')" "0 True" "cache gc as JSON"
expect_fail 2 cache stat --format=dot
done_testing
