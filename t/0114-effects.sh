#!/bin/bash
# A method of PERFORM that compiles and loads files by itself, by their dates, as Swank's loader does: ASDF and tenon
# know nothing of these files.
# seconds: 15
. "$(dirname "$0")/lib.sh"
need sbcl

lisp loader.asd <<'END'
(defclass loader (asdf:cl-source-file) ())

(defun part (name) (asdf:system-relative-pathname "loader" name))

(defun load-part (name)
  (let* ((source (part name))
         (fasl (asdf:apply-output-translations (compile-file-pathname source))))
    (ensure-directories-exist fasl)
    (unless (and (probe-file fasl) (>= (file-write-date fasl) (file-write-date source)))
      (with-open-file (stream (part "../compiled.log") :direction :output :if-exists :append
                                                    :if-does-not-exist :create)
        (write-line name stream))
      (compile-file source :output-file fasl))
    (load fasl)))

(defmethod asdf:perform ((operation asdf:load-op) (file loader))
  (load-part "first.lisp")
  (load-part "second.lisp"))

(asdf:defsystem "loader" :components ((loader "loader")))
END
echo '(in-package :cl-user)' >loader.lisp
# Compiling takes long enough for others to come by.
lisp first.lisp <<'END'
(in-package :cl-user)
(eval-when (:compile-toplevel) (sleep 0.3))
(defun first-part () :one)
END
lisp second.lisp <<'END'
(in-package :cl-user)
(defun second-part () (list (first-part) (load-time-value (make-list 3))))
(eval-when (:compile-toplevel)
  (let ((slow (asdf:system-relative-pathname "loader" "slow")))
    (when (probe-file slow)
      (with-open-file (stream slow :direction :output :if-exists :append) (write-line "reached" stream))
      (sleep 20))))
END
for s in a b c d; do
	mkdir -p $s
	(cd $s && DEPENDS=loader system user-$s $s)
	lisp $s/$s.lisp <<END
(defmacro cl-user::$s () \`(quote ,(cl-user::second-part)))
(defun cl-user::value-$s () (cl-user::$s))
END
done
DEPENDS="user-a user-b user-c user-d" system all all
echo '(defun cl-user::all () (list (value-a) (value-b) (value-c) (value-d)))' >all.lisp
compiled() { grep -c . "$T_WORK/compiled.log"; }

# Four images need it at once.
build_ok -j4 all
is "$(compiled)" 2 "each part is compiled once"
eval_is '(value-c)' '(:ONE (NIL NIL NIL))' "and loaded" --module user-c

sed -i 's/:one/:two/' first.lisp
build_ok -j4 all
eval_is '(value-c)' '(:TWO (NIL NIL NIL))' "an edit of a part is seen" --module user-c
sleep 1.1 # until parts are older than what is made of them
tenon build --no-snapshots all
sed 's/:two/:three/' first.lisp >"$T_WORK/older"
touch -d '2001-01-01' "$T_WORK/older"
mv "$T_WORK/older" first.lisp
build_ok -j4 all
eval_is '(value-c)' '(:THREE (NIL NIL NIL))' "so is an older file that is moved there" --module user-c

sleep 1.1
echo ' ' >>d/d.lisp
tenon build --no-snapshots all
echo ' ' >>c/c.lisp
before=$(compiled)
build_ok --no-snapshots all
expect_ran 1
is "$(compiled)" "$before" "parts that are what they were are not compiled for another file"

# Killed while it compiles.
touch slow
echo ';; edited' >>second.lisp
rm -f "$T_WORK/pid"
"$PYTHON" "$T_DIR/guard.py" --strays "$T_WORK/strays" --pid "$T_WORK/pid" -- "$TENON" build all \
	>"$T_OUT" 2>"$T_ERR" </dev/null &
guard=$!
until [ -s slow ]; do
	kill -0 $guard 2>/dev/null || break
	sleep 0.05
done
kill -KILL "$(cat "$T_WORK/pid")"
wait $guard
is $? 137 "it was killed in the midst of compiling a part"
discard "$PWD/slow"
build_ok all
eval_is '(value-c)' '(:THREE (NIL NIL NIL))' "no part of a FASL is loaded" --module user-c
done_testing
