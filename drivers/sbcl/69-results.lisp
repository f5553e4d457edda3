;;;; Results: what the functions of other files have come to while a header was made.
;;;;
;;;; A header rests on the bodies of the functions that it calls. But where one of these bodies changes
;;;; and what its calls give and leave behind does not, those who see only the header see no change:
;;;; its record then names a digest of the results in place of the bodies.
;;;;
;;;; That must be proved. While such a call lasts, its interpreted code is watched: which global
;;;; variables it reads or sets, which closures it enters, and which functions of the Lisp it calls.
;;;; If all of these act on nothing but what they are given, then all that the call can have changed
;;;; can be reached from its arguments, its values, those variables and those closures. The digest is
;;;; that of this graph of objects, at the end of the header. Where anything else is called, or the
;;;; graph holds what has no printable content, there is a doubt, and the bodies count as before.

(in-package :tenon-driver)

(defstruct (watch (:constructor make-watch (unit)))
  unit                                  ; of the header
  (thread sb-thread:*current-thread*)
  (roots '())                           ; arguments, values and environments, last first
  (environments (make-hash-table :test 'eq)) ; those that are among the roots
  (variables (make-hash-table :test 'eq))
  (closures (make-hash-table :test 'eq)) ; that were made meanwhile
  (generics (make-hash-table :test 'eq)) ; generic function -> (number of methods . safe)
  (features (copy-list *features*))                 ; before: others' files have added some to it
  (doubt nil))                          ; why nothing can be said, a text

(defun doubt (format &rest arguments)
  (let ((watch *watch*))
    (when (and watch (null (watch-doubt watch)))
      (setf (watch-doubt watch) (apply #'plain-text format arguments)))))

;;; Functions of the Lisp that do nothing but with what they are given

(defun name-table (names)
  (let ((table (make-hash-table :test 'equal)))
    (dolist (name names table)
      (setf (gethash name table) t))))

(defparameter *calling-functions*
  (name-table '(apply funcall every some notany notevery find find-if find-if-not position position-if
                position-if-not count count-if count-if-not member member-if member-if-not assoc assoc-if
                assoc-if-not rassoc rassoc-if rassoc-if-not remove remove-if remove-if-not delete
                delete-if delete-if-not substitute substitute-if substitute-if-not nsubstitute
                nsubstitute-if nsubstitute-if-not remove-duplicates delete-duplicates mapcar mapc mapcan
                maplist mapl mapcon map map-into maphash reduce sort stable-sort merge search mismatch
                adjoin union nunion intersection nintersection set-difference nset-difference
                set-exclusive-or nset-exclusive-or subsetp subst subst-if subst-if-not nsubst nsubst-if
                nsubst-if-not sublis nsublis tree-equal))
  "Those that call functions which they are given.")

(defparameter *safe-functions*
  (name-table '(* + - / 1+ 1- = /= < > <= >= abs acos asin atan ash boole byte byte-position byte-size
                ceiling cis complex conjugate cos decode-float denominator deposit-field dpb evenp exp
                expt fceiling ffloor float float-digits float-precision float-radix float-sign floor
                fround ftruncate gcd imagpart integer-decode-float integer-length isqrt lcm ldb ldb-test
                log logand logandc1 logandc2 logbitp logcount logeqv logior lognand lognor lognot logorc1
                logorc2 logtest logxor mask-field max min minusp mod numerator oddp parse-integer phase
                plusp rational rationalize realpart rem round scale-float signum sin sqrt tan truncate
                zerop
                complexp floatp integerp numberp rationalp realp arrayp atom bit-vector-p characterp
                compiled-function-p consp functionp hash-table-p keywordp listp null packagep pathnamep
                simple-bit-vector-p simple-string-p simple-vector-p stringp symbolp vectorp typep type-of
                class-of eq eql equal equalp not identity
                car cdr caar cadr cdar cddr caaar caadr cadar caddr cdaar cdadr cddar cdddr cadddr cddddr
                first second third fourth fifth sixth seventh eighth ninth tenth rest nth nthcdr last
                butlast nbutlast cons list list* append nconc revappend nreconc copy-list copy-tree
                copy-alist make-list list-length endp rplaca rplacd acons pairlis getf get-properties
                ldiff tailp
                length elt subseq reverse nreverse concatenate fill replace copy-seq make-sequence coerce
                vector make-array aref svref row-major-aref bit sbit char schar array-dimension
                array-dimensions array-rank array-total-size array-element-type array-in-bounds-p
                array-has-fill-pointer-p fill-pointer vector-push vector-push-extend vector-pop
                adjust-array adjustable-array-p array-row-major-index upgraded-array-element-type bit-and
                bit-ior bit-xor bit-not
                char= char/= char< char> char<= char>= char-equal char-not-equal char-lessp char-greaterp
                char-not-lessp char-not-greaterp char-code code-char char-int char-upcase char-downcase
                character alpha-char-p alphanumericp both-case-p digit-char digit-char-p graphic-char-p
                lower-case-p upper-case-p standard-char-p char-name name-char string string= string/=
                string< string> string<= string>= string-equal string-not-equal string-lessp
                string-greaterp string-not-lessp string-not-greaterp string-upcase string-downcase
                string-capitalize nstring-upcase nstring-downcase nstring-capitalize string-trim
                string-left-trim string-right-trim make-string
                symbol-name symbol-package make-symbol gensym package-name
                make-hash-table gethash remhash clrhash hash-table-count hash-table-size hash-table-test
                values values-list constantly
                error warn signal make-condition
                make-instance slot-value slot-boundp slot-makunbound
                princ-to-string prin1-to-string write-to-string
                (setf aref) (setf svref) (setf elt) (setf nth) (setf car) (setf cdr) (setf gethash)
                (setf row-major-aref) (setf fill-pointer) (setf slot-value) (setf char) (setf schar)
                (setf first) (setf second) (setf third) (setf rest) (setf subseq) (setf getf)))
  "They change, if anything, the objects that are given to them, and tell nothing of what an image holds
beyond those.")

(dolist (name (known-functions "SB-IMPL::%WITH-STANDARD-IO-SYNTAX"))
  (setf (gethash name *calling-functions*) t))

;; What the Lisp's own macros come to, as far as this version has it.
(loop for (package . names) in '(("SB-IMPL" "%RPLACA" "%RPLACD" "%PUTHASH" "%PUTF" "%SETNTH" "APPEND2" "UNQUOTE*"
                                  "UNQUOTE-SPLICE" "UNBOUND-MARKER-P" "%REMF" "XSUBTRACT"
                                  "List" "List*" "Append" "Vector")
                                 ("SB-INT" "UNQUOTE" "UNBOUND-MARKER-P")
                                 ("SB-KERNEL" "%RPLACA" "%RPLACD" "%ASET" "%SVSET" "%SETELT" "%CHARSET"
                                  "%SCHARSET" "%SETNTH" "%PUTHASH" "%PUTF" "%SET-FILL-POINTER"
                                  "%SET-ROW-MAJOR-AREF" "CASE-FAILURE" "ECASE-FAILURE" "POINTERP"
                                  "ARRAY-HEADER-P" "SYMBOL-HASH" "UNALIGNED-DX-CONS"
                                  "SYMBOL-HASH*" "%INSTANCE-REF" "%INSTANCE-SET" "DATA-VECTOR-REF"
                                  "%MAKE-STRUCTURE-INSTANCE" "MAKE-UNBOUND-MARKER" "LIST-REVERSE-INTO-VECTOR"
                                  "LIST-REVERSE-INTO-VECTOR-CDDR")
                                 ("SB-C" "CHECK-DS-LIST" "CHECK-DS-LIST/&REST" "CHECK-DS-LIST/&KEY" "DS-GETF")
                                 ("SB-PCL" "SET-SLOT-VALUE" "ACCESSOR-SLOT-VALUE" "ACCESSOR-SET-SLOT-VALUE"
                                  "GET-SLOTS-OR-NIL" "CLOS-SLOTS-REF" "STD-INSTANCE-SLOTS" "GET-KEY-ARG-TAIL"))
      do (dolist (name names)
           (let ((symbol (find-symbol name package)))
             (when symbol
               (setf (gethash symbol *safe-functions*) t
                     (gethash `(setf ,symbol) *safe-functions*) t)))))

;; The code of the method is watched.
(setf (gethash 'call-waiting *safe-functions*) t)

(defparameter *asking-functions*
  (name-table '(intern find-symbol find-package find-class fboundp boundp constantp))
  "Those that tell what is in an image, beyond what they are given: their answers count.")

(defparameter *symbol-functions*
  (let ((table (name-table '(boundp symbol-value set get remprop symbol-plist))))
    (loop for (package . names) in '(("SB-IMPL" "%PUT" "%SET-SYMBOL-VALUE")
                                     ("SB-KERNEL" "%PUT" "%SET-SYMBOL-VALUE"))
          do (dolist (name names)
               (let ((symbol (find-symbol name package)))
                 (when symbol
                   (setf (gethash symbol table) t)))))
    table)
  "Those that look at or change the value or the properties of a symbol.")

(defparameter *method-callers* '(make-instance slot-value slot-boundp slot-makunbound princ-to-string
                                 prin1-to-string write-to-string format)
  "Safe functions that call methods.")

(defun of-the-lisp-p (function)
  "True if the compiled FUNCTION is part of the implementation."
  (let* ((code (code-of function))
         (info (sb-kernel:%code-debug-info code))
         (source (and (typep info 'sb-c::compiled-debug-info) (sb-c::debug-info-source info)))
         (name (and source (sb-c::debug-source-namestring source))))
    (and (stringp name) (eql 0 (search "SYS:" name)))))

(defun structure-function-p (name)
  "True if NAME is an accessor, a predicate or a copier of a structure."
  (let ((transform (ignore-errors (sb-int:info :function :source-transform name))))
    (and (consp transform) (typep (car transform) 'sb-kernel:defstruct-description))))

(defun safe-method-p (method)
  (let ((function (code-of-method-function (sb-mop:method-function method))))
    (or (typep method 'sb-mop:standard-accessor-method)
        (typep function 'sb-eval::interpreted-function)
        (of-the-lisp-p function))))

(defun safe-generic-p (function)
  "True if all methods of the generic FUNCTION can be watched."
  (let* ((methods (sb-mop:generic-function-methods function))
         (known (gethash function (watch-generics *watch*))))
    (unless (and known (= (car known) (length methods)))
      (setf known (cons (length methods) (every #'safe-method-p methods))
            (gethash function (watch-generics *watch*)) known))
    (cdr known)))

(defparameter *called-generics*
  '(make-instance allocate-instance initialize-instance shared-initialize print-object slot-unbound
    slot-missing sb-mop:slot-value-using-class (setf sb-mop:slot-value-using-class)
    sb-mop:slot-boundp-using-class)
  "Those that the safe functions call with objects of classes that files define.")

(defun safe-function-p (name function)
  (cond ((member name *method-callers*)
         (every (lambda (name) (safe-generic-p (definition-of name))) *called-generics*))
        ((or (gethash name *safe-functions*)
             (gethash name *calling-functions*)
             (gethash name *asking-functions*)
             (gethash name *symbol-functions*)))
        ((eq name 'read-from-string) t)
        ((typep function 'generic-function) (safe-generic-p function))
        ((structure-function-p name) t)))

;;; Watching

(defun environment-variables-p (environment)
  "True if the interpreter's ENVIRONMENT holds values."
  (loop for at = environment then (sb-eval::env-parent at)
        while at
          thereis (or (loop for binding in (sb-eval::env-vars at)
                              thereis (not (member (cdr binding)
                                                   (list sb-eval::*special* sb-eval::*symbol-macro*)
                                                   :test #'eq)))
                      (loop for binding in (sb-eval::env-funs at)
                              thereis (not (eq (cdr binding) sb-eval::*macro*))))))

(defun note-environment (function)
  "The interpreted FUNCTION is entered: it may change what it closes over."
  (let ((watch *watch*)
        (environment (sb-eval::interpreted-function-env function)))
    (unless (or (and (watch-environments watch)
                     (gethash environment (watch-environments watch)))
                (gethash function (watch-closures watch))
                (not (environment-variables-p environment)))
      (when (watch-environments watch)
        (setf (gethash environment (watch-environments watch)) t))
      (push environment (watch-roots watch)))))

(defun note-variable (symbol)
  (case (sb-int:info :variable :kind symbol)
    ((:special :global) (setf (gethash symbol (watch-variables *watch*)) t))
    (:constant)
    (:alien (doubt "alien variable ~A" symbol))
    (t (when (boundp symbol)
         (setf (gethash symbol (watch-variables *watch*)) t)))))

(defun watching-name-p (name)
  "True if NAME is that of functions made by WATCHED-FUNCTION."
  (or (eq name 'watching) (and (consp name) (eq (first name) 'watching))))

(defun safe-callee-p (name function)
  "True if FUNCTION, named NAME, is safe without WATCHED-FUNCTION."
  (and (safe-function-p name function)
       (not (or (gethash name *calling-functions*)
                (gethash name *asking-functions*)
                (gethash name *symbol-functions*)
                (member name '(format read-from-string make-instance))))))

(defun check-callee (thing)
  "THING was given to a function that calls what it is given."
  (typecase thing
    (null)
    (sb-eval::interpreted-function)
    (generic-function (unless (safe-generic-p thing)
                        (doubt "compiled methods of ~A" (sb-mop:generic-function-name thing))))
    (sb-kernel:funcallable-instance (doubt "~A is called" (type-of thing)))
    (function
     (let ((name (sb-kernel:%fun-name thing)))
       (unless (or (watching-name-p name)
                   (and (or (symbolp name) (typep name '(cons (eql setf))))
                        (eq (definition-of name) thing)
                        (safe-callee-p name thing)))
         (doubt "~A is called" name))))
    (symbol
     (let ((function (definition-of thing)))
       (when (and function (not (macro-function thing)) (not (special-operator-p thing)))
         (unless (or (typep function 'sb-eval::interpreted-function)
                     (safe-callee-p thing function))
           (doubt "~A may be called" thing)))))))

(defun check-format (arguments)
  "A control string of FORMAT can name functions: \"~/name/\"."
  (dolist (text (remove-if-not #'stringp arguments))
    (loop for tilde = (position #\~ text) then (position #\~ text :start (1+ tilde))
          while tilde
          do (let ((directive (position-if-not (lambda (char)
                                                 (or (digit-char-p char) (find char "'+-,:@vV#")))
                                               text :start (1+ tilde))))
               (when (and directive (char= (char text directive) #\/))
                 (doubt "FORMAT may call a function"))))))

(defun check-readable (string)
  "Reading STRING must call nothing."
  (unless (and (stringp string) (notany #'get-macro-character string) (not (find #\: string)))
    (doubt "READ-FROM-STRING is called")))

(defun note-answer (name arguments values)
  (push (list* name values arguments) (watch-roots *watch*)))

(defun call-noting-answer (name function arguments)
  "Call FUNCTION, which is named NAME and asks what is in an image. Its values, a list."
  (cond ((null *watch*) (multiple-value-list (apply function arguments)))
        (*call-watch* (answer-question name function arguments))
        (t (let ((values (multiple-value-list (apply function arguments))))
             (note-answer name arguments
                          (if (eq name 'fboundp) (list (and (first values) t)) values))
             values))))

(defun check-printing (name arguments)
  "In a call that may be replayed nothing may be printed or told."
  (when (and *call-watch* (not (and (eq name 'format) (null (first arguments)))))
    (trouble "~A is called" name)))

(defun note-shared-slots (class)
  "An instance of CLASS is made: it may go, but what it shares with others stays."
  (let ((class (if (symbolp class) (find-class class nil) class)))
    (when (typep class 'class)
      (unless (sb-mop:class-finalized-p class)
        (sb-mop:finalize-inheritance class))
      (dolist (slot (sb-mop:class-slots class))
        (let ((cell (sb-mop:slot-definition-location slot)))
          (when (consp cell)
            (push cell (watch-roots *watch*))))))))

(defun note-global (symbol)
  (setf (gethash symbol (watch-variables *watch*)) t))

(defmacro watching-arguments ((arguments function) &body body)
  "A function that does BODY with its ARGUMENTS, then calls FUNCTION with them."
  `(sb-int:named-lambda watching (&rest ,arguments)
     (when *watch*
       ,@body)
     (apply ,function ,arguments)))

(defun watched-function (name function)
  "What code of another file that names the function NAME gets: FUNCTION, or what does the same and
watches."
  (when (typep function 'generic-function)
    (note-generic-call function))
  (cond ((typep function 'sb-eval::interpreted-function) function)
        ((not (safe-function-p name function))
         (doubt "~A is called" name)
         function)
        ((gethash name *calling-functions*)
         (watching-arguments (arguments function) (mapc #'check-callee arguments)))
        ((gethash name *symbol-functions*)
         (watching-arguments (arguments function)
           (mapc #'note-global (remove-if-not #'symbolp arguments))))
        ((gethash name *asking-functions*)
         (sb-int:named-lambda watching (&rest arguments)
           (values-list (call-noting-answer name function arguments))))
        ((eq name 'make-instance)
         (watching-arguments (arguments function) (note-shared-slots (first arguments))))
        ((member name '(warn signal))
         (watching-arguments (arguments function) (check-printing name arguments)))
        ((eq name 'format)
         (watching-arguments (arguments function)
           (check-printing name arguments)
           (check-format arguments)))
        ((eq name 'read-from-string)
         (sb-int:named-lambda watching (&rest arguments)
           (when *watch*
             (check-readable (first arguments)))
           (values-list (call-noting-answer name function arguments))))
        (t function)))

;;; Expansions that are remembered

(defun fresh-watch (watch)
  "A watch like WATCH that has seen nothing."
  (let ((fresh (copy-watch watch)))
    (setf (watch-doubt fresh) nil
          (watch-variables fresh) (make-hash-table :test 'eq))
    fresh))

(defun call-watching-apart (function)
  "Call FUNCTION. Its value, and what the watch has seen of it."
  (let ((watch *watch*))
    (if (null watch)
        (values (funcall function) (list "it was expanded before"))
        (let ((apart (fresh-watch watch)) (value nil))
          (setf *watch* apart)
          (unwind-protect (setf value (funcall function))
            (setf *watch* watch
                  (watch-roots watch) (watch-roots apart)))
          (let ((seen (cons (watch-doubt apart)
                            (loop for symbol being the hash-keys of (watch-variables apart)
                                  collect symbol))))
            (note-seen seen)
            (values value seen))))))

(defun note-seen (seen)
  "What is used now is what the watch has SEEN of before."
  (when *watch*
    (when (first seen)
      (doubt "~A" (first seen)))
    (dolist (symbol (rest seen))
      (setf (gethash symbol (watch-variables *watch*)) t))))

(defun note-expansion (expansion seen)
  (when *watch*
    (note-seen seen)
    (unless *inside*
      (push expansion (watch-roots *watch*)))))

;;; Calls

(defun own-function-p (function)
  "True if FUNCTION is the file's own, or none of a file with rows: that of an .asd file, say, which may
compile the file in a method of its own."
  (let ((unit (first (defining-form function))))
    (or (equal unit (watch-unit *watch*))
        (not (nth-value 1 (gethash unit *row-names*))))))

(defun expanding-p (function arguments)
  "True if FUNCTION expands a form of the file for the compiler: the surface holds what comes of it."
  (and (not *evaluating*)
       (consp (first arguments))
       (= (length arguments) 2)
       (typep (second arguments) '(or null sb-kernel:lexenv))
       (let ((name (first (first arguments))))
         (and (symbolp name)
              (or (eq function (macro-function name (second arguments)))
                  (eq function (compiler-macro-function name)))))))

(defun shown-arguments (function arguments)
  "Those of ARGUMENTS that are not CLOS's own."
  (cond ((waiting-function-p function) (first arguments))
        ((typep (sb-eval::interpreted-function-name function) '(cons (eql sb-pcl::fast-method)))
         (cddr arguments))
        (t arguments)))

(defun watch-outermost (next function arguments)
  (let ((watch *watch*) (values '()) (complete nil)
        (expanding (expanding-p function arguments)))
    (unless (eq sb-thread:*current-thread* (watch-thread watch))
      (doubt "another thread calls it"))
    (unwind-protect
         (let ((*inside* t))
           (setf values (multiple-value-list (funcall next function arguments))
                 complete t))
      ;; What is thrown goes unseen.
      (unless complete
        (doubt "it is left by a transfer of control"))
      (unless expanding
        (push (list* complete (shown-arguments function arguments) values) (watch-roots watch))))
    (values-list values)))

(defun watch-call (next function arguments)
  "Call NEXT, which applies the interpreted FUNCTION to ARGUMENTS."
  (cond ((and (not *inside*) (own-function-p function))
         (funcall next function arguments))
        (t (note-environment function)
           (if *inside*
               (funcall next function arguments)
               (watch-outermost next function arguments)))))

(defun watch-interpreter ()
  "Called once, when a process begins to build."
  (flet ((note-closure (next &rest arguments)
           (let ((function (apply next arguments)))
             (when (and *inside* *watch*)
               (setf (gethash function (watch-closures *watch*)) t))
             function))
         (note-reading (next symbol environment)
           (when (and *inside* *watch*)
             (note-variable symbol)
             (when *call-watch*
               (note-value-read symbol)))
           (funcall (the function next) symbol environment))
         (note-setting (next symbol value environment)
           (unless (eq *settings* :unwatched)
             (let ((binding (sb-eval::get-binding symbol environment)))
               (when (or (null binding) (eq (cdr binding) sb-eval::*special*))
                 (note-global-setting symbol value))))
           (when (and *inside* *watch*)
             (note-variable symbol)
             (when (and *call-watch* (gethash symbol (watch-variables *watch*)))
               (trouble "~A is set" symbol)))
           (funcall (the function next) symbol value environment)))
    (sb-int:encapsulate 'sb-eval::eval-lambda 'watch #'note-closure)
    (sb-int:encapsulate 'sb-eval::eval-local-function-def 'watch #'note-closure)
    (sb-int:encapsulate 'sb-eval::get-variable 'watch #'note-reading)
    (sb-int:encapsulate 'sb-eval::set-variable 'watch #'note-setting)
    (sb-int:encapsulate 'sb-eval::eval-multiple-value-call 'watch
                        (lambda (next body environment)
                          (when (and *inside* *watch*
                                     (not (typep (first body)
                                                 '(cons (member function lambda sb-int:named-lambda)))))
                            (doubt "MULTIPLE-VALUE-CALL"))
                          (funcall next body environment)))))

;;; The digest

(defun symbol-key (symbol)
  (let ((package (symbol-package symbol)))
    (plain-text "~A::~A" (and package (package-name package)) (symbol-name symbol))))

(defun watch-result (watch)
  "A digest of what the calls under WATCH have come to, as text; NIL and the reason where there is a
doubt."
  (if (watch-doubt watch)
      (values nil (watch-doubt watch))
      (handler-case
          (let ((portrait (make-portrait))
                (variables (loop for symbol being the hash-keys of (watch-variables watch)
                                 collect symbol)))
            (when (watch-roots watch)
              (portray portrait *gensym-counter*))
            (dolist (root (reverse (watch-roots watch)))
              (portray portrait root))
            (dolist (symbol (sort variables #'string< :key #'symbol-key))
              (portray-symbol portrait symbol)
              (portray portrait (symbol-plist symbol))
              (cond ((eq symbol '*features*)
                     (portray portrait (set-exclusive-or *features* (watch-features watch))))
                    ((boundp symbol) (portray portrait (symbol-value symbol)))
                    (t (mark portrait 55))))
            (hash-text (portrait-state portrait)))
        (no-portrait (condition) (values nil (no-portrait-reason condition)))
        (serious-condition (condition) (values nil (first-line (condition-text condition)))))))
