;;;; What changes between the place where a function stands and the moment at which it is called.
;;;;
;;;; In a header the macros in a function's body are expanded when it is called first. A macro that was
;;;; defined anew since, whose expander calls a function that was, or that sets a variable when it is
;;;; expanded, gave something else where it was compiled. What comes of such an expansion is worth nothing:
;;;; an action in whose image or course there was one is carried out among FASLs. So is what follows a
;;;; second definition of what the compiler puts in place of names: an inline function, a symbol macro. Not
;;;; of a type: CLX does that, and code that runs at compile time asks for types as they are then.

(in-package :tenon-driver)

(defun be-unsure (format &rest arguments)
  (setf *unsure* (apply #'plain-text format arguments)))

;;; Definitions

(defvar *changes* 0
  "How often a macro or a function was defined anew.")
(defvar *changed* (make-hash-table :test 'equal)
  "The names of those that were -> what *CHANGES* was then.")

(defun defining-form (function)
  "The unit and the number of the top-level form that has made FUNCTION; NIL if that is not interpreted,
or nobody knows."
  (let ((location (and (typep function 'sb-eval::interpreted-function)
                       (sb-eval:interpreted-function-source-location function))))
    (and location
         (list (sb-c:definition-source-location-namestring location)
               (sb-c:definition-source-location-toplevel-form-number location)))))

(defun same-definition-p (one other)
  "True if both functions come from one top-level form."
  (let ((form (defining-form one)))
    (and form (equal form (defining-form other)))))

(defun note-change (name old new)
  "The macro or function NAME, which is OLD or nothing, is about to be defined as NEW. True if that makes
another one of what a file has defined."
  (when (and old (of-a-header-p old) (not (same-definition-p old new)))
    (setf (gethash name *changed*) (incf *changes*))))

(defun note-function-change (name new)
  "NOTE-CHANGE, for the function NAME. What was inline is in other functions already."
  (when (and (note-change name (definition-of name) new)
             (sb-int:fun-name-inline-expansion name))
    (be-unsure "the inline function ~A was defined anew" name)))

(defun changed-since-p (name changes)
  "True if NAME was defined anew after *CHANGES* was CHANGES."
  (and (plusp *changes*)
       (> (gethash name *changed* 0) changes)))

(defvar *expanding-since* nil
  "While a macro is expanded that stands elsewhere: what *CHANGES* was there.")

(defun note-call-in-expansion (function)
  "The interpreted FUNCTION is called while a macro is expanded that stands elsewhere."
  (let ((name (sb-eval:interpreted-function-name function)))
    (when (changed-since-p name *expanding-since*)
      (be-unsure "the function ~A, which a macro calls, was defined anew after a function that uses it"
                 name))))

(defparameter *replacing-definers*
  (known-functions "SB-C::%DEFINE-SYMBOL-MACRO" "SB-IMPL::%DEFSETF")
  "What defines its first argument as something that the compiler puts another thing in place of.")

(defvar *replacing* (make-hash-table :test 'equal)
  "(DEFINER . NAME) -> the unit and the number of the top-level form.")

(defun note-replacing-definition (form unit number)
  "FORM, of which the top-level form NUMBER of UNIT is made, is about to be evaluated for the compiler."
  (when (and (typep form '(cons symbol (cons (cons (eql quote) (cons symbol null)))))
             (member (first form) *replacing-definers*))
    (let* ((name (second (second form)))
           (key (cons (first form) name))
           (place (list unit number)))
      (unless (equal place (shiftf (gethash key *replacing* place) place))
        (be-unsure "~A was defined anew" name)))))

;;; Variables

(defvar *settings* :unwatched
  "(VARIABLE BEFORE LAST)... of the global variables that interpreted code has set while a macro is
expanded: the value before it was set first, and the last one.")

(defun note-global-setting (variable value)
  (let ((known (assoc variable *settings* :test #'eq)))
    (cond (known (setf (third known) value))
          ((boundp variable)
           (push (list variable (symbol-value variable) value) *settings*)))))

(defun setting-left ()
  "A variable that is not what it was before; NIL if there is none. What was bound and set is as it was."
  (loop for (variable before last) in *settings*
        when (and (boundp variable)
                  (eq (symbol-value variable) last)
                  (not (eql last before)))
          return variable))
