#!/bin/bash
# What a file compiles to among headers is, byte for byte, what it compiles to among FASLs: where the two images could
# differ in what only the compiler sees.
# seconds: 20
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/edits.sh"
need sbcl

# same N NAME: --verify-headers finds the N FASLs of the system to be the same; all but the first file were compiled
# among headers.
same() {
	RECHECK=no tenon build --verify-headers
	like "$CODE $(stdout)" "$1 of $1 FASLs are the same among headers and among FASLs \(1 have no headers" "$2" ||
		diag_file "$T_ERR"
}

# Structures that include others: types of slots that are similar lists come out of a FASL as one list.
fresh state inflate
lisp state.lisp <<'E'
(defstruct (state (:constructor nil))
  (input-start 0 :type (and fixnum (integer 0 *)))
  (input-index 0 :type (and fixnum (integer 0 *)))
  (input (make-array 1 :element-type '(unsigned-byte 8)) :type (simple-array (unsigned-byte 8) (*)))
  (output (make-array 1 :element-type '(unsigned-byte 8)) :type (simple-array (unsigned-byte 8) (*))))
E
lisp inflate.lisp <<'E'
(defstruct (inflate-state (:include state) (:constructor %make-inflate-state (format)))
  (window (make-array 32 :element-type '(unsigned-byte 8)) :type (simple-array (unsigned-byte 8) (*)))
  (format 'deflate :type (member deflate gzip)))
E
same 2 "structures that include others"

# Macros: similar lists in their templates come out of a FASL as one, and the compiler knows a form that it has seen.
fresh macros queue
lisp macros.lisp <<'E'
(defun constrain (type)
  (if (and (consp type) (eq (first type) 'values))
      (append type '(&optional))
      `(values ,type &optional)))
(defmacro defun/type (name lambda-list types result &body body)
  (let ((result (constrain result)))
    `(progn (declaim (ftype (function ,types ,result) ,name))
            (defun ,name ,lambda-list
              ,@(loop for type in types
                      for variable in lambda-list
                      collect `(declare (type ,type ,variable)))
              (the ,result (progn ,@body))))))
(defmacro checked (test &body body)
  `(if ,test (progn ,@body (note :checked)) (progn (note :checked) (fail (list 1 2)))))
(defmacro checked-2 (test &body body)
  `(unless ,test ,@body (note :checked) (fail (list 1 2))))
(defun note (x) x)
(defun fail (x) (error "~A" x))
E
lisp queue.lisp <<'E'
(defstruct queue head tail)
(defun/type push-queue (value queue) (t queue) (values)
  (checked (queue-head queue) (setf (queue-tail queue) value))
  (values))
(defun/type pop-queue (queue) (queue) (values t boolean)
  (checked-2 (queue-tail queue) (note 1))
  (if (queue-head queue) (values (pop (queue-head queue)) t) (values nil nil)))
(defun/type peek-queue (queue) (queue) t
  (checked (queue-head queue) (note 2))
  (checked-2 (queue-tail queue) (note 3))
  (first (queue-head queue)))
(defun/type rest-queue (queue) (queue) (values cons)
  (rest (queue-head queue)))
E
same 2 "templates of macros that share lists"

# Macros in functions and methods that another file calls: they are expanded in the package of their own file, which they
# may ask for its name, and what they count is not what the compile under way counts.
fresh package own other
lisp package.lisp <<'E'
(defpackage :own (:use :cl) (:export #:made #:made-by-method))
(defpackage :other (:use :cl :own))
E
lisp own.lisp <<'E'
(in-package :own)
(defmacro here () `',(intern "HERE"))
(defmacro file () (pathname-name (or *compile-file-truename* *load-truename*)))
(defun make (x) (list (here) (file) (mapcar (lambda (y) (list (here) y)) x)))
(defgeneric make-it (x))
(defmethod make-it ((x integer))
  (let ((y (flet ((f (z) (list (here) z))) (f x))))
    (list y (file) (mapcar (lambda (z) (list (here) z)) y))))
(defmacro made () `',(make '(1 2)))
(defmacro made-by-method () `',(make-it 1))
E
lisp other.lisp <<'E'
(in-package :other)
(defun first-of (x)
  (made-by-method)
  (unwind-protect (made)
    (unwind-protect (print x)
      (unwind-protect (print (list x (made-by-method)))
        (unwind-protect (print 1) (print 2))))))
(defun made-here () (list (made) (made-by-method)))
E
same 3 "macros in what another file calls"
tenon eval -q --module small '(other::made-here)'
is "$(stdout)" '((OWN::HERE "own" ((OWN::HERE 1) (OWN::HERE 2)))
 ((OWN::HERE 1) "own" ((OWN::HERE OWN::HERE) (OWN::HERE 1))))' "what they gave"

# Functions that macros make while they run have source locations: the file's own are not told apart by them.
fresh locking queue
lisp locking.lisp <<'E'
(defmacro define-locking (name lambda-list types &body body)
  (let ((unlocked (intern (format nil "~A/NO-LOCK" name))))
    (flet ((declared (name) `(declaim (ftype (function ,types t) ,name))))
      `(progn ,(declared unlocked)
              (defun ,unlocked ,lambda-list ,@body)
              ,(declared name)
              (define-simple ,name ,unlocked ,lambda-list)))))
(defmacro define-simple (name unlocked lambda-list)
  `(defun ,name ,lambda-list
     (,unlocked ,@(mapcar (lambda (variable) (first (list variable))) lambda-list))))
(defmacro with-values (values &body body)
  (let ((names (mapcar (lambda (value) (gensym (princ-to-string value))) values)))
    `(let ,(mapcar #'list names values) (list ,@names) ,@body)))
E
lisp queue.lisp <<'E'
(define-locking push-it (value queue) (t t) (list value queue))
(define-locking pop-it (queue) (t) (with-values (1 2) queue))
(defgeneric format-it (x)
  (:method ((x integer)) (with-values (1 2) x))
  (:method (x) (with-values (3) x)))
(defmacro with-it ((x) &body body) `(let ((,x 1)) ,@body))
(declaim (ftype function use-it))
(defun use-it () (with-it (x) (with-values (4 5) x)))
E
same 2 "functions that macros make"

# A template with constant arguments is a literal of the function that it is in: the same list each time.
fresh declarations users
lisp declarations.lisp <<'E'
(defconstant +speed+ 3)
(defconstant +safety+ 0)
(defun declared () `(declare (optimize (speed ,+speed+) (safety ,+safety+))))
(defun declared-for (x) `(declare (optimize (speed ,x) ,@(list '(debug 1)))))
(defun limits () `#(,+speed+ (a ,@'(b c) . ,+safety+)))
E
lisp users.lisp <<'E'
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun one (x) #.(declared) (list x))
  (defun two (x) #.(declared) (let ((y (one x))) #.(declared-for 3) (list y #.(limits))))
  (defmacro three (x) #.(declared) `(two (list ,x (one ,x))))
  (defmacro four (x) #.(declared) (let ((y (two x))) #.(declared-for 3) `(list ,x ',y))))
(defun five (x) #.(declared) (three (four x)))
E
same 2 "templates with constant arguments"

# What is evaluated when a file is loaded finds the FASL as what is loaded, and nothing that is compiled.
fresh paths users
lisp paths.lisp <<'E'
(defvar *loaded* (file-namestring (or *load-truename* *compile-file-truename*)))
(defvar *compiled* (and *compile-file-pathname* (file-namestring *compile-file-pathname*)))
E
lisp users.lisp <<'E'
(defun names () '#.(list *loaded* *compiled*))
E
same 2 "the name of what is loaded"
eval_is '(names)' '("paths.fasl" NIL)' "as in a Lisp that loads" --module small

# Types of foreign structures are literals: each FASL that is loaded has its own.
fresh foreign odbc
lisp foreign.lisp <<'E'
(sb-alien:define-alien-type sql-date
    (sb-alien:struct sql-date (year sb-alien:short) (month sb-alien:short) (day sb-alien:short)))
E
lisp odbc.lisp <<'E'
(defun make-short () (sb-alien:make-alien sb-alien:short))
(defun make-date () (sb-alien:make-alien sql-date))
(defun year (date)
  (declare (type (sb-alien:alien (* sql-date)) date))
  (sb-alien:slot date 'year))
(defun get-date (date)
  (sb-alien:with-alien ((d (* sql-date) date) (s sb-alien:short 1))
    (list s (sb-alien:slot d 'month) (sb-alien:slot d 'day))))
E
same 2 "types of foreign structures"

# CLOS compiles something when a macro calls a generic function for the first time in an image, wherever that is.
fresh brief containers trees
lisp brief.lisp <<'E'
(defvar *superclasses* (make-hash-table))
(defgeneric superclasses (x))
(defmethod superclasses ((x symbol)) (gethash x *superclasses*))
(defgeneric (setf superclasses) (new x))
(defmethod (setf superclasses) (new (x symbol)) (setf (gethash x *superclasses*) new))
(defgeneric successor (tree node))
(defgeneric leaf-p (x))
(defclass part () ((owner :initform nil :reader owner) (size :initform 0 :reader size)))
(defmacro defpart (name superclasses slots)
  (mapcar #'superclasses superclasses)
  (owner (make-instance 'part))
  `(progn (defclass ,name ,superclasses ,slots)
          (eval-when (:compile-toplevel :load-toplevel :execute)
            (setf (superclasses ',name) ',superclasses))))
E
lisp containers.lisp <<'E'
(defpart container (part) ((key :initform nil :reader key) (test :initform nil :reader test)))
E
lisp trees.lisp <<'E'
(defpart tree (container) ((sorter :initform nil :accessor sorter) (root :initform nil :accessor root)))
(defpart node (container) ((left :initform nil :accessor left) (right :initform nil :accessor right)))
(defmethod find-successor ((tree tree) (item node))
  (with-slots (key test sorter) tree
    (let ((wanted (funcall key (owner item))))
      (labels ((equal-p (current) (funcall test wanted (funcall key (owner current))))
               (less-p (current) (funcall sorter wanted (funcall key (owner current))))
               (final (prior)
                 (if (less-p prior) prior (let ((s (successor tree prior))) (if (leaf-p s) nil s))))
               (successor-of (current prior)
                 (cond ((leaf-p current) (when prior (final prior)))
                       ((equal-p current) current)
                       ((less-p current) (successor-of (left current) current))
                       (t (successor-of (right current) current)))))
        (successor-of (root tree) nil)))))
E
same 3 "generic functions that macros call"

# A string that a macro makes is of the type that compiled code gives it.
fresh datasets benchmarks
lisp datasets.lisp <<'E'
(defmacro with-dataset (name &body body)
  `(restart-case (progn ,@body)
     (retry () :report ,(format nil "Retry dataset('~A) init" (symbol-name name)) nil)
     (skip () :report ,(format nil "Skip ~A~%" name) nil)
     (again () :report ,(format nil "Again") nil)
     (more () :report ,(format nil "~A and ~A" (string name) (string-downcase (symbol-name name))) nil)))
E
lisp benchmarks.lisp <<'E'
(defun benchmark () (with-dataset *employees* (print 1)))
E
same 2 "strings that macros make"

# What EVAL compiles while a FASL is loaded is interpreted in a header: the compiler's note that a variable was bound.
fresh suite connection tests more-tests
lisp suite.lisp <<'E'
(defvar *tests* (make-hash-table))
(defun register (name body) (setf (gethash name *tests*) (eval `(lambda () ,@body))))
(defmacro deftest (name &body body) `(register ',name ',body))
E
lisp connection.lisp <<'E'
(defvar *database* nil)
(defmacro with-connection (&body body) `(let ((*database* (list :open))) ,@body))
(defun query (text) (list *database* text))
E
lisp tests.lisp <<'E'
(deftest a-query (with-connection (query "select 1")))
E
lisp more-tests.lisp <<'E'
(defun fixture () (query (list *database* "drop table")) (first *database*))
E
same 4 "variables that are bound while files are loaded"

# A path of what is built differs with the place and is no difference; it is said.
fresh library paths
echo '(defun here () (asdf:apply-output-translations (uiop:pathname-directory-pathname *compile-file-truename*)))' >library.lisp
cat >paths.lisp <<'E'
(defparameter *name* #.(namestring (here)))
(defparameter *data* #.(make-pathname :name "data" :defaults (here)))
E
same 2 "paths of what is built"
like "$(stdout)" '^small:paths.lisp: its FASL holds the name of the folder it is built in, and differs in nothing else$' \
	"a path of what is built is told of"

# What could be built is compared, though not all could.
parts good bad other:good
lisp good.lisp <<<'(defun good () 1)'
lisp bad.lisp <<<'(defun bad () (error'
lisp other.lisp <<<'(defun other () (good))'
cat >lost.asd <<<'(defsystem "lost" :depends-on ("nowhere-at-all"))'
RECHECK=no tenon build --verify-headers --keep-going small lost
is "$CODE" 1 "a file that does not compile is an error"
like "$(stdout)" "^2 of 2 FASLs are the same" "and the rest is compared" || diag_file "$T_ERR"

done_testing
