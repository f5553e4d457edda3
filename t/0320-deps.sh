#!/bin/bash
# Declared dependencies against used ones: what `tenon deps` finds, and what it writes.
# seconds: 60
. "$(dirname "$0")/lib.sh"
need sbcl cl-alexandria cl-base64

# line COMPONENT HEAD: of the part of the report about the component, the line that begins with HEAD.
line() { awk -v want="$1" -v head="$2" '/^[^ ]/ { on = $1 == want } on && $1 == head { $1 = ""; print substr($0, 2) }' "$T_OUT"; }

# Every way to use a file, and some that only look like one.
cat >app.asd <<-'END'
	;;; An application.
	(defsystem "app"
	  :depends-on ("alexandria" "cl-base64")
	  :components ((:file "package")
	               (:file "macros" :depends-on ("package"))
	               (:file "types" :depends-on ("package")) ; types, and what is like them
	               (:file "functions" :depends-on ("package"))
	               (:file "decoy" :depends-on ("package"))
	               (:file "use-macro" :depends-on ("package" "macros" "decoy"))
	               (:file "use-type" :depends-on ("package" "types" "functions"))
	               (:file "use-load" :depends-on ("functions"   ; called while this is loaded
	                                              "decoy"))
	               (:file "use-call" :depends-on ("package" "functions" "decoy"))
	               (:module "sub"
	                :depends-on ("package" "decoy" "macros")
	                :components ((:file "one")
	                             (:file "two" :depends-on ("one"))
	                             (:static-file "notes.txt")))))
END
lisp package.lisp <<-'END'
	(defpackage #:app (:use #:common-lisp) (:export #:main))
END
lisp macros.lisp <<-'END'
	(in-package #:app)
	(defmacro twice (form) `(progn ,form ,form))
END
lisp types.lisp <<-'END'
	(in-package #:app)
	(deftype small () '(integer 0 9))
	(defstruct point x y)
	(defclass thing () ())
	(defconstant +limit+ 7)
	(declaim (inline half))
	(defun half (x) (/ x 2))
END
lisp functions.lisp <<-'END'
	(in-package #:app)
	(defun make-table () (list 1 2 3))
	(defun helper (x) x)
END
lisp decoy.lisp <<-'END'
	(in-package #:app)
	(defun decoy () 1)
	(defvar *decoy* 2)
END
# A local variable, a keyword, a string and a quoted symbol that look like decoy's names are no use of it.
lisp use-macro.lisp <<-'END'
	(in-package #:app)
	(defun use-macro (decoy) (list decoy :decoy "decoy" (let ((x 1)) (twice (incf x)))))
END
lisp use-type.lisp <<-'END'
	(in-package #:app)
	(defclass special-thing (thing) ())
	(defun use-type (x y) (check-type y small) (+ (point-x x) (half +limit+)))
END
lisp use-load.lisp <<-'END'
	(in-package #:app)
	(defvar *table* (make-table))
END
lisp use-call.lisp <<-'END'
	(in-package #:app)
	(defun use-call () (helper 1))
END
lisp sub/one.lisp <<-'END'
	(in-package #:app)
	(defun one () (twice 1))
END
lisp sub/two.lisp <<-'END'
	(in-package #:app)
	(defun two () (alexandria:when-let ((x 1)) x))
END
echo nothing >sub/notes.txt

tenon deps
is "$CODE" 0 "nothing is missing" || diag_file "$T_ERR"
cp "$T_OUT" first
is "$(line app:use-macro uses)" "package (package APP), macros (defmacro twice)" "a macro is used"
is "$(line app:use-macro calls)" "" "what only looks like a name is no use"
is "$(line app:use-macro superfluous)" 'package ("macros" brings it along), decoy (not used)' "superfluous and why"
is "$(line app:use-macro minimal)" "macros" "the minimal list"
like "$(line app:use-type uses)" 'types \(' "types, structures, constants and inline functions are used"
is "$(line app:use-type minimal)" "types" "they bring the package along"
is "$(line app:use-load uses)" "package (package APP), functions (defun make-table)" "a function called by loading is needed"
is "$(line app:use-load minimal)" "functions" "and stays"
is "$(line app:use-call calls)" "functions (function APP::HELPER)" "a function called later is called"
is "$(line app:use-call minimal)" "functions" "and stays where it is declared"
like "$(line app:sub superfluous)" 'decoy \(not used\)' "modules have superfluous dependencies, too"
is "$(line app:sub/two superfluous)" "one (not used)" "so have files in them"
like "$(line system superfluous)" '^cl-base64 \(not used\)' "a system that no file uses"
like "$(line system uses)" '^alexandria \(' "a system that is used"
like "$(tail -n 1 "$T_OUT")" '^11 files: 0 missing, [0-9]+ superfluous$' "the count"

tenon deps --format json
$PYTHON - "$T_OUT" <<-'END' >found
	import json, sys
	systems = json.load(open(sys.argv[1]))
	for system in systems:
	    for component in system["components"]:
	        for d in component["dependencies"]:
	            if d["minimal"]:
	                print(system["system"], component["name"], d["on"], d["use"])
END
is "$(grep use-call found)" "app use-call functions called" "JSON says the same"

cp app.asd before.asd
tenon deps --fix
is "$CODE" 0 "the fix goes through" || diag_file "$T_ERR"
like "$(cat "$T_OUT")" '^verified: ' "it is verified"
cat >want.asd <<-'END'
	;;; An application.
	(defsystem "app"
	  :depends-on ("alexandria" "cl-base64")
	  :components ((:file "package")
	               (:file "macros" :depends-on ("package"))
	               (:file "types" :depends-on ("package")) ; types, and what is like them
	               (:file "functions" :depends-on ("package"))
	               (:file "decoy" :depends-on ("package"))
	               (:file "use-macro" :depends-on ("macros"))
	               (:file "use-type" :depends-on ("types"))
	               (:file "use-load" :depends-on ("functions"   ; called while this is loaded
	                                              ))
	               (:file "use-call" :depends-on ("functions"))
	               (:module "sub"
	                :depends-on ("macros")
	                :components ((:file "one")
	                             (:file "two")
	                             (:static-file "notes.txt")))))
END
same_file app.asd want.asd "names went out, all else stayed" || diag "$(diff want.asd app.asd)"
build_ok
tenon deps
like "$(tail -n 1 "$T_OUT")" '^11 files: 0 missing, 1 superfluous$' "but for the system, nothing is left to do"
mkdir asdf-cache
plain_asdf() {
	env XDG_CACHE_HOME="$T_WORK/w/asdf-cache" CL_SOURCE_REGISTRY="$PWD:" \
		sbcl --noinform --no-sysinit --no-userinit --non-interactive --eval '(require :asdf)' \
		--eval '(asdf:load-system "app")' >"$T_WORK/asdf" 2>&1
}
ok "plain ASDF loads it in its own order" plain_asdf || diag_file "$T_WORK/asdf"
cd "$T_WORK/w" && mkdir apart && cd apart || exit 1

# What a file does while its FASL is loaded into images is no doing of those that come later.
cat >first.asd <<-'END'
	(defsystem "first" :serial t :components ((:file "note") (:file "caller")))
	(defmethod perform ((o load-op) (c (eql (find-component "first" "caller"))))
	  (load (output-file 'compile-op c)))
	(defsystem "second" :components ((:file "alone")))
END
echo '(defun note (x) x)' >note.lisp
echo '(note 1)' >caller.lisp
echo '(defun alone () 1)' >alone.lisp
tenon deps first second
is "$CODE" 0 "nothing is missing"
is "$(line first:caller uses)" "note (defun note)" "a file that loads as a FASL uses what it calls"
like "$(tail -n 1 "$T_OUT")" '^3 files: 0 missing, 0 superfluous$' "and another system doesn't"
done_testing
