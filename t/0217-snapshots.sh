#!/bin/bash
# Images that outlive a build: who saves one and who starts from it, that the results are the same bytes, and that no
# damage to a snapshot, and no death of the process that saves it, is more than a loss of time.
# seconds: 60
# timeout: 900
. "$(dirname "$0")/lib.sh"
need sbcl

store=$T_WORK/cache/tenon
lib=$T_WORK/lib
mkdir "$lib"

# A library outside of the workspace whose headers take 0.1 s each.
slow() {
	lisp "$lib/$1.lisp" <<-END
		(defpackage #:lib-$1 (:use #:common-lisp) (:export #:value #:with-value))
		(in-package #:lib-$1)
		(eval-when (:compile-toplevel :load-toplevel :execute)
		  (let ((end (+ (get-internal-run-time) (floor internal-time-units-per-second 10))))
		    (loop until (> (get-internal-run-time) end))))
		(defun value () ${2-1})
		(defmacro with-value ((name) &body body) \`(let ((,name (value)) (#:other 1)) ,@body))
		${3-}
	END
}
(cd "$lib" && system lib a b c d)
for file in a b c d; do slow $file; done
DEPENDS=lib system own first second
lisp first.lisp <<-'END'
	(defpackage #:own (:use #:common-lisp) (:export #:answer))
	(in-package #:own)
	(defmacro twice (form) `(let ((value ,form)) (* 2 value)))
END
second() {
	lisp second.lisp <<-END
		(in-package #:own)
		(lib-a:with-value (x) (defun unused () (list x '#.(gensym) (gensym "A"))))
		(defun answer () (lib-d:with-value (x) (twice (+ x $1))))
	END
}
second 20

build() { build_ok --verbose --registry "(:tree \"$lib/\")" "$@"; }
texts() { logged "$T_LOG" texts; }
fasl() { find .tenon/out -name second.fasl; }
snapshots() { find "$store/snapshots" -type f 2>/dev/null | wc -l; }

# The file of the snapshot that was used last.
core() {
	local key hex
	key=$(ls -t "$store/snapshots" | grep -v unfit | head -n 1)
	hex=$(sed -n 's/^core //p' "$store/ac/${key:0:2}/$key")
	echo "$store/cas/${hex:0:2}/$hex"
}

# The FASL is the one that a build has which knows nothing of snapshots.
same_as_fresh() {
	cp "$(fasl)" "$T_WORK/mine.fasl"
	rm -rf .tenon
	RECHECK=no tenon build --no-snapshots --store="$T_WORK/fresh" --registry "(:tree \"$lib/\")"
	same_file "$(fasl)" "$T_WORK/mine.fasl" "$1: the FASL is that of a build without snapshots"
	unlike "$(texts)" 'saved' "and --no-snapshots neither takes nor makes one"
	rm -rf "$T_WORK/fresh" .tenon
}

# -- made behind a build, used by the next --

build
like "$(texts)" 'the image behind .* is being saved' "the image of the libraries is saved"
is "$(snapshots)" 1 "and then it is there"
is "$(find "$store/tmp" -mindepth 1 | sed "s,.*/tmp/,,")" "" "nothing is left in the folder of unfinished files"
second 21
build
expect_ran 1
like "$(texts)" 'starts from a saved image' "an edit starts from it"
unlike "$(texts)" 'being saved' "and saves no other one"
is "$(snapshots)" 1 "one is enough"
eval_is '(own:answer)' 44 "the result is right" --module own --registry "(:tree \"$lib/\")"
same_as_fresh "an edit"
build

# What else is built starts from the base core, in one build with what starts from the snapshot.
system apart one two
lisp one.lisp <<<'(defpackage #:apart (:use #:common-lisp)) (in-package #:apart) (defmacro one () 1)'
lisp two.lisp <<<'(in-package #:apart) (defun two () (+ 1 (one)))'
second 22
build own apart
like "$(texts)" 'starts from a saved image' "one system starts from the snapshot"
eval_is '(apart::two)' 2 "the other one from the base core" --module apart

# -- a library that is another one --

slow b 100
second 23
build
unlike "$(texts)" 'starts from a saved image, [5-9]' "no image with the old library is used"
eval_is '(+ (own:answer) (lib-b:value))' 148 "what comes of it is right" --module own --registry "(:tree \"$lib/\")"
slow b
second 24
build
like "$(texts)" 'starts from a saved image' "with the old content the old image is right again"

# -- damage --

damaged() {
	second "$2"
	build
	eval_is '(own:answer)' "$(((1 + $2) * 2))" "$1: the build is right" --module own --registry "(:tree \"$lib/\")"
	ok "$1: the file is gone" test ! -s "$file" -o "$(stat -c %s "$file" 2>/dev/null)" = "$size"
	unlike "$(texts)" 'starts from a saved image' "$1: no image was started from"
}
again() { second "$1"; build; }
spoil() {
	file=$(core)
	[ -s "$file" ] || bail "there is no snapshot to be damaged"
	size=$(stat -c %s "$file")
	chmod u+w "$file"
}

again 30
spoil
truncate -s 1000000 "$file"
damaged "a snapshot cut short" 31
again 32
spoil
dd if=/dev/urandom of="$file" bs=1M seek=20 count=1 conv=notrunc 2>/dev/null
damaged "a snapshot with other bytes" 33
again 34
spoil
: >"$T_WORK/stamp"
touch -r "$file" "$T_WORK/stamp"
dd if=/dev/zero of="$file" bs=1M count=20 conv=notrunc 2>/dev/null
touch -r "$T_WORK/stamp" "$file"
second 35
build
like "$(texts)" 'starts from a saved image' "one that only fails to start"
eval_is '(own:answer)' 72 "the build is right" --module own \
	--registry "(:tree \"$lib/\")"
again 36
like "$(texts)" 'is being saved' "it is saved anew by the build behind that"
again 37
like "$(texts)" 'starts from a saved image' "and that one can be used"

# -- the process that saves is killed --

# It writes for a few milliseconds: if it wasn't met, it gets another chance.
kill_saver() {
	local pid
	until [ -e "$T_WORK/enough" ]; do
		for pid in $(find /proc -maxdepth 1 -name '[0-9]*' -newer "$T_WORK/stamp" -printf '%f\n' 2>/dev/null); do
			# Not the one that takes the file into the store afterwards: what that leaves, `cache gc` removes.
			if grep -q sbcl "/proc/$pid/comm" 2>/dev/null &&
				ls -l "/proc/$pid/fd" 2>/dev/null | grep -q "$store/tmp/.*image.core"; then
				kill -9 "$pid" && return 0
			fi
		done
	done
	return 1
}
met=no
for n in 40 50 60 70 80 90; do
	rm -f "$store"/snapshots/* "$T_WORK/enough"
	second $n
	touch "$T_WORK/stamp"
	kill_saver & killer=$!
	RECHECK=no build
	touch "$T_WORK/enough"
	wait $killer && met=yes && break
done
is $met yes "a process was met while it was saving"
is "$(snapshots)" 0 "there is no snapshot then"
is "$(find "$store/tmp" -mindepth 1 | sed "s,.*/tmp/,,")" "" "and nothing of it"
again 41
is "$(snapshots)" 1 "the next build saves it"

# The disk is full: the same as no snapshot.
rm -f "$store"/snapshots/*
second 42
WRAP="prlimit --fsize=30000000" build
is "$(snapshots) $(find "$store/tmp" -mindepth 1 | sed "s,.*/tmp/,,")" "0 " "a core that can't be written is given up, and nothing stays"

# -- two at once --

second 43
mkdir "$T_WORK/other" && cp -r ./*.asd ./*.lisp "$T_WORK/other"
(cd "$T_WORK/other" && "$TENON" build --quiet --registry "(:tree \"$lib/\")" own) & other=$!
build
ok "two builds at once, of two workspaces" wait $other

# -- what no file can hold --

rm -f "$store"/snapshots/*
slow c 1 '(defvar *memory* (sb-alien:make-alien sb-alien:int 10)) (setf (sb-alien:deref *memory* 3) 7)'
slow d 1 '(defmacro peek () (sb-alien:deref lib-c::*memory* 3))'
lisp second.lisp <<<'(in-package #:own) (defun answer () (lib-d::peek))'
build
lisp second.lisp <<<'(in-package #:own) (defun answer () (1+ (lib-d::peek)))'
build
lisp second.lisp <<<'(in-package #:own) (defun answer () (+ 2 (lib-d::peek)))'
build
eval_is '(own:answer)' 9 "foreign memory is there when a macro looks at it" --module own \
	--registry "(:tree \"$lib/\")"
lisp second.lisp <<<'(in-package #:own) (defun answer () (+ 3 (lib-d::peek)))'
build
unlike "$(texts)" 'starts from a saved image, [5-9]' "no image that holds it is started from a file"

done_testing
