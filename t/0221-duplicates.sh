#!/bin/bash
# Two definitions of one system: the one that ASDF takes is built, and people are told of the other.
# seconds: 15
. "$(dirname "$0")/lib.sh"
need sbcl

top=$PWD/libs
mkdir -p libs/one libs/two/below libs/three project
for folder in one two two/below three; do
	(
		cd "libs/$folder"
		system lib lib
		lisp lib.lisp <<-END
			(defun lib () "$folder")
		END
	)
done
cd project
system app app
sed -i 's/:serial/:depends-on ("lib") :serial/' app.asd
lisp app.lisp <<-'END'
	(defun app () (lib))
END

# by_asdf: what ASDF itself makes of it.
by_asdf() {
	sbcl --noinform --no-sysinit --no-userinit --disable-debugger --eval '(require :asdf)' \
		--eval '(handler-bind ((warning (function muffle-warning))) (asdf:load-system "app"))' \
		--eval '(format t "~&~S~%" (app))' --quit 2>/dev/null | tail -n 1
}
# registered FORM...: app is built with this registry, like ASDF does, and LIBS (first the one that is used) are named.
registered() {
	export CL_SOURCE_REGISTRY="(:source-registry $* (:directory \"$PWD/\") :ignore-inherited-configuration)"
	build_ok app
	local expected
	expected=$(by_asdf)
	is "$expected" "\"${LIBS%% *}\"" "ASDF takes ${LIBS%% *}"
	like "$(stderr)" "note: system \"lib\" is defined in \"$top/${LIBS%% *}/lib.asd\" and in .*\"$top/${LIBS##* }/lib.asd\"" \
		"a note names both"
	eval_is '(app)' "$expected" "so does tenon" --module app
	unlike "$(stderr)" "is defined in" "the note is told once"
}
LIBS="two one" registered "(:directory \"$top/two/\") (:directory \"$top/one/\")"
LIBS="one two" registered "(:directory \"$top/one/\") (:directory \"$top/two/\")"
LIBS="two two/below" registered "(:tree \"$top/two/\")"
build_ok --verbose app
unlike "$(stderr)" "three" "what is nowhere ASDF looks is not told of"

# A link to the same file is no other definition.
mkdir "$top/links"
ln -s ../one/lib.asd "$top/links/lib.asd"
export CL_SOURCE_REGISTRY="(:source-registry (:directory \"$top/one/\") (:directory \"$top/links/\") (:directory \"$PWD/\") :ignore-inherited-configuration)"
build_ok app
unlike "$(stderr)" "is defined in" "a link to a file is that file"

# Two files that are both read define a third system.
for folder in one two; do
	(
		cd "$top/$folder"
		system "in-$folder"
		system shared shared
		cat shared.asd >>"in-$folder.asd"
		rm shared.asd
		lisp shared.lisp <<-END
			(defun app () "$folder")
		END
	)
done
export CL_SOURCE_REGISTRY="(:source-registry (:directory \"$top/one/\") (:directory \"$top/two/\") (:directory \"$PWD/\") :ignore-inherited-configuration)"
cat >app.asd <<-'END'
	(asdf:defsystem "app" :depends-on ("in-one" "in-two" "shared"))
END
build_ok app
like "$(stderr)" "note: system \"shared\" is defined in \"$top/one/in-one.asd\" and in \"$top/two/in-two.asd\": the first is used" \
	"a note names both"
eval_is '(app)' "$(by_asdf)" "tenon does as ASDF does" --module app
done_testing
