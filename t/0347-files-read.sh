#!/bin/bash
# Files that macros, #. and loading read: nobody declares them, and editing one compiles what rests on it.
# seconds: 30
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# -- what one file reads for itself, in every way --
fresh macros user other
lisp macros.lisp <<'E'
(defun here (name) (asdf:system-relative-pathname "small" name))
(defmacro data-of (name) (with-open-file (s (here name)) (read s)))
(defmacro text-of (name) (uiop:read-file-string (here name)))
(defmacro there-p (name) (if (probe-file (here name)) :there :absent))
(defmacro forms-of (name) `(progn ,@(uiop:read-file-forms (here name))))
(defmacro names-in (name)
  `',(sort (mapcar #'pathname-name (directory (merge-pathnames "*.txt" (here name)))) #'string<))
(defmacro loaded-from (name) (load (here name)) (symbol-value (intern "*LOADED*" "CL-USER")))
(defmacro or-else (name) (handler-case (uiop:read-file-line (here name)) (error () "none")))
E
lisp user.lisp <<'E'
(defun data () (data-of "data.sexp"))
(defun text () (text-of "text.txt"))
(defun there () (there-p "flag"))
(defun names () (names-in "list/"))
(defun loaded () (loaded-from "load-me.lsp"))
(defun line () (or-else "optional"))
(forms-of "forms.sexp")
E
lisp other.lisp <<'E'
(defun other () (data))
E
sed -i 's/(:file "other" [^)]*)/(:file "other" :depends-on ("macros"))/' small.asd
grep -q '"other" :depends-on ("macros")' small.asd || cat >small.asd <<'E'
(asdf:defsystem "small" :components ((:file "macros") (:file "user" :depends-on ("macros"))
                                     (:file "other" :depends-on ("macros"))))
E
mkdir list
echo 1 >data.sexp
echo one >text.txt
echo '(defun from-forms () 1)' >forms.sexp
echo '(defvar cl-user::*loaded* 1) (setf cl-user::*loaded* 1)' >load-me.lsp
touch list/a.txt
edit 'macros other user' "a first build"
edit '' "nothing changed"
echo 2 >data.sexp
edit 'user' "a file that a macro opens"
explained 'user.lisp: compiled because "data.sexp", which it read while compiling, changed' "explained"
echo two >text.txt
edit 'user' "a file read by UIOP"
sed -i 's/setf cl-user::\*loaded\* 1/setf cl-user::*loaded* 2/' load-me.lsp
edit 'user' "a file that a macro loads"
echo '(defun from-forms () 2)' >forms.sexp
edit 'user' "a file of forms at top level"
touch flag
edit 'user' "a file that was looked for is there"
explained '"flag", which it looked for while compiling, came or went' "explained"
rm flag
edit '' "and gone again: known"
touch list/b.txt
edit 'user' "a file in a folder that was listed"
echo text >list/b.txt
edit '' "the content of a file that was only listed"
echo here >optional
edit 'user' "a file whose absence was handled"
touch data.sexp
edit '' "touched, with the bytes that it had"
mv data.sexp away
RECHECK=no tenon build
is "$CODE" 1 "without the file it fails"
like "$(stderr)" 'data.sexp' "and says which"
mv away data.sexp
edit '' "the file is back: what was built of it is still right"

# -- what stays in images --
fresh macros table user other
lisp macros.lisp <<'E'
(defun here (name) (asdf:system-relative-pathname "small" name))
(defvar *cache* nil)
(defun table () (or *cache* (setf *cache* (uiop:read-file-form (here "table.sexp")))))
(defmacro entry (name) (getf (table) name))
E
lisp table.lisp <<'E'
(defparameter *limits* (uiop:read-file-form (here "limits.sexp")))
(defmacro limit (name) (getf *limits* name))
(defmacro a-entry () '(entry :a))
E
lisp user.lisp <<'E'
(defun limit-of-a () (limit :a))
(defun entry-of-a () (a-entry))
E
lisp other.lisp <<'E'
(defun plus (x) (+ x (entry :b)))
E
echo '(:a 1)' >limits.sexp
echo '(:a 1 :b 2)' >table.sexp
edit 'macros other table user' "a first build"
echo '(:a 2)' >limits.sexp
edit 'other user' "a file that loading a dependency reads"
explained 'user.lisp: compiled because "limits.sexp", which was read while its image was made, changed' "explained"
echo '(:a 2 :b 3)' >table.sexp
edit 'other user' "a file that is read once and remembered"
E_ARGUMENTS=--no-headers
edit '*' "the same among FASLs"
echo '(:a 3)' >limits.sexp
edit 'other user' "a file that loading a FASL reads"
echo '(:a 4 :b 4)' >table.sexp
edit 'other user' "a file that is read once and remembered, among FASLs"
E_ARGUMENTS=

edit 'other user' "and among headers again"

# -- other places: the store serves a copy, whose files are its own --
mkdir "$T_WORK/copy"
tar -c --exclude=./.tenon . | tar -x -C "$T_WORK/copy"
cd "$T_WORK/copy" || bail "no copy"
RECHECK=no tenon build
expect_ran 0
echo '(:a 9)' >limits.sexp
RECHECK=no tenon build
is "$(compiled)" "other user" "in a copy, its own files count"
cd "$T_WORK/w" || bail "no folder"
RECHECK=no tenon build
expect_ran 0

# -- helpers and versions of definitions --
fresh user
cat >small.asd <<'E'
(load (merge-pathnames "helper.lsp" *load-truename*))
(defsystem "small" :version (:read-file-form "version.sexp")
  :long-description #.(uiop:read-file-string (uiop:subpathname *load-truename* "README"))
  :components ((:file "user")))
E
echo '"1.0"' >version.sexp
echo 'read me' >README
echo '(defparameter cl-user::*helper* 1)' >helper.lsp
lisp user.lisp <<'E'
(defun version () #.(asdf:component-version (asdf:find-system "small")))
(defun helper () #.cl-user::*helper*)
E
edit 'user' "a first build"
echo '"1.1"' >version.sexp
edit 'user' "a version that stands in a file"
echo '(defparameter cl-user::*helper* 2)' >helper.lsp
edit 'user' "a helper that the description loads"
echo 'read me again' >README
edit '' "a text for people that the description reads"

# -- a workspace in shared memory: no less a workspace --
shm=/dev/shm/$(basename "$T_WORK")
mkdir -p "$shm" && trap 'rm -rf "$shm"' EXIT
cp -- *.asd *.lisp *.lsp *.sexp README "$shm"
cd "$shm" || bail "no folder"
RECHECK=no tenon build
is "$CODE" 0 "a build in shared memory"
echo '(defparameter cl-user::*helper* 3)' >helper.lsp
RECHECK=no tenon build
is "$(compiled)" "user" "a helper there that the description loads"
echo '"1.2"' >version.sexp
RECHECK=no tenon build
is "$(compiled)" "user" "and a version that stands in a file"
done_testing
