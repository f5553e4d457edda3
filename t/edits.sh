# Tests of rebuilding: read after lib.sh. Every build after an edit is compared, byte for byte, with clean builds of the
# same sources in another folder over another store: among headers, and among FASLs.
#
#     lisp a.lisp <<< '(defun f () 1)'
#     edit 'b c' "a body that a macro calls"     # builds, and says what must have been compiled
#
# The systems of such a test are those of $T_WORK/w. CLEAN: the kinds of clean builds to compare with.
CLEAN='headers fasls'
E_CLEAN=$T_WORK/clean

# A store with nothing in it but the base core, so that each clean build needn't make that again.
clean_store() {
	if [ ! -d "$E_CLEAN/bare" ]; then
		mkdir -p "$E_CLEAN/first"
		echo '(asdf:defsystem "first" :components ((:file "first")))' >"$E_CLEAN/first/first.asd"
		: >"$E_CLEAN/first/first.lisp"
		"$TENON" build -q -C "$E_CLEAN/first" --store="$E_CLEAN/bare" >"$E_CLEAN/log" 2>&1 </dev/null ||
			bail "no clean store: $(cat "$E_CLEAN/log")"
		rm -f "$E_CLEAN/bare/history.db"
	fi
	rm -rf "$E_CLEAN/store"
	cp -al "$E_CLEAN/bare" "$E_CLEAN/store"
}

# Digests of the FASLs of the sources in folder $1, by name. Those of sources that are gone don't count.
fasls() {
	local source
	for source in "$1"/*.lisp; do
		source=${source##*/}
		(cd "$1/.tenon/out/default$1" && sha256sum "${source%.lisp}.fasl")
	done
}

# same_as_clean NAME: what the last build left is what clean builds leave.
same_as_clean() {
	local kind arguments
	for kind in $CLEAN; do
		case $kind in headers) arguments= ;; fasls) arguments=--no-headers ;; esac
		clean_store
		rm -rf "$E_CLEAN/w"
		mkdir "$E_CLEAN/w"
		tar -c --exclude=./.tenon . | tar -x -C "$E_CLEAN/w"
		if ! "$TENON" build -q $arguments $E_ARGUMENTS -C "$E_CLEAN/w" --store="$E_CLEAN/store" \
			>"$E_CLEAN/log" 2>&1 </dev/null; then
			fail "$1: a clean build among $kind"
			diag_file "$E_CLEAN/log"
			return 1
		fi
		fasls "$T_WORK/w" >"$E_CLEAN/have"
		fasls "$E_CLEAN/w" >"$E_CLEAN/want"
		if ! cmp -s "$E_CLEAN/have" "$E_CLEAN/want"; then
			fail "$1: the bytes of a clean build among $kind"
			diag "$(diff "$E_CLEAN/have" "$E_CLEAN/want")"
			return 1
		fi
	done
	pass "$1: the bytes are those of clean builds"
}

# The names of the files that the last build compiled, without folders and types, in one line.
compiled() { ran | sed 's,.*[:/],,; s,\.lisp$,,' | LC_ALL=C sort | paste -sd ' '; }

# edit WANT NAME: builds; just the files WANT ("*": whatever) are compiled.
E_ARGUMENTS=
edit() {
	local want=$1 name=$2 got
	# shellcheck disable=SC2086
	RECHECK=no tenon build $E_ARGUMENTS
	if [ "$CODE" != 0 ]; then
		fail "$name: it builds"
		diag_file "$T_ERR"
		return 1
	fi
	got=$(compiled)
	if [ "$want" != '*' ]; then
		is "$got" "$want" "$name: compiled are: $want"
	fi
	same_as_clean "$name"
}

# explained REGEX NAME: a line of `tenon explain` is like that.
explained() {
	RECHECK=no tenon explain
	like "$(stdout)" "$1" "$2"
}

# fresh FILE...: the system `small` with these files, each depending on the one before, and nothing else, built never.
# The store starts with the base core alone.
fresh() {
	cd "$T_WORK/w" || bail "no folder"
	find . -mindepth 1 -maxdepth 1 -exec rm -r {} +
	clean_store
	rm -rf "$XDG_CACHE_HOME/tenon"
	cp -al "$E_CLEAN/bare" "$XDG_CACHE_HOME/tenon"
	system small "$@"
}

# parts FILE[:FILE,FILE...]...: the same with dependencies in place of a series: each file on those behind its colon.
parts() {
	local part name
	fresh
	{
		echo '(asdf:defsystem "small" :components ('
		for part; do
			name=${part%%:*}
			printf '  (:file "%s" :depends-on (' "$name"
			[ "$part" = "$name" ] || printf '"%s" ' $(echo "${part#*:}" | tr , ' ')
			echo '))'
		done
		echo '))'
	} >small.asd
}

# change FILE OLD NEW: in place of the text OLD, which must be there, NEW.
change() {
	"$PYTHON" - "$@" <<-'END' || bail "the test's own error: \"$2\" is not in $1"
		import sys
		path, old, new = sys.argv[1:]
		text = open(path, encoding="utf-8").read()
		if old not in text:
		    sys.exit(1)
		open(path, "w", encoding="utf-8").write(text.replace(old, new))
	END
}
