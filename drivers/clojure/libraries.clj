(ns tenon.libraries
  "The code of others, loaded on several threads, each namespace behind those that it requires. What comes as source in a
  jar is compiled on the way; a jar of these classes spares the next process the work."
  (:require [clojure.java.io :as io] [tenon.compile :as compile])
  (:import (clojure.lang LineNumberingPushbackReader)
           (java.io StringReader)
           (java.net URL)
           (tenon Layer Session Session$View Uses)))

;; -- which namespaces, and what each requires --

(defn- base [lib]
  (.. ^String (munge lib) (replace \. \/)))

(defn- clauses [form kinds]
  (for [clause (rest form)
        :when (and (sequential? clause) (or (keyword? (first clause)) (symbol? (first clause))) (kinds (keyword (name (first clause)))))
        spec (rest clause)]
    spec))

(defn- libs
  "The namespaces that a part of a :require or :use clause loads."
  [spec]
  (cond
    (symbol? spec) [spec]
    (not (and (sequential? spec) (symbol? (first spec)))) []
    (or (nil? (second spec)) (keyword? (second spec)))
    (if (and (some #{:as-alias} spec) (not-any? #{:as :refer :rename :use} spec)) [] [(first spec)])
    :else (for [part (rest spec) lib (libs part)]
            (symbol (str (first spec) "." lib)))))

(defn- ns-form [text]
  (let [in (LineNumberingPushbackReader. (StringReader. text))]
    (binding [*ns* (the-ns 'user), *read-eval* false, *default-data-reader-fn* (fn [_ value] value)]
      (loop []
        (let [form (read {:read-cond :allow, :eof in} in)]
          (cond
            (identical? form in) nil
            (and (seq? form) ('#{ns clojure.core/ns} (first form))) form
            :else (recur)))))))

(defn- requires [text]
  (try
    (when-let [form (ns-form text)]
      (distinct (map str (mapcat libs (clauses form #{:require :use})))))
    ;; Its load will say what is wrong with it.
    (catch Exception _ nil)))

;; A var made a macro by its metadata is none when it comes from a class.
(def ^:private macro-by-metadata #"\^\{?[^}\n]*:macro\b")

(defn- describe
  "A namespace as it lies on the class path; nil if there is none."
  [^Session session lib]
  (let [base (base lib)
        made? (.getResource session (str base "__init.class"))
        [script ^URL url] (first (for [ending [".clj" ".cljc"]
                                       :let [u (.getResource session (str base ending))] :when u]
                                   [(str base ending) u]))]
    (when (or made? url)
      (let [text (when url (slurp url :encoding "UTF-8"))]
        {:lib lib
         :script script
         :requires (when text (requires text))
         :size (count text)
         :state (cond
                  made? :made
                  (not= "jar" (.getProtocol url)) :folder
                  (re-find macro-by-metadata text) :source
                  :else :compile)}))))

(defn- survey
  "All namespaces that those named need, by name. What is loaded already is not among them."
  [session names]
  (let [loaded (set (map str (loaded-libs)))]
    (loop [found {} [lib & more :as left] (seq names)]
      (cond
        (empty? left) found
        (or (found lib) (loaded lib)) (recur found more)
        :else (if-let [d (describe session lib)]
                (recur (assoc found lib d) (concat (:requires d) more))
                (recur found more))))))

(defn- resting-on-folders
  "What needs a namespace that lies in a folder: it may be another the next time, and then so are they."
  [all]
  (loop [found (set (for [{:keys [lib state]} (vals all) :when (= state :folder)] lib))]
    (let [more (into found (for [{:keys [lib requires]} (vals all) :when (some found requires)] lib))]
      (if (= more found) found (recur more)))))

;; -- several threads --

(defn- weights
  "How long a chain of namespaces each begins, in characters of source: those with the longest start first."
  [all]
  (let [dependents (reduce (fn [m {:keys [lib requires]}]
                             (reduce #(update %1 %2 (fnil conj []) lib) m (filter all requires)))
                           {} (vals all))
        found (atom {})
        weigh (fn weigh [lib seen]
                (or (@found lib)
                    (let [w (+ 2000 (:size (all lib))
                               (transduce (comp (remove seen) (map #(weigh % (conj seen lib)))) max 0 (dependents lib)))]
                      (swap! found assoc lib w)
                      w)))]
    (doseq [lib (keys all)]
      (weigh lib #{lib}))
    @found))

(defn- in-order
  "Calls f with each namespace when it is done with all that one requires, on so many threads. Those that need each other
  come last, one by one."
  [all threads f]
  (let [weight (weights all)
        lock (Object.)
        left (atom (into {} (for [[lib {:keys [requires]}] all] [lib (set (filter all requires))])))
        running (atom 0)
        ready (fn [] (first (sort-by (comp - weight) (for [[lib needs] @left :when (empty? needs)] lib))))
        next-one (fn []
                   (locking lock
                     (loop []
                       (let [lib (or (ready) (when (zero? @running) (first (sort (keys @left)))))]
                         (cond
                           (empty? @left) nil
                           lib (do (swap! left dissoc lib) (swap! running inc) lib)
                           :else (do (.wait lock) (recur)))))))
        done (fn [lib]
               (locking lock
                 (swap! running dec)
                 (swap! left #(into {} (map (fn [[k needs]] [k (disj needs lib)])) %))
                 (.notifyAll lock)))
        work (bound-fn []
               (loop []
                 (when-let [lib (next-one)]
                   (try (f (all lib)) (finally (done lib)))
                   (recur))))
        helpers (doall (repeatedly (max 1 threads) #(doto (Thread. nil work "library" (bit-shift-left 64 20))
                                                      (.setDaemon true)
                                                      (.setContextClassLoader (.getContextClassLoader (Thread/currentThread)))
                                                      (.start))))]
    (doseq [^Thread t helpers]
      (.join t))))

;; -- one namespace --

(defn- compile-library
  "Compiles a namespace; its classes, or nil where that fails."
  [^Session session {:keys [lib script]}]
  (.keepClasses session)
  (Uses/record (Uses. #{script} true))
  (try
    (compile/seeing (Session$View. session nil nil {} [])
      ;; The compiler wants a folder to be set, whoever takes the classes.
      (binding [*compile-path* "/nonexistent"]
        (compile (symbol lib))))
    (.keptClasses session true)
    (catch Throwable _
      (.keptClasses session false)
      (compile/forget lib)
      nil)
    (finally
      (Uses/record nil))))

(defn prepare
  "Loads the namespaces named, and all that they need. Answers {:jar PATH} if `out` (a path) is given and something was
  compiled that is not in the jar `made` (path or nil): the new jar has both. `left` are namespaces not to be compiled.
  What does not compile is loaded from its source like everywhere."
  [^Session session names {:keys [threads made out left]}]
  (let [all (survey session names)
        source-only (into (set left) (when made (Layer/left made)))
        as-source? (into source-only (resting-on-folders all))
        compiled (atom {}) failed (atom [])]
    (in-order all (or threads 1)
              (fn [{:keys [lib state] :as d}]
                (try
                  (if (and out (= state :compile) (not (as-source? lib)))
                    (if-let [classes (compile-library session d)]
                      (swap! compiled assoc lib classes)
                      (do (swap! failed conj lib)
                          (compile/load-once session lib [])))
                    (compile/load-once session lib []))
                  ;; Whoever asked for it is told.
                  (catch Throwable _))))
    (when (or (seq @compiled) (seq @failed))
      (Layer/write out made (or (vals @compiled) []) (sort (into source-only @failed)))
      {:jar out})))
