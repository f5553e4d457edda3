(ns shapes
  "What tenon.Shapes accepts, against the specs: uses of macros in real sources, and these with something changed.
  Arguments: the number of changes of each, and folders."
  (:require [clojure.core.specs.alpha] [clojure.java.io :as io] [clojure.spec.alpha :as s])
  (:import (java.io PushbackReader) (java.util Random) (tenon Shapes)))

(def macros '[let if-let when-let fn defn defn-])
(def spec-of (into {} (for [m macros] [m (:args (s/get-spec (symbol "clojure.core" (str m))))])))
(def ^Random random (Random. 1))

(defn forms
  "Of a file, as far as it can be read."
  [file]
  (with-open [in (PushbackReader. (io/reader file))]
    (binding [*read-eval* false, *default-data-reader-fn* (fn [_ x] x)]
      (loop [all []]
        (let [form (try (read {:eof ::end, :read-cond :allow} in) (catch Exception _ ::end))]
          (if (= form ::end) all (recur (conj all form))))))))

(defn uses [form]
  (filter #(and (seq? %) (symbol? (first %)) (spec-of (symbol (name (first %)))))
          (tree-seq #(and (coll? %) (not (record? %))) seq form)))

(def pool ['& '& 'x 'y 'a/b :as :keys :or :a/keys :k 1 nil "text" [] ['a '& 'b :as 'c] ['&] [:as] ['a '& '& 'b] () '([x] x)
           '([1] 2) {} '{:keys [a :b c/d]} '{:keys [1]} '{:or {a 1}} '{:or {:a 1}} '{:or {c/d 1}} '{:as &} '{:as x}
           '{x :x, [y] :y} '{& :x} '{:a/keys [x]} '{:a/keys [1]} '{:strs [a/b]} '{:keys (a)} '{:k x} '{"k" x} '{nil x}])

(defn- one-of [items] (nth items (.nextInt random (count items))))

(defn- changed-list [items]
  (let [items (vec items) at (if (seq items) (.nextInt random (count items)) 0)
        [before after] (split-at at items)]
    (case (.nextInt random 4)
      0 (concat before [(one-of pool)] after)
      1 (concat before [(one-of pool)] (rest after))
      2 (concat before (rest after))
      (concat before (take 1 after) after))))

(defn changed
  "Something in it, at any depth, is another."
  [form]
  (let [inner (when (and (coll? form) (not (map? form))) (filter #(coll? (nth (vec form) %)) (range (count form))))]
    (cond
      (and (seq inner) (< (.nextInt random 4) 3))
      (let [at (one-of (vec inner)) items (update (vec form) at changed)]
        (if (vector? form) items (seq items)))
      (vector? form) (vec (changed-list form))
      (map? form) (if (zero? (.nextInt random 2))
                    (assoc form (one-of pool) (one-of pool))
                    (if (seq form) (assoc form (first (one-of (vec form))) (one-of pool)) {:as 'x}))
      (coll? form) (or (seq (changed-list form)) ())
      :else (one-of pool))))

(defn- verdicts [form macro]
  (let [form (cons macro (rest form))]
    [(Shapes/fits (find-var (symbol "clojure.core" (name macro))) form) (s/valid? (spec-of macro) (rest form))]))

(let [[n & folders] *command-line-args*
      _ (Shapes/learn)
      all (for [folder folders, f (file-seq (io/file folder)) :when (re-find #"\.cljc?$" (str f)), form (forms f), u (uses form)]
            u)
      counts (atom {})
      check (fn [what form]
              (doseq [m macros]
                (let [[at-sight right :as v] (verdicts form m)]
                  (when (or (not= what :real) (= (name m) (name (first form))))
                    (swap! counts update [what v] (fnil inc 0))
                    (when (and at-sight (not right))
                      (println "accepted, but wrong:" (pr-str (cons m (rest form)))))))))]
  (doseq [form all]
    (check :real form)
    (dotimes [_ (Long/parseLong n)]
      (check :changed (conj (or (seq (changed (rest form))) ()) (first form)))))
  (let [{:keys [real changed]} (reduce (fn [m [[what v] n]] (assoc-in m [what v] n)) {} @counts)]
    (println "real" (reduce + (vals real)) "at-sight" (long (/ (* 100 (get real [true true] 0)) (reduce + (vals real)))) "%")
    (println "changed" (reduce + (vals changed)) "wrong" (+ (get changed [false false] 0) (get changed [true false] 0)) "accepted"
             (get changed [true true] 0))
    (println "unsound" (+ (get real [true false] 0) (get changed [true false] 0))))
  ;; Another spec in the place of one of them is asked.
  (s/fdef clojure.core/let :args nil?)
  (println "replaced" (Shapes/fits #'let '(let [x 1] x)) (Shapes/fits #'when-let '(when-let [x 1] x))))
