;;;; What is used of other files while a header is made or an action is carried out.
;;;;
;;;; Interpreted functions know which top-level form made them. When one is called, that is noted:
;;;; an action's answer names the rows (67-surface.lisp) that its result rests on.

(in-package :tenon-driver)

(defvar *surface* nil
  "The surface of the file whose header is being made; NIL outside of headers.")

(defun make-uses () (make-hash-table :test 'eq :synchronized t))

(defvar *uses* (make-uses)
  "The source locations of the interpreted functions that were called, and of functions that were looked up
the NAME-USEs.")

(defstruct (name-use (:constructor make-name-use (name asked)))
  "The function NAME was looked up. ASKED: whether there is one, and with which lambda list, may have made a
difference; else it had to be there. See 68-lookups.lisp."
  name
  asked
  (text nil))

(defvar *heads* (make-hash-table :test 'equal)
  "By name: the unit that has the head of the function.")

(defvar *step-uses* '()
  "The same of those that were called while FASLs were loaded, or headers that used something else than
the host knows: what is in this image rests on them.")

(defvar *docstring-uses* '()
  "The units whose docstrings were looked at.")

(defvar *used-lately* (make-array 256 :initial-element nil)
  "Of those in *USES* some, so that most calls cost nothing.")

(declaim (type simple-vector *used-lately*))

;; What comes of them is watched (69-results.lisp).

(defvar *watch* nil
  "The WATCH of the header that is being made, in whatever thread.")

(defvar *inside* nil
  "True in a call of another file's function.")

;; What an action calls is recorded (70-replay.lisp).

(defvar *call-watch* nil
  "The watch of the innermost call that is recorded or replayed; *WATCH* is another one while a macro is
expanded for good.")

(defvar *evaluating* nil
  "True while forms of the file are evaluated, not only expanded.")

(defvar *row-names* (make-hash-table :test 'equal)
  "By unit: which row a top-level form belongs to, a vector.")

(defun note-name-use (use)
  (setf (gethash use *uses*) t))

(defun note-location (location)
  "LOCATION, or a NAME-USE, is used."
  (when (name-use-p location)
    (return-from note-location (note-name-use location)))
  (let ((slot (logand (sb-c::definition-source-location-indices location) #xff8000))
        (lately *used-lately*))
    (let ((i (logand (ash slot -15) 255)))
      (unless (eq location (svref lately i))
        (setf (svref lately i) location
              (gethash location *uses*) t)))))

(defun note-use (function)
  (let ((location (sb-eval:interpreted-function-source-location function)))
    (when location
      (note-location location))))

;;; Told by unit and row

(defparameter *docstring-row* "docstrings"
  "The row that stands for the docstrings of all functions in a file.")

(defun forget-types ()
  "Types that were asked for already would be known without their expanders being called. Where other
files follow in this process the caches are emptied rather than dropped: new ones would be a third of
all that a header leaves behind."
  (if *acting*
      (sb-impl::drop-all-hash-caches)
      (dolist (name sb-impl::*cache-vector-symbols*)
        (let ((cache (symbol-value name)))
          (if (simple-vector-p cache)
              (fill cache 0)
              (set name nil))))))

(defun call-noting-uses (function)
  "Call FUNCTION, noting in *USES* what it uses. Its values."
  (clrhash *uses*)
  (fill *used-lately* nil)
  (setf *docstring-uses* '())
  (forget-types)
  (setf *noting-uses* t)
  (unwind-protect (funcall function)
    (setf *noting-uses* nil)))

(define-spares *spare-uses* "Pairs of what *USES* and *USED-LATELY* may be bound to, empty.")

(defun call-noting-apart (function)
  "The value of FUNCTION, and the locations that it has used, which nobody is told of."
  (let* ((spare (or (take-spare '*spare-uses*)
                    (cons (make-uses) (make-array 256 :initial-element nil))))
         (*uses* (car spare)) (*used-lately* (cdr spare))
         (value (funcall function))
         (locations (loop for location being the hash-keys of *uses* collect location)))
    (clrhash *uses*)
    (fill *used-lately* nil)
    (give-spare '*spare-uses* spare)
    (values value locations)))

(defun keep-step-uses (&key (names t))
  "What was used a moment ago, and looked up if NAMES, is used by all that this image is for."
  (loop for use being the hash-keys of *uses*
        unless (and (name-use-p use) (not names))
          do (pushnew use *step-uses* :test #'eq)))

(defun call-noting-step-uses (function)
  "Call FUNCTION, which loads a FASL. Its values. The loader looks up all that the FASL names, which says
nothing; what its code asks for was compiled in, for the most part."
  (multiple-value-prog1 (call-noting-uses function)
    (keep-step-uses :names nil)))

(defun location-row (location)
  "The unit and the row, a name or a ROW, that the source location is in; or NIL, as of a NAME-USE."
  (when (name-use-p location)
    (return-from location-row (values nil nil)))
  (let* ((unit (sb-c:definition-source-location-namestring location))
         (rows (and unit (gethash unit *row-names*)))
         (number (sb-c:definition-source-location-toplevel-form-number location)))
    (if (and rows number (< -1 number (length rows)))
        (values unit (aref rows number))
        (values nil nil))))

(defun use-row (use names)
  "The unit and the row of USE, a location or, if NAMES, a NAME-USE; what nobody has defined is in the unit
without a name."
  (if (name-use-p use)
      (values (gethash (name-use-name use) *heads* "")
              (and names (name-use-row use)))
      (location-row use)))

(defvar *telling-names* t
  "False where nobody wants to hear which functions were looked up.")

(defun used-rows (&key except (own t) (steps *step-uses*) (names *telling-names*))
  "((UNIT ROW...)...) of what was used, if OWN, and was by STEPS before, but of the unit EXCEPT; with the heads
that were looked up if NAMES."
  (let ((units (make-hash-table :test 'equal)))
    (flet ((note (unit row)
             (when (and row (not (equal unit except)))
               (let ((rows (or (gethash unit units)
                               (setf (gethash unit units) (make-hash-table :test 'equal)))))
                 (setf (gethash row rows) t)))))
      (when own
        (loop for use being the hash-keys of *uses*
              do (multiple-value-call #'note (use-row use names)))
        (dolist (unit *docstring-uses*)
          (when (gethash unit *row-names*)
            (note unit *docstring-row*))))
      (dolist (use steps)
        (multiple-value-call #'note (use-row use names))))
    (sort (loop for unit being the hash-keys of units using (hash-value rows)
                collect (cons unit (sort (loop for row being the hash-keys of rows collect row)
                                         #'string<)))
          #'string< :key #'first)))
