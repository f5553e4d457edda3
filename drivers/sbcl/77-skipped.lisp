;;;; What the reader passes over: code under #+ and #- that is meant for other Lisps, or other
;;;; features. It can't be compiled here; but the words in it tell which names it would use.

(in-package :tenon-driver)

(defun end-of-delimited (text start delimiter)
  "The position behind the DELIMITER that ends what begins at START."
  (loop with i = start
        while (< i (length text))
        do (let ((char (char text i)))
             (cond ((char= char #\\) (incf i 2))
                   ((char= char delimiter) (return (1+ i)))
                   (t (incf i))))
        finally (return (length text))))

(defun end-of-block-comment (text start)
  "The position behind the block comment that begins at START."
  (loop with depth = 0
        for i = start then (1+ i)
        while (< (1+ i) (length text))
        do (cond ((and (char= (char text i) #\#) (char= (char text (1+ i)) #\|))
                  (incf depth)
                  (incf i))
                 ((and (char= (char text i) #\|) (char= (char text (1+ i)) #\#))
                  (decf depth)
                  (incf i)
                  (when (zerop depth)
                    (return (1+ i)))))
        finally (return (length text))))

(defun end-of-noise (text i)
  "The position behind the comment, string or character that begins at I; NIL if none does."
  (let ((next (and (< (1+ i) (length text)) (char text (1+ i)))))
    (case (char text i)
      (#\; (or (position #\Newline text :start i) (length text)))
      (#\" (end-of-delimited text (1+ i) #\"))
      (#\\ (+ i 2))
      (#\# (case next
             (#\\ (+ i 3))
             (#\| (end-of-block-comment text i)))))))

(defun condition-at (text i)
  "About the #+ or #- at I: where what it is about begins and ends, and true if the reader passes
over it. The end is that of the condition if it does not."
  (handler-case
      (multiple-value-bind (feature start)
          (let ((*package* (find-package :keyword)) (*read-eval* nil))
            (read-from-string text t nil :start (+ i 2)))
        (if (eq (and (uiop:featurep feature) t) (char= (char text (1+ i)) #\+))
            (values start start nil)
            (let ((*read-suppress* t))
              (values start (nth-value 1 (read-from-string text nil nil :start start)) t))))
    (error () (values (+ i 2) (+ i 2) nil))))

(defun map-skipped (function text)
  "Call FUNCTION with the bounds of each part of TEXT that the reader passes over."
  (loop with i = 0
        while (< i (length text))
        do (let ((noise (end-of-noise text i)))
             (cond (noise (setf i noise))
                   ((and (char= (char text i) #\#) (< (1+ i) (length text))
                         (find (char text (1+ i)) "+-"))
                    (multiple-value-bind (start end skipped) (condition-at text i)
                      (when skipped
                        (funcall function start end))
                      (setf i (max end (+ i 2)))))
                   (t (incf i))))))

(defun map-words (function text start end)
  "Call FUNCTION with each word of Lisp between START and END."
  (loop with i = start and word = nil
        while (<= i end)
        do (let ((noise (and (< i end) (end-of-noise text i))))
             (cond ((or (= i end) noise (find (char text i) '(#\( #\) #\' #\` #\, #\@ #\# #\Space #\Tab
                                                              #\Newline #\Return #\Page)))
                    (when word
                      (funcall function (subseq text word i))
                      (setf word nil))
                    (setf i (or noise (1+ i))))
                   (t (unless word (setf word i))
                      (incf i))))))

(defun word-symbols (word packages)
  "The symbols that WORD may stand for to those who read it in one of PACKAGES."
  (let* ((word (string-upcase word))
         (colon (position #\: word))
         (name (subseq word (if colon (1+ (position #\: word :from-end t)) 0))))
    (loop for package in (if colon
                             (let ((named (find-package (subseq word 0 colon))))
                               (and named (plusp colon) (list named)))
                             packages)
          for (symbol status) = (multiple-value-list (find-symbol name package))
          when status
            collect symbol)))

(defun map-skipped-symbols (function text packages)
  "Call FUNCTION with the symbols, as far as they exist, in the parts of TEXT that the reader passes
over."
  (map-skipped (lambda (start end)
                 (map-words (lambda (word)
                              (mapc function (word-symbols word packages)))
                            text start (min end (length text))))
               text))
