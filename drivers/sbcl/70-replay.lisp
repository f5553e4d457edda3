;;;; Replays: was this body's change one that a file which was compiled with its help could notice?
;;;;
;;;; While a file is compiled, its macros call functions of other files. Such a call is recorded where
;;;; it acts on nothing but what it is given, and where all that has a printed form: what the function
;;;; was called with, and what came of it. Once the body of such a function has changed, its calls are
;;;; carried out again, in an image like that of the compile. Where the same comes of all of them, the
;;;; compile would do what it did.
;;;;
;;;; Each row (67-surface.lisp) is recorded by itself, until there is a doubt. What leads into its code
;;;; other than a recorded call is one. Calls within a call are watched as in 69-results.lisp.

(in-package :tenon-driver)

(defparameter *replay-calls-limit* 1000
  "Calls of one row that are recorded. What is called more often is not: that would take too long.")

(defparameter *replay-tries-limit* 4000
  "The same with those that were recorded before.")

(defparameter *replay-total-limit* 400000
  "Characters of all calls that are recorded of one action.")

;;; What surrounds a call

(defparameter *replay-settings*
  '(*print-array* *print-base* *print-case* *print-circle* *print-escape* *print-gensym* *print-length*
    *print-level* *print-lines* *print-miser-width* *print-pretty* *print-radix* *print-readably*
    *print-right-margin* *read-base* *read-default-float-format* *read-eval* *read-suppress*)
  "Variables that the functions of the Lisp act on.")

(defun replay-settings ()
  (mapcar #'symbol-value *replay-settings*))

;;; What was recorded

(defstruct (calls (:constructor make-calls (unit row)))
  "Those of one row."
  unit
  row
  (depth 0 :type fixnum)                ; how many recorded calls of it are under way
  (doubt nil)                           ; why nothing can be said of the row, a text
  (entries '())                         ; of CALL, last first
  (count 0 :type fixnum)
  (tries 0 :type fixnum)
  (known (make-hash-table :test 'equal)) ; texts of calls that ask for nothing else
  (met (make-hash-table :test 'eq)))    ; objects in what came of the calls -> T

(defstruct call
  given                                 ; text of (NAME PACKAGE . ARGUMENTS)
  asked                                 ; text of (COUNTER VARIABLES ANSWERS), or NIL for none of these
  came)                                 ; text of what came of it, NIL for that of an expansion

(defstruct (recording (:constructor make-recording (&key (exact t))))
  "What is recorded of one action, or of a header."
  exact                                 ; true if the names of generated symbols count
  (thread sb-thread:*current-thread*)
  (settings (replay-settings))
  (by-location (make-hash-table :test 'eq))
  (by-row (make-hash-table :test 'equal))
  (expanded (make-hash-table :test 'eq)) ; macro forms that were expanded meanwhile
  (redefined nil)                       ; true if what another file defined was defined anew
  (total 0 :type fixnum))

(defun calls-at (location)
  "The CALLS of the row that the source location is in, or NIL."
  (let ((table (recording-by-location *action-calls*)))
    (multiple-value-bind (calls known) (gethash location table)
      (if known
          calls
          (setf (gethash location table)
                (multiple-value-bind (unit row) (location-row location)
                  (when row
                    (let ((key (cons unit row)) (rows (recording-by-row *action-calls*)))
                      (or (gethash key rows)
                          (setf (gethash key rows) (make-calls unit row)))))))))))

(defun doubt-calls (calls format &rest arguments)
  (unless (calls-doubt calls)
    (setf (calls-doubt calls) (apply #'plain-text format arguments)
          (calls-entries calls) '()
          (calls-met calls) nil)
    (clrhash (calls-known calls))))

(defun doubt-location (location)
  "The row at LOCATION is used otherwise than by a call."
  (when (and *action-calls* location)
    (let ((calls (calls-at location)))
      (when calls
        (doubt-calls calls "it is used without being called")))))

(defun note-redefinition (name)
  "The function or macro NAME is about to be defined. A replay, in the image from which the action
started, would not see what is another one now."
  (let ((function (or (and (symbolp name) (macro-function name))
                      (definition-of name))))
    (when (typep function 'sb-eval::interpreted-function)
      (setf (recording-redefined *action-calls*) t))))

;; Not %DEFMACRO, which calls it: while that is encapsulated, files compile to other bytes.
(define-wrapper (setf macro-function) note-macro (next arguments)
  (when *action-calls*
    (note-redefinition (second arguments)))
  (note-change (second arguments) (macro-function (second arguments)) (first arguments))
  (apply next arguments))

(defun note-generic-call (function)
  "A call reaches the generic FUNCTION. A replay would not see the methods that the action added."
  (when (and *call-watch* (not (eq (call-watch-expected *call-watch*) :none))
             (not (accessor-p function)))
    (trouble "the generic function ~A is called" (sb-mop:generic-function-name function))))

(defun note-fresh-expansion (form)
  "The macro FORM was expanded for good: the calls that this took were recorded."
  (when *action-calls*
    (setf (gethash form (recording-expanded *action-calls*)) t)))

(defvar *given-expansions* (make-hash-table :test 'eq)
  "Macro forms -> (TEXT EXACT PACKAGE): what GIVEN-TEXT says of their expansion in that package.")

(defun given-expansion (form)
  "What GIVEN-TEXT says of the expansion of the macro FORM. Most forms are asked for by many headers."
  (destructuring-bind (&optional text (exact nil known) package) (gethash form *given-expansions*)
    (if (and known (eq exact *exact-names*) (eq package *package*))
        text
        (let ((text (with-writing (writing)
                      (values (given-text writing :expand (list (first form) form))))))
          (setf (gethash form *given-expansions*) (list text *exact-names* *package*))
          text))))

(defun note-old-expansion (form expander locations)
  "The expansion of the macro FORM is used again, for which EXPANDER and the functions at LOCATIONS were
called before anything was recorded. To replay that, it is expanded anew."
  (when (and *action-calls* (not (gethash form (recording-expanded *action-calls*))))
    (setf (gethash form (recording-expanded *action-calls*)) t)
    (let ((given (and (eq (macro-function (first form)) expander)
                      (let ((*exact-names* (recording-exact *action-calls*)))
                        (given-expansion form)))))
      (dolist (location locations)
        (let ((calls (calls-at location)))
          (cond ((or (null calls) (calls-doubt calls)))
                ((null given) (doubt-calls calls "it is used without being called"))
                ((not (gethash given (calls-known calls)))
                 (keep-call calls given (text-of (list 0 nil nil)) nil)
                 (setf (gethash given (calls-known calls)) t))))))))

;;; Watching a call

(defvar *call-closures* (make-hash-table :test 'eq :weakness :key)
  "Closures that calls have made: what a call gets has none in it, so these are its own.")

(defvar *call-generics* (make-hash-table :test 'eq)
  "As WATCH-GENERICS, for all calls.")

(defstruct (call-watch (:include watch
                        (closures *call-closures*) (generics *call-generics*)
                        (environments nil) (features nil))
                       (:constructor make-call-watch (unit)))
  (reads '())                           ; (VARIABLE . VALUE), as each was read first
  (answers '())                         ; ((NAME . ARGUMENTS) . VALUES), last first
  (expected :none)                      ; when the call is replayed: what ANSWERS were
  (trouble nil))                        ; why the call can't be replayed, though it may be watched; a text

(defun trouble (format &rest arguments)
  (unless (call-watch-trouble *call-watch*)
    (setf (call-watch-trouble *call-watch*) (apply #'plain-text format arguments))))

(defun note-value-read (symbol)
  "A call reads the variable SYMBOL."
  (cond ((not (eq *watch* *call-watch*)))
        ((not (gethash symbol (watch-variables *watch*))))
        ((assoc symbol (call-watch-reads *watch*) :test #'eq))
        ((not (boundp symbol)) (trouble "~A is unbound" symbol))
        (t (let ((value (symbol-value symbol)))
             (if (typep value '(or symbol number character package))
                 (push (cons symbol value) (call-watch-reads *watch*))
                 (trouble "~A is read" symbol))))))

(defun answer-question (name function arguments)
  "Call FUNCTION, which asks what is in an image, under the name NAME. A replay gets the answers that
were given then. A list of values."
  (let ((question (list* name *package* arguments)))
    (flet ((ask ()
             (let ((values (multiple-value-list (apply function arguments))))
               (if (eq name 'fboundp) (list (and (first values) t)) values))))
      (cond ((not (eq *watch* *call-watch*))
             (let ((values (ask)))
               (push (cons question values) (watch-roots *watch*))
               values))
            ((eq (call-watch-expected *watch*) :none)
             (let ((values (ask)))
               (push (cons question values) (call-watch-answers *watch*))
               values))
            (t (let ((expected (assoc question (call-watch-expected *watch*) :test #'equal)))
                 (unless expected
                   (trouble "~A is asked for something else" name))
                 (let ((values (if expected (rest expected) (ask))))
                   (push (cons question values) (call-watch-answers *watch*))
                   values)))))))

(defun lost-question (watch)
  "The name of a question that was to be asked under WATCH and was not: asking may have made something."
  (unless (eq (call-watch-expected watch) :none)
    (loop for (question) in (call-watch-expected watch)
          unless (assoc question (call-watch-answers watch) :test #'equal)
            return (first question))))

(defun call-doubt (watch)
  "Why what came of the call under WATCH says nothing, or NIL."
  (cond ((watch-doubt watch))
        ((call-watch-trouble watch))
        ((watch-roots watch) "it rests on what it closes over")
        ((loop for symbol being the hash-keys of (watch-variables watch)
               unless (assoc symbol (call-watch-reads watch) :test #'eq)
                 return (plain-text "~A is looked at" symbol)))
        ((loop for (symbol . value) in (call-watch-reads watch)
               unless (and (boundp symbol) (eql (symbol-value symbol) value))
                 return (plain-text "~A is bound anew" symbol)))
        ((lost-question watch)
         (plain-text "~A is not asked any more" (lost-question watch)))))

(defun merge-watch (watch outer)
  "What was seen under WATCH, the call under OUTER has done."
  (when (watch-doubt watch)
    (unless (watch-doubt outer)
      (setf (watch-doubt outer) (watch-doubt watch))))
  (setf (watch-roots outer) (append (watch-roots watch) (watch-roots outer)))
  (loop for symbol being the hash-keys of (watch-variables watch)
        do (setf (gethash symbol (watch-variables outer)) t))
  (when (call-watch-p outer)
    (unless (call-watch-trouble outer)
      (setf (call-watch-trouble outer) (call-watch-trouble watch)))
    (loop for (symbol . value) in (call-watch-reads watch)
          for known = (assoc symbol (call-watch-reads outer) :test #'eq)
          do (cond ((null known) (push (cons symbol value) (call-watch-reads outer)))
                   ((not (eql (cdr known) value))
                    (setf (call-watch-trouble outer) "a variable is bound anew"))))
    (setf (call-watch-answers outer)
          (append (call-watch-answers watch) (call-watch-answers outer))))
  ;; To a header's watch, which is no CALL-WATCH, answers are roots.
  (unless (call-watch-p outer)
    (setf (watch-roots outer) (append (call-watch-answers watch) (watch-roots outer)))))

(defun call-under-watch (watch function)
  "The values of FUNCTION as a list, called with what it does under WATCH."
  (let ((outer *watch*))
    (when outer
      (setf (watch-closures watch) (watch-closures outer)
            (watch-generics watch) (watch-generics outer)))
    (unwind-protect
         (let ((*watch* watch) (*call-watch* watch) (*inside* t))
           (multiple-value-list (funcall function)))
      (when outer
        (merge-watch watch outer)))))

;;; Recording

(defun global-name (function)
  "The name under which all can call the interpreted FUNCTION, or NIL."
  (let ((name (sb-eval:interpreted-function-name function)))
    (and (symbolp name) name (symbol-package name)
         (not (macro-function name))
         (eq (definition-of name) function)
         name)))

(defun asked-text (counter watch)
  "A text of what a call that began with COUNTER has asked for under WATCH; NIL if nothing."
  (let ((counted (/= counter *gensym-counter*))
        (reads (call-watch-reads watch)) (answers (reverse (call-watch-answers watch))))
    (when (or counted reads answers)
      (text-of (list (and counted (if *exact-names* counter 0)) reads answers)))))

(defun came-text (writing counter arguments values)
  "A text of what came of a call with ARGUMENTS: what they hold now, the VALUES, and how many names were
made."
  (written-text writing (list (- *gensym-counter* counter) arguments values)))

(defun note-met (writing met)
  "Put the objects in the text into the table MET."
  (loop for object being the hash-keys of (writing-seen writing)
        do (setf (gethash object met) t)))

(defun keep-call (calls given asked came)
  (let ((length (+ (length given) (length asked) 40)))
    (cond ((> (incf (calls-count calls)) *replay-calls-limit*)
           (doubt-calls calls "it is called too often"))
          ((> (incf (recording-total *action-calls*) length) *replay-total-limit*)
           (doubt-calls calls "the calls take too much room"))
          (t (unless asked
               (setf (gethash given (calls-known calls)) t))
             (push (make-call :given given :asked asked :came came) (calls-entries calls))))))

(defun call-recorded (next function arguments calls given given-objects)
  "Call FUNCTION and record it as one of CALLS, with the text GIVEN of what it gets. Its values, a list."
  (let ((watch (make-call-watch (calls-unit calls))) (counter *gensym-counter*) (complete nil))
    (flet ((watched (function arguments)
             (values-list (call-under-watch
                           watch (lambda () (watch-call next function arguments))))))
      (let ((values (unwind-protect
                         (multiple-value-prog1
                             (multiple-value-list
                              (if (and *watch* (not *call-watch*))
                                  (watch-call #'watched function arguments) ; the header's watch
                                  (watched function arguments)))
                           (setf complete t))
                      (unless complete
                        (doubt-calls calls "it is left by a transfer of control"))))
            (doubt (call-doubt watch)))
        (if doubt
            (doubt-calls calls "~A" doubt)
            (handler-case
                (with-writing (writing given-objects)
                  (keep-call calls given (asked-text counter watch)
                             (came-text writing counter arguments values))
                  (when (calls-met calls)
                    (note-met writing (calls-met calls))))
              (no-portrait (condition)
                (doubt-calls calls "~A" (no-portrait-reason condition)))))
        values))))

(defun given-text (writing name arguments)
  "A text of what a call of NAME is given; NIL and the reason where there is none."
  (handler-case (written-text writing (list* name *package* arguments))
    (no-portrait (condition) (values nil (no-portrait-reason condition)))))

(defun call-plainly (next function arguments)
  (if *watch*
      (watch-call next function arguments)
      (funcall next function arguments)))

(defun record-call (next function arguments)
  "Call NEXT, which applies the interpreted FUNCTION to ARGUMENTS, while an action is recorded."
  (let* ((location (sb-eval:interpreted-function-source-location function))
         (calls (and location (calls-at location))))
    (cond ((or (null calls) (calls-doubt calls))
           (call-plainly next function arguments))
          ((not (eq sb-thread:*current-thread* (recording-thread *action-calls*)))
           (doubt-calls calls "another thread calls it")
           (call-plainly next function arguments))
          ((plusp (calls-depth calls))
           (call-plainly next function arguments))
          ((> (incf (calls-tries calls)) *replay-tries-limit*)
           (doubt-calls calls "it is called too often")
           (call-plainly next function arguments))
          (t (record-outermost next function arguments calls)))))

(defun record-outermost (next function arguments calls)
  (let ((name (global-name function)) (*exact-names* (recording-exact *action-calls*)))
    (with-writing (writing)
      (multiple-value-bind (given reason)
          (cond ((null name) (values nil "it is called by other means than its name"))
                ((not (equal (replay-settings) (recording-settings *action-calls*)))
                 (values nil "the printer is set otherwise"))
                (t (given-text writing name arguments)))
        (cond ((null given)
               (doubt-calls calls "~A" reason)
               (call-plainly next function arguments))
              (t (incf (calls-depth calls))
                 (unwind-protect
                      (if (gethash given (calls-known calls))
                          (call-plainly next function arguments)
                          (values-list (call-recorded next function arguments calls given
                                                      (writing-seen writing))))
                   (decf (calls-depth calls)))))))))

;;; Replaying

(defun replay-doubt (format &rest arguments)
  (error 'no-portrait :reason (apply #'plain-text format arguments)))

(defun replayed-function (name unit row)
  "The function NAME, which must be one of the ROW in UNIT."
  (let ((function (definition-of name)))
    (unless (typep function 'sb-eval::interpreted-function)
      (replay-doubt "~A is no function of a header" name))
    (let ((location (sb-eval:interpreted-function-source-location function)))
      (multiple-value-bind (its-unit its-row) (and location (location-row location))
        (unless (and (equal its-unit unit) (equal its-row row))
          (replay-doubt "~A is defined elsewhere" name))))
    function))

(defun expand-again (name form)
  "What the macro NAME of a header makes of FORM."
  (let ((function (macro-function name)))
    (unless (typep function 'sb-eval::interpreted-function)
      (replay-doubt "~A is no macro of a header" name))
    (funcall function form (sb-kernel:make-null-lexenv))))

(defun apply-again (name unit row arguments)
  (if (eq name :expand)
      (apply #'expand-again arguments)
      (sb-eval::interpreted-apply (replayed-function name unit row) arguments)))

(defun replay-call (unit row given asked function &optional kept)
  "Carry out one call. Give FUNCTION the text of what came of it, and the writing, in which the objects
that are in the table KEPT are marked."
  (destructuring-bind (name package . arguments) (read-text given)
    (destructuring-bind (counter reads answers) (if asked (read-text asked) '(nil nil nil))
      (let* ((*package* package)
             (start (or counter *gensym-counter*))
             (*gensym-counter* start)
             (watch (make-call-watch unit)))
        (with-writing (given-again)
          (unless (equal (given-text given-again name arguments) given)
            (replay-doubt "what ~A was given can't be had again" name))
          (setf (call-watch-expected watch) answers)
          (let ((values (progv (mapcar #'car reads) (mapcar #'cdr reads)
                          (prog1 (call-under-watch
                                  watch (lambda () (apply-again name unit row arguments)))
                            (let ((doubt (call-doubt watch)))
                              (when doubt
                                (replay-doubt "~A" doubt)))))))
            (loop for (symbol) in (call-watch-reads watch)
                  unless (assoc symbol reads :test #'eq)
                    do (replay-doubt "~A is read, too" symbol))
            (with-writing (writing (writing-seen given-again) kept)
              (funcall function (came-text writing start arguments values) writing))))))))

(defun replay-row (unit row calls &key (again calls) (met (make-hash-table :test 'eq)))
  "A digest of what comes of CALLS, ((GIVEN ASKED)...), of functions of ROW in UNIT, as text; and a list of
texts, one for each. NIL and the reason where there is a doubt. All are made twice: what is the same
object both times was not made by the call. Those that were made already have their objects in the table
MET; AGAIN are the others."
  (handler-case
      (let ((texts '()) (state (make-hash-state)))
        (loop for (given asked) in again
              do (replay-call unit row given asked
                              (lambda (text writing)
                                (declare (ignore text))
                                (note-met writing met))))
        (loop for (given asked) in calls
              do (replay-call unit row given asked
                              (lambda (text writing)
                                (push text texts)
                                (mix-string state text)
                                (dolist (mark (writing-marks writing))
                                  (mix-word state mark)))
                              met))
        (values (hash-text state) (nreverse texts)))
    (no-portrait (condition) (values nil (no-portrait-reason condition)))
    (serious-condition (condition) (values nil (first-line (condition-text condition))))))

;;; Of an action, or a header

(defun recorded-rows (recording)
  "The CALLS that may be replayed, by unit and row: nothing of an action that its image rests on, too."
  (let ((steps '()))
    (dolist (location (and (recording-exact recording) *step-uses*))
      (multiple-value-bind (unit row) (location-row location)
        (when row
          (push (cons unit row) steps))))
    (sort (loop for key being the hash-keys of (recording-by-row recording) using (hash-value calls)
                unless (or (calls-doubt calls)
                           (null (calls-entries calls))
                           (member key steps :test #'equal))
                  collect calls)
          #'string<
          :key (lambda (calls) (plain-text "~A ~A" (calls-unit calls) (calls-row calls))))))

(defun call-with-settings (recording function)
  (let ((*exact-names* (recording-exact recording)))
    (progv *replay-settings* (recording-settings recording)
      (funcall function))))

(defun call-pair (call)
  (list (call-given call) (call-asked call)))

(defun tried-row (calls)
  "(UNIT ROW DIGEST (GIVEN ASKED)...) if the calls can be made again, and give what they gave."
  (let* ((entries (reverse (calls-entries calls)))
         (pairs (mapcar #'call-pair entries))
         (others (mapcar #'call-pair (remove-if #'call-came entries))))
    (multiple-value-bind (digest texts) (replay-row (calls-unit calls) (calls-row calls) pairs
                                                    :again others :met (calls-met calls))
      (cond ((null digest) (doubt-calls calls "~A" texts) nil)
            ((every (lambda (text call)
                      (or (null (call-came call)) (equal text (call-came call))))
                    texts entries)
             (list* (calls-unit calls) (calls-row calls) digest pairs))
            (t (doubt-calls calls "it gives something else each time") nil)))))

(defun recorded-calls (recording)
  "(SETTINGS (UNIT ROW DIGEST (GIVEN ASKED)...)...) of an action that is through; NIL for nothing."
  (let ((rows (call-with-settings
               recording
               (lambda () (loop for calls in (recorded-rows recording)
                                for row = (tried-row calls)
                                when row
                                  collect row)))))
    (and rows
         (cons (text-of (recording-settings recording)) rows))))

(defun take-recorded-calls (done)
  "What was recorded of the action, which is DONE or has failed, and whose uses are told already; see
RECORDED-CALLS."
  (let ((recording (shiftf *action-calls* nil)))
    (and recording
         done
         (not (recording-redefined recording))
         (recorded-calls recording))))

(defun recorded-results (recording)
  "((UNIT ROW DIGEST)...): what RECORDING has of a header's calls stands for these rows, whatever else the
header does."
  (loop for (unit row digest . calls) in (rest (recorded-calls recording))
        collect (let ((state (make-hash-state)))
                  (mix-word state (string-word digest))
                  (loop for (given asked) in calls
                        do (mix-word state (string-word given))
                           (mix-word state (string-word (or asked ""))))
                  (list unit row (hash-text state)))))

(defparameter *replay-time* 2000000
  "Microseconds of processor time that a replay may take.")

(defun answer-replay (settings &rest rows)
  "Answer to (:REPLAY SETTINGS (UNIT ROW DIGEST (GIVEN ASKED)...)...)."
  (confine-headers)
  (limit-processor-time *replay-time*)
  (progv *replay-settings* (read-text settings)
    (list* :replayed
           (loop for (unit row nil . calls) in rows
                 collect (multiple-value-bind (digest reason)
                             (call-noting-uses (lambda () (replay-row unit row calls)))
                           (if digest
                               (list unit row digest (used-rows :steps '()))
                               (list unit row nil reason)))))))
