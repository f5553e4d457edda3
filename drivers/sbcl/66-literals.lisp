;;;; Literals, as they come out of a FASL.
;;;;
;;;; COMPILE-FILE makes one object of the similar lists among a file's literals, and loading the FASL makes
;;;; new structures of those in it. It shows: the compiler tells forms apart by identity, so macros whose
;;;; expansions share a list give their users other debug information than macros whose expansions
;;;; don't; and what is shared in a type or a structure is dumped otherwise than what is not. The forms that
;;;; the interpreter is given for a header are therefore given the literals that loading would have made.

(in-package :tenon-driver)

;;; Similar lists

(declaim (ftype (function (t) (values (and fixnum unsigned-byte) &optional)) literal-hash))
(defun literal-hash (thing)
  "Equal for literals that are similar."
  (typecase thing
    (cons (let ((hash 20177))
            (declare (type (and fixnum unsigned-byte) hash))
            (loop while (consp thing)
                  do (setf hash (sb-int:mix (literal-hash (pop thing)) hash)))
            (sb-int:mix (literal-hash thing) hash)))
    ((or symbol number character string) (sxhash thing))
    (t 4711)))

(defun similar-p (a b)
  "True if the literals are similar, as COMPILE-FILE has it: strings of two element types are not."
  (loop (cond ((eql a b) (return t))
              ((consp a)
               (unless (and (consp b) (similar-p (pop a) (pop b)))
                 (return nil)))
              ((stringp a)
               (return (and (stringp b)
                            (equal (array-element-type a) (array-element-type b))
                            (string= a b))))
              ((bit-vector-p a) (return (equal a b)))
              (t (return nil)))))

(sb-ext:define-hash-table-test similar-p literal-hash)

(defstruct (literals (:conc-name literals-))
  "The literals of one file."
  (lists (make-hash-table :test 'similar-p) :read-only t) ; those that stand for all that are similar
  (objects (make-hash-table :test 'eq) :read-only t))     ; structures -> what loading makes of them

(defvar *literals* nil
  "The literals of the file whose header is being made.")

(defvar *templates* (make-hash-table :test 'eq)
  "Backquote forms that no one has expanded yet -> the literals of their file.")

;;; What loading makes of a literal

(defun map-elements (function list)
  "LIST with what FUNCTION makes of its elements. As much of LIST itself as there can be: what is shared
stays shared."
  (let ((changes '()))                  ; (CONS . VALUE)...
    (loop for rest = list then (cdr rest)
          while (consp rest)
          do (let ((value (funcall function (car rest))))
               (unless (eq value (car rest))
                 (push (cons rest value) changes))))
    (if (null changes)
        list
        (let ((last (car (first changes))))
          (setf changes (nreverse changes))
          (loop for rest = list then (cdr rest)
                collect (if (eq rest (car (first changes)))
                            (cdr (pop changes))
                            (car rest))
                  into values
                until (eq rest last)
                finally (return (nconc values (cdr last))))))))

(defparameter *tails-coalesce*
  (and (some #'fboundp (find-all-symbols "CDR-SIMILARITY-P")) t)
  "True if this SBCL makes one object not only of similar lists, but of similar tails of lists, too.")

(defun loaded-element (literals element)
  (cond ((consp element) (loaded-tree literals element))
        ((sb-kernel:%instancep element) (loaded-object literals element))
        (t element)))

(defun loaded-cons (literals cons)
  "CONS with what loading makes of both its sides; CONS itself if that is what they are."
  (destructuring-bind (first . rest) cons
    (let ((loaded-first (loaded-element literals first))
          (loaded-rest (if (consp rest) (loaded-tree literals rest) rest)))
      (if (and (eq first loaded-first) (eq rest loaded-rest))
          cons
          (cons loaded-first loaded-rest)))))

(defun loaded-tree (literals tree)
  "The list that stands for those in the file that are similar to TREE, which has no cycles."
  (let ((lists (literals-lists literals)))
    (or (gethash tree lists)
        (let ((loaded (if *tails-coalesce*
                          (loaded-cons literals tree)
                          (map-elements (lambda (element) (loaded-element literals element)) tree))))
          (or (gethash loaded lists)
              (setf (gethash loaded lists) loaded))))))

(defun loaded-literal (literals thing)
  "What is there in place of THING, a literal in the file, once its FASL is loaded."
  (cond ((consp thing)
         ;; Those that have cycles, or are deep, are what they are.
         (if (sb-int:coalesce-tree-p thing)
             (loaded-tree literals thing)
             thing))
        ((sb-kernel:%instancep thing) (loaded-object literals thing))
        (t thing)))

(defvar *tagged-slots* (make-hash-table :test 'eq)
  "Types of structures -> the indices of those slots that hold objects.")

(defun tagged-slots (type)
  (or (gethash type *tagged-slots*)
      (setf (gethash type *tagged-slots*)
            (loop for slot in (sb-kernel:dd-slots (sb-kernel:find-defstruct-description type))
                  when (eq (sb-kernel:dsd-raw-type slot) t)
                    collect (sb-kernel:dsd-index slot)))))

(defun load-slots (literals structure)
  "Let the slots of STRUCTURE hold what loading makes of their values. STRUCTURE."
  (dolist (index (tagged-slots (type-of structure)) structure)
    (let* ((old (sb-kernel:%instance-ref structure index))
           (new (loaded-literal literals old)))
      (unless (eq old new)
        (setf (sb-kernel:%instance-ref structure index) new)))))

(defparameter *alien-types-are-unique*
  (flet ((parse () (sb-alien-internals:parse-alien-type '(sb-alien:signed 16) nil)))
    (eq (parse) (parse)))
  "True if there is one object for all foreign types of one kind, in this release: loading finds it, too.")

(defun loaded-object (literals object)
  "What there is in place of OBJECT, an instance. The description of a structure stays what it is: the
loaded one would take the place of the one that compiling left."
  (let ((objects (literals-objects literals)))
    (flet ((note (loaded) (setf (gethash object objects) loaded)))
      (cond ((gethash object objects))
            ((typep object 'sb-kernel:defstruct-description)
             (load-slots literals (note object)))
            ((or (typep object 'sb-kernel:defstruct-slot-description)
                 (and (not *alien-types-are-unique*)
                      (typep object '(or sb-alien-internals:alien-type
                                      sb-alien-internals:alien-record-field))))
             (load-slots literals (note (copy-structure object))))
            (t object)))))

;;; Forms

(defun form-as-loaded (literals form)
  "FORM, in which the literals are what loading makes of them."
  (labels ((walk (form)
             (cond ((atom form)
                    (if (sb-kernel:%instancep form)
                        (loaded-object literals form)
                        form))
                   ((eq (car form) 'quote) (walk-quote form))
                   ((eq (car form) 'sb-int:quasiquote)
                    (setf (gethash form *templates*) literals)
                    form)
                   (t (map-elements #'walk form))))
           (walk-quote (form)
             (let* ((thing (and (consp (cdr form)) (second form)))
                    (loaded (loaded-literal literals thing)))
               (if (eq thing loaded)
                   form
                   (list 'quote loaded)))))
    (walk form)))

(defparameter *constructors*
  '((sb-impl::|List| . list) (sb-impl::|List*| . list*) (sb-impl::|Append| . append)
    (sb-impl::|Vector| . vector))
  "What templates are made of for the compiler, which makes literals of those with constant arguments ->
what they are made of for people.")

(defun fold-template (form)
  "FORM, made of a template for the compiler, as it is for the interpreter, with literals where the
compiler would have them."
  (let ((constructor (and (consp form) (cdr (assoc (car form) *constructors*)))))
    (cond (constructor
           (let ((arguments (mapcar #'fold-template (rest form))))
             (if (every #'constantp arguments)
                 (list 'quote (apply constructor (mapcar #'sb-int:constant-form-value arguments)))
                 (cons constructor arguments))))
          ((and (consp form) (eq (car form) 'coerce)) ; a vector, if it isn't code after a comma
           (list* 'coerce (fold-template (second form)) (cddr form)))
          (t form))))

(defun expansion-as-loaded (form expansion)
  "What a macro made of FORM, with literals as they are after loading if it is a template."
  (let ((literals (gethash form *templates*))
        (expander (compiler-macro-function 'sb-int:quasiquote)))
    (cond (literals
           (remhash form *templates*)
           (form-as-loaded literals (if expander
                                        (fold-template (funcall expander form nil))
                                        expansion)))
          (t expansion))))
