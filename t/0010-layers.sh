#!/bin/sh
# Every #include "x/y.h" goes down (see LAYERS), names a header that is there, and every header compiles alone.
# Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
count=0
failed=0

ok() { # NAME FILE-OF-COMPLAINTS
	count=$((count + 1))
	if [ -s "$2" ]; then
		failed=$((failed + 1))
		echo "not ok $count - $1"
		sed 's/^/#   /' "$2"
	else
		echo "ok $count - $1"
	fi
}

# Reads LAYERS, then "FILE:LINE:FOLDER/HEADER" lines; complains about what goes up or sideways.
cat >"$scratch/judge.awk" <<'AWK'
FNR == NR {
	sub(/#.*/, "")
	if ($1 == "allow")
		allowed[$2, $3] = 1
	else if (NF == 2)
		floor[$2] = $1
	next
}
{
	split($0, part, ":")
	n = split(part[1], path, "/")
	from = path[n - 1]
	split(part[3], target, "/")
	to = target[1]
	where = part[1] ":" part[2] ": "
	if (!(from in floor))
		print where "folder \"" from "\" has no floor in LAYERS"
	else if (!(to in floor))
		print where "folder \"" to "\" has no floor in LAYERS"
	else if (floor[to] > floor[from])
		print where from " (floor " floor[from] ") includes \"" part[3] "\" of floor " floor[to]
	else if (floor[to] == floor[from] && to != from && !((from, to) in allowed))
		print where from " includes \"" part[3] "\" of its neighbour; LAYERS has no \"allow " from " " to "\""
}
AWK

includes() { # FOLDER
	find "$1" -name '*.[ch]' | LC_ALL=C sort | xargs grep -nH '^[ \t]*#[ \t]*include[ \t]*"' |
		sed -n 's/^\([^:]*:[0-9]*\):[^"]*"\([^"]*\)".*/\1:\2/p'
}

includes src >"$scratch/includes"
[ -s "$scratch/includes" ] || echo "no #include was found in src" >"$scratch/none"
touch "$scratch/none"
ok "#include lines are found" "$scratch/none"

awk -f "$scratch/judge.awk" LAYERS "$scratch/includes" >"$scratch/bad"
ok "every #include goes down" "$scratch/bad"

# The check itself: a file that includes upward and one that includes a neighbour must be found out.
mkdir -p "$scratch/wrong/base" "$scratch/wrong/os" "$scratch/wrong/wire" "$scratch/wrong/attic"
echo '#include "os/fs.h"' >"$scratch/wrong/base/a.c"
echo '#include "os/fs.h"' >"$scratch/wrong/wire/b.c"
echo '#include "wire/frame.h"' >"$scratch/wrong/os/c.c"
echo '#include "base/str.h"' >"$scratch/wrong/attic/d.c"
includes "$scratch/wrong" | awk -f "$scratch/judge.awk" LAYERS - | sed "s,^$scratch/wrong/,," | cut -d: -f1 | LC_ALL=C sort >"$scratch/found"
printf 'attic/d.c\nbase/a.c\nwire/b.c\n' | diff - "$scratch/found" >"$scratch/diff"
ok "wrong includes are found out, allowed ones are not" "$scratch/diff"

while IFS=: read -r file line header; do
	[ -f "src/$header" ] || echo "$file:$line: there is no src/$header"
done <"$scratch/includes" >"$scratch/missing"
ok "every included header is there" "$scratch/missing"

: >"$scratch/guards"
for header in $(find src -name '*.h' ! -name banned.h | LC_ALL=C sort); do
	name=${header#src/}
	echo "#include \"$name\"" >"$scratch/alone.c"
	# Included twice, so that a missing guard is seen.
	echo "#include \"$name\"" >>"$scratch/alone.c"
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-variable \
		-fsyntax-only "$scratch/alone.c" 2>"$scratch/log"
	[ $? -eq 0 ] && : >"$scratch/log"
	ok "$name compiles alone" "$scratch/log"
	guard=TENON_$(echo "${name%.h}_H" | tr 'a-z/-' 'A-Z__')
	grep -q "^#ifndef $guard\$" "$header" || echo "$header: the guard is not $guard" >>"$scratch/guards"
done
ok "guards are named after their files" "$scratch/guards"

for file in $(find src tools -name '*.c' | LC_ALL=C sort); do
	case $file in
	*_test.c | src/cli/main.c | tools/*) continue ;;
	esac
	lines=$(wc -l <"$file")
	[ "$lines" -le 1500 ] || echo "$file has $lines lines: it has outgrown one subject"
done >"$scratch/long"
ok "no source file has more than 1500 lines" "$scratch/long"

echo "1..$count"
[ "$failed" -eq 0 ]
