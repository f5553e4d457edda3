;;;; Which step defines a name: for telling people which declaration is missing.

(in-package :tenon-driver)

(defun setf-name-p (name)
  (and (> (length name) 7) (string= "(SETF " (subseq name 0 6))))

(defun find-named-symbol (package name)
  "The symbol NAME of PACKAGE and its status, or NIL."
  (let ((package (find-package package)))
    (if package
        (find-symbol name package)
        (values nil nil))))

(defun function-kind (package name)
  "What kind of operator the name is in this image, or NIL. NAME may be \"(SETF X)\"."
  (let* ((setf (setf-name-p name))
         (symbol (find-named-symbol package (if setf (subseq name 6 (1- (length name))) name)))
         (function (if setf (list 'setf symbol) symbol)))
    (cond ((null symbol) nil)
          ((and (not setf) (special-operator-p symbol)) :special-form)
          ((and (not setf) (macro-function symbol)) :macro)
          ((not (fboundp function)) nil)
          ((typep (fdefinition function) 'generic-function) :generic)
          ((sb-int:info :function :inlining-data function) :inline)
          (t :function))))

(defun variable-kind (package name)
  (let ((symbol (find-named-symbol package name)))
    (and symbol
         (ecase (sb-int:info :variable :kind symbol)
           (:unknown nil)
           (:special :special)
           (:constant :constant)
           ((:global :always-bound) :global)
           (:macro :symbol-macro)))))

(defun type-kind (package name)
  (let ((symbol (find-named-symbol package name)))
    (and symbol
         (let ((class (find-class symbol nil)))
           (cond ((typep class 'structure-class) :structure)
                 (class :class)
                 ((sb-ext:valid-type-specifier-p symbol) :type))))))

(defun symbol-kind (package name)
  (multiple-value-bind (symbol status) (find-named-symbol package name)
    (declare (ignore symbol))
    (case status
      (:external :external)
      ((:internal :inherited) :internal))))

(defun definition-kind (name)
  "What NAME, a (KIND PACKAGE NAME), is in this image; NIL if nothing."
  (destructuring-bind (kind package name) name
    (ecase kind
      (:function (function-kind package name))
      (:variable (variable-kind package name))
      (:type (type-kind package name))
      (:package (and (find-package package) :package))
      (:symbol (symbol-kind package name)))))

(defun answer-definers (out names &rest steps)
  "Answer to (:DEFINERS OUT (name...) step...). A step that fails defines what it came to define."
  (use-output-folder out)
  (let ((missing names) (found '()))
    (flet ((look (index)
             (setf missing (loop for name in missing
                                 for kind = (definition-kind name)
                                 if kind
                                   do (push (list name index kind) found)
                                 else
                                   collect name))))
      (look -1)
      (with-diagnostics ()
        (loop for step in steps
              for index from 0
              while missing
              do (carry-out-all (list step))
                 (look index)))
      (list* :definers (nreverse found)))))
