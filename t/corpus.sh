# Real systems built by tenon and by ASDF. Read after lib.sh.

# asdf_table FILE SYSTEM...: what ASDF makes of them, see scripts/corpus.sh. No system: all that are installed.
asdf_table() {
	local file=$1
	shift
	[ $# = 0 ] || set -- --only "$@"
	"$T_ROOT/scripts/corpus.sh" "$file" --jobs "${CORPUS_JOBS-2}" "$@" >"$T_WORK/corpus.out" 2>&1 ||
		{ fail "ASDF's side of the corpus"; diag_file "$T_WORK/corpus.out"; }
}

# corpus_system SYSTEM: tenon builds it, strictly or with --lax; loads it in a process of its own.
corpus_system() {
	local system=$1 how=
	RECHECK=${RECHECK-yes} tenon build "$system"
	if [ "$CODE" != 0 ]; then
		cp "$T_ERR" "$T_WORK/strict.err"
		how=" with --lax"
		tenon build --lax "$system"
	fi
	if [ "$CODE" = 0 ]; then
		pass "$system is built$how"
		[ -z "$how" ] || diag "strictly it is not: $(head -n 3 "$T_WORK/strict.err" | tr '\n' ' ' | cut -c1-300)"
	else
		fail "$system is built, as ASDF does"
		diag "exit code $CODE"
		diag_file "$T_ERR" 20
		return 1
	fi
	tenon eval --module "$system" ${how:+--lax} "(and (asdf:component-loaded-p \"$system\") :loaded)"
	case "$CODE $(tail -n 1 "$T_OUT")" in
	"0 :LOADED") pass "$system is loaded from its FASLs" ;;
	*)
		fail "$system is loaded from its FASLs"
		diag "exit code $CODE, $(tail -n 3 "$T_OUT")"
		diag_file "$T_ERR" 20
		;;
	esac
}
