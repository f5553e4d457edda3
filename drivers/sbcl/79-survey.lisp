;;;; What a file uses of others, and which step of an image it comes from.
;;;;
;;;; While a file is compiled and loaded, the compiler and the loader look names up: in SBCL's global
;;;; database, among packages, in packages. A survey notes these names. Which steps of an image
;;;; change what a name means, the request (:CHANGERS ...) finds out. Together they tell what a file
;;;; uses: names as the compiler saw them, after all macros, and not words that look alike.

(in-package :tenon-driver)

;;; Names
;;;
;;; A name is (KIND PACKAGE NAME), as everywhere; KIND is here the part of the database that was
;;; asked, :PACKAGE, or :SYMBOL (what NAME means to those who read it in PACKAGE).

(defvar *info-kinds* '()
  "By number of a kind of information: the keyword of its category, or NIL for what makes no
difference to a compile.")

(defparameter *idle-info*
  '((:function :assumed-type) (:function :emitted-full-calls) (:function :deprecated)
    (:function :predicate-for) (:function :predicate-truth-constraint) (:function :walker-template)
    (:variable :deprecated) (:variable :forward-references) (:variable :documentation)
    (:type :documentation) (:type :source-location) (:type :deprecated)
    (:typed-structure :documentation))
  "What the database holds about names and code does not depend on.")

(defparameter *idle-categories* '(:random-documentation :source-location :symbol))

(defun note-info-kinds ()
  "Called once, when the base core is made."
  (setf *info-kinds*
        (map 'vector
             (lambda (meta)
               (and meta
                    (let ((category (sb-impl::meta-info-category meta))
                          (kind (sb-impl::meta-info-kind meta)))
                      (and (not (member category *idle-categories*))
                           (not (member (list category kind) *idle-info* :test #'equal))
                           category))))
             sb-impl::*info-types*)))

(defvar *bare-packages* '()
  "The packages of the base core, but for those in which users define things.")

(defun note-bare-packages ()
  "Called once, when the base core is made."
  (setf *bare-packages* (set-difference (list-all-packages)
                                        (mapcar #'find-package '(:cl-user :asdf-user)))))

(defun bare-symbol-p (symbol)
  "True if SYMBOL is the Lisp's own: no step defines it."
  (or (null (symbol-package symbol))
      (member (symbol-package symbol) *bare-packages* :test #'eq)))

;;; Looking up

(defstruct (lookups (:constructor make-lookups ()))
  "What was looked up."
  (info (make-hash-table :test 'equal))     ; (CATEGORY . NAME) that the database was asked for
  (packages (make-hash-table :test 'equal)) ; names of packages
  (symbols (make-hash-table :test 'equal)) ; (PACKAGE . NAME) as they were read
  (mentions (make-hash-table :test 'eq))   ; symbols that are named without being looked up
  (read-in '()))                           ; the packages that were current

(defvar *lookups* nil
  "Where lookups are noted; NIL while they are not.")

(defun looked-up-name (name)
  "NAME if a step may define it: a symbol, or (SETF symbol); or NIL. The compiler's own lists may
live on the stack, and are copied."
  (cond ((symbolp name) (and (not (bare-symbol-p name)) name))
        ((and (consp name) (eq (first name) 'setf) (consp (rest name)) (symbolp (second name)))
         (and (not (bare-symbol-p (second name))) (list 'setf (second name))))))

(defun note-info (name number answer found)
  "Called by SBCL when its database is asked."
  (declare (ignore answer found))
  (let ((lookups *lookups*) (category (svref *info-kinds* number)))
    (when (and lookups category)
      (let* ((*lookups* nil) (kept (looked-up-name name)))
        (when kept
          (setf (gethash (cons category kept) (lookups-info lookups)) t))))))

(defun note-package (designator)
  "A package was asked for by name."
  (let ((lookups *lookups*))
    (when (and lookups (typep designator '(or string symbol character)))
      (let ((*lookups* nil))
        (setf (gethash (string designator) (lookups-packages lookups)) t)))))

(defun note-symbol (symbol)
  "SYMBOL was read in the current package."
  (let* ((home (symbol-package symbol)) (name (symbol-name symbol)))
    (unless (or (null home) (eq home *package*))
      (multiple-value-bind (found status) (find-symbol name *package*)
        (let ((here (and status (eq found symbol))))
          (when here
            (setf (gethash (cons (package-name *package*) name) (lookups-symbols *lookups*)) t))
          (unless (member home *bare-packages* :test #'eq)
            (setf (gethash (package-name home) (lookups-packages *lookups*)) t)
            (when (or (not here) (eq status :inherited))
              (setf (gethash (cons (package-name home) name) (lookups-symbols *lookups*)) t))))))))

(defun note-mention (lookups symbol)
  "SYMBOL stands where it may name something when the code runs."
  (unless (bare-symbol-p symbol)
    (setf (gethash symbol (lookups-mentions lookups)) t)))

(defun map-conses (function form)
  "Call FUNCTION with each cons and each symbol in FORM, once, as deep as a million of them go."
  (let ((seen (make-hash-table :test 'eq)) (stack (list form)))
    (loop while (and stack (< (hash-table-count seen) 1000000))
          do (let ((at (pop stack)))
               (when (typep at '(or cons symbol simple-vector sb-impl::comma))
                 (unless (gethash at seen)
                   (setf (gethash at seen) t)
                   (typecase at
                     (cons (funcall function at)
                      (push (rest at) stack)
                      (push (first at) stack))
                     (symbol (funcall function at))
                     (simple-vector (loop for x across at do (push x stack)))
                     (t (push (sb-int:comma-expr at) stack)))))))))

(defun note-mentions-in (lookups form)
  "FORM, a cons, may quote names: a symbol, or what a macro expands into."
  (case (first form)
    (quote (when (and (consp (rest form)) (symbolp (second form)))
             (note-mention lookups (second form))))
    (sb-int:quasiquote (map-conses (lambda (at)
                                     (when (symbolp at)
                                       (note-mention lookups at)))
                                   (rest form)))))

(defun note-symbols-in (form)
  "FORM was read in the current package."
  (pushnew *package* (lookups-read-in *lookups*))
  (map-conses (lambda (at)
                (if (symbolp at)
                    (note-symbol at)
                    (note-mentions-in *lookups* at)))
              form))

(defun observe-lookups ()
  "Let this process, which ends afterwards, note lookups in *LOOKUPS* while that is not NIL."
  (setf *telling-names* nil)
  (let ((depth 0))
    (sb-int:encapsulate 'sb-c::process-toplevel-form 'note-symbols
                        (lambda (next form &rest arguments)
                          (when (and *lookups* (zerop depth))
                            (note-symbols-in form))
                          (incf depth)
                          (unwind-protect (apply next form arguments)
                            (decf depth)))))
  (dolist (function '(find-package sb-impl::reader-find-package sb-int:%find-package-or-lose
                      sb-int:find-undeleted-package-or-lose))
    (when (fboundp function)
      (sb-int:encapsulate function 'note-package
                          (lambda (next designator &rest arguments)
                            (note-package designator)
                            (apply next designator arguments)))))
  (setf sb-impl::*globaldb-observer* (cons (1- (ash 1 64)) #'note-info)))

(defun lookup-names (lookups)
  "What was looked up, as a list of names."
  (let ((names '()))
    (loop for (category . name) being the hash-keys of (lookups-info lookups)
          do (push (name-form category name) names))
    (loop for name being the hash-keys of (lookups-packages lookups)
          for package = (find-package name)
          unless (member package *bare-packages* :test #'eq)
            do (push (list :package (if package (package-name package) name) "") names)
               (when (and package (string/= name (package-name package)))
                 (push (list :package name "") names)))
    (loop for (package . name) being the hash-keys of (lookups-symbols lookups)
          do (push (list :symbol package name) names))
    names))

(defun mention-names (lookups)
  "What symbols that were mentioned may name, as far as that was not looked up."
  (let ((names '()))
    (loop for symbol being the hash-keys of (lookups-mentions lookups)
          do (dolist (category '(:function :variable :type :setf))
               (unless (gethash (cons category symbol) (lookups-info lookups))
                 (push (name-form category symbol) names)))
             (push (name-form :function (list 'setf symbol)) names))
    names))

;;; Surveying

(defun note-skipped (lookups plist)
  "Note the names in those parts of the action's source that the reader passed over."
  (with-plist (op system component) plist
    (let* ((*lookups* nil)
           (input (first (ignore-errors
                          (asdf:input-files (find-operation-named op)
                                            (find-component-named system component)))))
           (text (and input (source-text (native input)))))
      (when text
        (map-skipped-symbols (lambda (symbol) (note-mention lookups symbol))
                             text (lookups-read-in lookups))))))

(defun load-outputs (folder outputs)
  "Load what an action made, as its dependents would. True if it went well."
  (loop for (relative) in outputs
        for path = (native-pathname (format nil "~A/~A" folder relative))
        always (or (not (string-equal (pathname-type path) "fasl"))
                   (let ((*package* *package*))
                     (call-working (lambda () (load path)))))))

(defun merge-uses (uses more)
  "Two lists of ((UNIT ROW...)...) in one."
  (dolist (use more uses)
    (let ((known (assoc (first use) uses :test #'string=)))
      (if known
          (setf (rest known) (union (rest known) (rest use) :test #'string=))
          (push use uses)))))

(defun answer-survey (&rest plist)
  "Answer to (:SURVEY plist...): carry out the action, load what it made, and say which names were
looked up."
  (observe-lookups)
  (let* ((lookups (make-lookups))
         (*step-uses* '())              ; what other files used is told of them
         (acted (let ((*lookups* lookups))
                  (apply #'answer-act plist))))
    (with-plist (status outputs uses diagnostics) (rest acted)
      (let ((folder (trim-slash (getf plist :scratch))) (loaded nil))
        (with-diagnostics ()
          (with-captured-output (output)
            (let ((*lookups* lookups))
              (call-noting-uses
               (lambda ()
                 (setf loaded (and (eq status :ok) (load-outputs folder outputs))))))))
        (list :surveyed :status status :loaded (and loaded t)
                        :names (lookup-names lookups)
                        :mentions (progn (note-skipped lookups plist)
                                         (mention-names lookups))
                        :uses (merge-uses (copy-tree uses) (used-rows))
                        :diagnostics diagnostics)))))

;;; Changers

(defun function-state (name)
  "What code that names the operator NAME is compiled from."
  (let ((from (sb-int:info :function :where-from name)))
    (list (sb-int:info :function :kind name)
          (if (eq from :assumed) nil from)
          (and (fboundp name) (ignore-errors (fdefinition name)))
          (and (eq from :declared) (sb-int:info :function :type name))
          (sb-int:info :function :inlining-data name)
          (sb-int:info :function :inlinep name)
          (sb-int:info :function :compiler-macro-function name)
          (sb-int:info :function :source-transform name)
          (sb-int:info :function :info name))))

(defun function-change (old new)
  "What became of a function whose state was OLD: a keyword. :FUNCTION and :GENERIC make no difference
to code that calls it, but for its being there."
  (destructuring-bind (kind from function type inlining inlinep compiler-macro transform info) new
    (flet ((changed (index value) (not (eql (nth index old) value))))
      (cond ((and (eq kind :macro) (or (changed 0 kind) (changed 2 function))) :macro)
            ((and compiler-macro (changed 6 compiler-macro)) :compiler-macro)
            ((or (changed 7 transform) (changed 8 info)) :structure)
            ((and inlining (changed 4 inlining)) :inline)
            ((changed 5 inlinep) :inline-declaration)
            ((changed 3 type) :function-type)
            ((typep function 'generic-function) (and (changed 2 function) :generic))
            ((or (changed 2 function) (changed 0 kind) (and from (changed 1 from))) :function)))))

(defun variable-state (name)
  (let ((kind (sb-int:info :variable :kind name)))
    (list kind
          (and (eq kind :constant) (boundp name) (symbol-value name))
          (sb-int:info :variable :always-bound name)
          (and (eq (sb-int:info :variable :where-from name) :declared)
               (sb-int:info :variable :type name))
          (and (eq kind :macro) (sb-int:info :variable :macro-expansion name))
          (and (eq kind :alien) t))))

(defun type-state (name)
  "A class that was merely named, as another one's superclass, is none yet. Layouts don't count: they
come to be when the first instance is made."
  (let ((class (find-class name nil)))
    (if (typep class 'sb-mop:forward-referenced-class)
        '()
        (list (sb-int:info :type :kind name)
              class
              (sb-int:info :type :expander name)))))

(defun package-state (package)
  (and package
       (list (package-name package)
             (sort (mapcar #'package-name (package-use-list package)) #'string<)
             (sort (copy-list (package-nicknames package)) #'string<)
             (sort (mapcar #'first (sb-ext:package-local-nicknames package)) #'string<)
             (sort (mapcar #'symbol-name (package-shadowing-symbols package)) #'string<))))

(defun symbol-state (package name)
  "What NAME means where it is read in PACKAGE. A symbol that reading would make is as good as one
that is there."
  (multiple-value-bind (symbol status) (find-symbol name package)
    (if (or (null status) (and (eq status :internal) (eq (symbol-package symbol) package)))
        nil
        (list symbol (if (eq status :external) :external :internal)))))

(defun name-in-image (package name)
  "The symbol or (SETF symbol) that (KIND PACKAGE NAME) is about, or NIL and NIL."
  (let ((setf (setf-name-p name)))
    (multiple-value-bind (symbol status)
        (find-named-symbol package (if setf (subseq name 6 (1- (length name))) name))
      (and status
           (values (if setf (list 'setf symbol) symbol) t)))))

(defun name-state (name)
  "What NAME is in this image; two states are EQUAL when they make no difference."
  (destructuring-bind (kind package symbol-name) name
    (case kind
      (:package (package-state (find-package package)))
      (:symbol (let ((package (find-package package)))
                 (and package (symbol-state package symbol-name))))
      (t (multiple-value-bind (object found) (name-in-image package symbol-name)
           (and found
                (if (consp object)
                    (and (eq kind :function) (function-state object))
                    (ecase kind
                      (:function (function-state object))
                      (:variable (variable-state object))
                      (:type (type-state object))
                      (:setf (list (sb-int:info :setf :expander object)))
                      (:cas (list (sb-int:info :cas :expander object)))
                      (:alien-type (list (sb-int:info :alien-type :kind object)
                                         (sb-int:info :alien-type :definition object)
                                         (sb-int:info :alien-type :translator object)))
                      (:declaration (list (sb-int:info :declaration :known object)))
                      (:typed-structure (list (sb-int:info :typed-structure :info object)))))))))))

(defun state-equal (a b)
  (or (eq a b)
      (and (= (length a) (length b))
           (every #'equal a b))))

(defun name-change (kind old new)
  "What a step did to a name of KIND: a keyword, or NIL if nothing that counts."
  (cond ((state-equal old new) nil)
        ((every #'null new) (and (some #'identity old) :removed))
        (t (case kind
             (:function (function-change old new))
             (:variable (let ((variable (first new)))
                          (case variable
                            (:unknown nil)
                            (:macro :symbol-macro)
                            (t variable))))
             (:type (cond ((typep (second new) 'structure-class) :structure)
                          ((second new) (and (not (state-equal old new)) :class))
                          ((third new) :type)
                          ((first new) :type)))
             (:symbol (second new))
             (:package kind)
             (t (and (some #'identity new)
                     (if (eq kind :setf) :setf-expander kind)))))))

(defun answer-changers (out names &rest steps)
  "Answer to (:CHANGERS OUT (name...) step...): which steps changed what the names mean."
  (use-output-folder out)
  (let* ((names (coerce names 'simple-vector))
         (states (map 'simple-vector #'name-state names))
         (changes (make-array (length names) :initial-element '()))
         (failed '()))
    (with-diagnostics ()
      (loop for step in steps
            for index from 0
            do (when (carry-out-all (list step))
                 (push index failed))
               (loop for i from 0 below (length names)
                     for name across names
                     for state = (name-state name)
                     for change = (name-change (first name) (svref states i) state)
                     do (when change
                          (push (list index change) (svref changes i)))
                        (setf (svref states i) state))))
    (list* :changers (nreverse failed)
           (loop for name across names
                 for change across changes
                 when change
                   collect (cons name (reverse change))))))
