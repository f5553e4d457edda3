#!/bin/bash
# A function that comes, goes, or is another one: seen by those files whose compile looked it up, there or not.
# seconds: 40
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

add() { echo "$2" >>"$1.lisp"; }
remove() { sed -i "/$2/d" "$1.lisp"; }

# -- calls --
fresh util user other
lisp util.lisp <<<'(defun there (x) (list x))'
lisp user.lisp <<'E'
(defun user (x) (there x))
(defun missing-one (x) (missing x))
(defun setter (x) (setf (place x) 1))
(defun mapper (x) (mapcar (function mapped) x))
E
lisp other.lisp <<<'(defun other (x) (list x x))'
edit 'other user util' "a first build"
add util '(defun unheard-of (x) (list x 1))'
edit 'util' "a function that nobody calls"
explained 'other.lisp: not recompiled: function "unheard-of" in "util.lisp" is new, and this file looks up no such function' \
	"explained"
add util '(defun missing (x) (list x 1))'
edit 'user util' "a function that was missing"
explained 'user.lisp: compiled because function "missing" in "util.lisp" is new and this file looks it up' "explained"
unlike "$(stderr)" 'undefined function: [^ ]*MISSING' "and not called undefined any more"
change util.lisp '(defun missing (x)' '(defun missing (x y)'
edit 'user util' "other arguments"
like "$(stderr)" 'called with one argument' "which is told"
explained 'user.lisp: compiled because function "missing" in "util.lisp" is another one and this file looks it up' \
	"explained"
remove util 'defun missing'
edit 'user' "and gone again" # the file is in the store as it was
explained 'user.lisp: compiled because function "missing" in "util.lisp" is gone and this file looks it up' "explained"
add util '(defun (setf place) (new x) (setf (car x) new))'
edit 'user util' "a function for SETF"
add util '(defun mapped (x) (list x))'
edit 'user util' "a function that is mentioned"
change other.lisp '(list x x)' '(list (unheard-of x) x)'
edit 'other' "a new call of a new function"

# -- not only ordinary functions --
add util '(declaim (inline mapped))'
edit 'user util' "declared inline afterwards"
remove util 'declaim (inline mapped'
edit '*' "and not any more"
add util '(declaim (inline small))(defun small (x) (list x))'
edit 'util' "an inline function that nobody calls"
change other.lisp "(list (unheard-of x) x)" "(small x)"
edit 'other' "a call of it"
change util.lisp '(defun small (x) (list x))' '(defun small (x) (list x x))'
edit 'other util' "its body"
change util.lisp '(declaim (inline small))' '(declaim (inline small) (ftype (function (t) list) small))'
edit 'other util' "a type is declared, too"
add util '(declaim (ftype (function (t) list) there))'
edit 'user util' "a declared type"
add util '(defgeneric generic (x))'
edit 'other user util' "a generic function counts for all"

# -- questions --
fresh base asks user
lisp base.lisp <<<'(defun base (x) (list x))'
lisp asks.lisp <<'E'
(defmacro if-there (name x) (if (fboundp name) (list name x) x))
(defmacro if-symbol (name x) (if (find-symbol name) (list 'list x) x))
(defmacro if-defined (name x) (if (ignore-errors (fdefinition name)) (list 'list x) x))
(defmacro if-called (name x) (if (ignore-errors (funcall name 1)) (list 'list x) x))
(defmacro how-many (x) `(list ,x ,(let ((n 0)) (do-symbols (s *package* n) (when (fboundp s) (incf n))))))
(defmacro arguments (name) `',(ignore-errors (sb-kernel:%fun-lambda-list (fdefinition name))))
(deftype checked () '(satisfies checked-p))
E
echo ';; Nothing.' >user.lisp
edit 'asks base user' "a first build"
n=0
# asked FORM FUNCTION: a file with FORM is compiled again when FUNCTION comes, and when it goes; any other leaves it.
asked() {
	n=$((n + 1))
	lisp user.lisp <<<"$1"
	edit 'user' "$n: $1"
	case $1 in *how-many*) ;; *)
		add base "(defun nobody-$n (x) (list x))"
		edit 'base' "$n: a function that it doesn't ask for"
		;;
	esac
	add base "$2"
	edit "${3:-base user}" "$n: one that it asks for"
	sed -i '$d' base.lisp
	edit '*' "$n: which goes"
}
asked '(defun user (x) (if-there one x))' '(defun one (x) (list x))'
asked '(defun user (x) (if-symbol "TWO" x))' '(defun two (x) (list x))'
asked '(defun user (x) (if-defined three x))' '(defun three (x) (list x))'
asked '(defun user (x) (if-called four x))' '(defun four (x) (list x))'
asked '(defun user (x) (how-many x))' '(defun any (x) (list x))'
asked '(defun user () (arguments five))' '(defun five (x) (list x))'
asked '(defun user () #.(if (fboundp (quote six)) 1 2))' '(defun six (x) (list x))'
asked '(macrolet ((local () (if (fboundp (quote seven)) 1 2))) (defun user () (local)))' '(defun seven (x) (list x))'
asked '(macrolet ((local () (if (every (function fboundp) (quote (eight base))) 1 2))) (defun user () (local)))' \
	'(defun eight (x) (list x))'
asked '(defun user () (typep 3 (quote checked)))' '(defun checked-p (x) (integerp x))' \
	'asks base user' # the type names it
asked '(defun user () #.(funcall (compile nil (quote (lambda () (if (fboundp (quote nine)) 1 2))))))' \
	'(defun nine (x) (list x))'

# -- what a header asks reaches those behind it --
fresh base middle user
lisp base.lisp <<<'(defun base (x) (list x))'
lisp middle.lisp <<'E'
(defconstant +there+ (if (fboundp 'looked-for) 1 2))
(defmacro value () (if (fboundp 'looked-for) 1 2))
E
lisp user.lisp <<<'(defun user () (list +there+))'
edit 'base middle user' "a first build"
add base '(defun not-looked-for (x) (list x))'
edit 'base' "a function that no header asks for"
add base '(defun looked-for (x) (list x))'
edit 'base middle user' "one that a header asks for"
remove base 'defun looked-for'
edit '*' "which goes"

# -- names that clash --
fresh base middle user
lisp base.lisp <<<'(defun base (x) (list x))'
lisp middle.lisp <<'E'
(defun again (x) (list x))
(defstruct thing (part 1))
E
lisp user.lisp <<<'(defun user () (list (thing-part (make-thing)) (again 1)))'
edit 'base middle user' "a first build"
add base '(defun again (x y) (list x y))'
edit '*' "a function that another file defines, too"
add base '(defun thing-part (x y) (list x y))'
edit '*' "an accessor that is a function before"
remove base 'defun again'
edit '*' "and less of it"
lisp middle.lisp <<'E'
(defgeneric again (x))
(defmethod again (x) (list x))
(defstruct thing (part 1))
E
edit '*' "a generic function in its place"
add base '(defun again (x) (list x))'
RECHECK=no tenon build
is "$CODE" 1 "a function where another file has a generic one: it fails, as it does from nothing"
like "$(stderr)" 'AGAIN already names an ordinary function' "and is named"
remove base 'defun again'
edit '*' "without it, it builds"

# -- only in what is below --
parts one two:one three:one
lisp one.lisp <<<'(defun one (x) (list x))'
lisp two.lisp <<<'(defun two (x) (list x))'
lisp three.lisp <<<'(defun three (x) (elsewhere x))'
edit 'one three two' "a first build"
add two '(defun elsewhere (x) (list x))'
edit 'two' "a function in a file that it doesn't depend on"
add one '(defun elsewhere (x) (list x))'
edit '*' "and in one that it depends on"

# -- a header that was refused for want of a function --
fresh base middle user
lisp base.lisp <<<'(defun base (x) (list x))'
lisp middle.lisp <<<'(defvar *middle* (wanted 1))'
lisp user.lisp <<<'(defun user () *middle*)'
RECHECK=no tenon build
is "$CODE" 1 "a function that is called while files are loaded is missing"
add base '(defun wanted (x) (list x))'
edit '*' "it comes"
change base.lisp '(defun base (x) (list x))' '(defun base (x) (list x 1))'
edit 'base' "and the header is there"

done_testing
