;;;; The package of the driver, and the few words that all its files use.
;;;;
;;;; ASDF comes first: everything here stands on it. The contributed modules stay out; what the
;;;; driver needs of the operating system it takes from libc through aliens (20-posix.lisp).

(eval-when (:compile-toplevel :load-toplevel :execute)
  (require :asdf))

(defpackage :tenon-driver
  (:use :common-lisp)
  (:export #:save-base #:start-fresh))

(in-package :tenon-driver)

(defmacro with-plist ((&rest names) plist &body body)
  "Bind each of NAMES to the value behind the keyword of the same name in PLIST."
  (let ((list (gensym "PLIST")))
    `(let ((,list ,plist))
       (declare (ignorable ,list))
       (let ,(loop for name in names
                   collect `(,name (getf ,list ,(intern (symbol-name name) :keyword))))
         ,@body))))

(defun plist-without-nils (&rest plist)
  "PLIST without the pairs whose value is NIL."
  (loop for (key value) on plist by #'cddr
        when value
          collect key and collect value))

(defun first-line (text &optional (limit 160))
  "The first line of TEXT, cut at LIMIT characters."
  (let* ((start (or (position-if-not (lambda (c) (member c '(#\Newline #\Space #\Tab))) text) 0))
         (end (or (position #\Newline text :start start) (length text))))
    (subseq text start (min end (+ start limit)))))

(defun plain-text (format &rest arguments)
  "FORMAT with ARGUMENTS, which are numbers, names and the like, whatever the code that is built has set for
its own printing. None of its functions is called: of pretty printing, some may be part of what is recorded."
  (let ((*print-pretty* nil) (*print-readably* nil) (*print-circle* nil) (*print-length* nil)
        (*print-level* nil) (*print-base* 10) (*print-radix* nil) (*print-case* :upcase))
    (apply #'format nil format arguments)))

(defmacro renamed (package &rest names)
  "What the first of the symbols NAMES that PACKAGE has stands for: releases of SBCL have called it
differently. What none of them has is an error at its use."
  (or (loop for name in names
            for symbol = (find-symbol name package)
            when symbol return symbol)
      `(error "this SBCL has no ~{~A~^ or ~} in ~A" ',names ,package)))

(defun known-functions (&rest names)
  "The symbols with NAMES, texts, that name functions of this SBCL: releases differ in what they have. It
reads the names, so it is for the loading of the driver: what is built later may set the reader otherwise."
  (loop for name in names
        for symbol = (ignore-errors (read-from-string name))
        when (and symbol (fboundp symbol))
          collect symbol))

(defun native (pathname)
  "The name that the operating system has for PATHNAME."
  (sb-ext:native-namestring (uiop:physicalize-pathname (pathname pathname))))

(defun native-pathname (name)
  "The pathname of the file that the operating system calls NAME."
  (sb-ext:parse-native-namestring name))

(defun native-directory (name)
  "The pathname of the folder that the operating system calls NAME."
  (sb-ext:parse-native-namestring name nil *default-pathname-defaults* :as-directory t))

(defmacro define-wrapper (function wrapper (next arguments) &body body)
  "Wrap the global FUNCTION, whoever calls it: BODY runs in its place, with NEXT bound to the
original function and ARGUMENTS to the list of arguments. Defining it again replaces it."
  `(sb-int:encapsulate ',function ',wrapper
                       (lambda (,next &rest ,arguments)
                         (declare (ignorable ,next ,arguments))
                         ,@body)))

(defvar *tracing* nil
  "True while reads for a description are recorded; see 70-trace.lisp.")

(defvar *noting-reads* nil
  "True while reads of actions and steps are recorded, in whatever thread; see 71-reads.lisp.")
(defvar *unread-files* '()
  "The inputs of the action or step under way: the host knows them. No reads of these are recorded.")
(defvar *acting* nil
  "True once this process carries out an action.")
(defvar *noting-uses* nil
  "True while it is noted what is used of other files, in whatever thread; see 67-uses.lisp.")
(defvar *moment* 0
  "How many top-level forms this process and those before it have evaluated for headers and actions: code
that was made at another moment may find another thing now. See 66-changes.lisp.")
(defvar *unsure* nil
  "Why what was expanded in this process, or in those before it, may not be what the compiler made of it:
a text; NIL if there is no reason. See 66-changes.lisp.")

(defvar *headers-here* nil
  "True once a header was carried out in this image: what it defines is interpreted.")

(defvar *in-effect* nil
  "True while this image carries out an effect; see 61-effects.lisp.")

(defmacro unnoticed (&body body)
  "Do BODY: what the driver itself looks at is no use of it."
  `(let ((*noting-uses* nil))
     ,@body))

(defun definition-of (name)
  "The global function or macro that NAME names, or NIL; unnoticed."
  (unnoticed (and (fboundp name) (fdefinition name))))

(defun lambda-list-of (function)
  (unnoticed (sb-kernel:%fun-lambda-list function)))
