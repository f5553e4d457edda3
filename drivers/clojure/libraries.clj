(ns tenon.libraries
  "The code of others, loaded on several threads while requests are carried out already, each namespace behind those that
  it requires. What no jar has as classes is compiled on the way; a jar of these classes, for each jar of sources, spares
  the next process the work."
  (:require [tenon.compile :as compile])
  (:import (java.io InputStream)
           (tenon Layer Main Session Session$View Uses)))

(set! *warn-on-reflection* true)

;; -- what is to be done --

;; Guards all that follows.
(defonce ^:private lock (Object.))
;; What is not begun: name to {:lib :script :jar :weight :requires}, :requires those that are not done.
(def ^:private waiting (atom {}))
;; Name to the names of those that require it.
(def ^:private dependents (atom {}))
;; Begun or not, but not done.
(def ^:private open (atom #{}))
(def ^:private running (atom 0))
;; What a request waits for, and what that requires.
(def ^:private urgent (atom #{}))
;; Jar to how many of its namespaces are left, their classes, and those that do not compile.
(def ^:private jars (atom {}))

(defn- plan [namespaces]
  (let [loaded (into #{} (map str) (loaded-libs))
        all (into {} (for [[lib script jar weight requires] namespaces
                           :when (or jar (not (loaded lib)))]
                       [lib {:lib lib, :script script, :jar jar, :weight weight, :requires requires}]))
        all (into {} (for [[lib d] all] [lib (update d :requires #(into #{} (filter all) %))]))]
    (reset! waiting all)
    (reset! open (set (keys all)))
    (reset! dependents (reduce (fn [m {:keys [lib requires]}]
                                 (reduce #(update %1 %2 (fnil conj []) lib) m requires))
                               {} (vals all)))
    (reset! jars (reduce (fn [m {:keys [jar]}] (if jar (update-in m [jar :left] (fnil inc 0)) m)) {} (vals all)))))

(defn- most-urgent [libs]
  (when (seq libs)
    (let [urgent @urgent]
      (:lib (first (sort-by (fn [{:keys [lib weight]}] [(if (urgent lib) 0 1) (- (long weight)) lib]) libs))))))

(defn- next-one
  "Waits for a namespace that can be loaded. Those that require each other come last, one by one."
  []
  (locking lock
    (loop []
      (let [all (vals @waiting)
            lib (or (most-urgent (filter #(empty? (:requires %)) all))
                    (when (zero? (long @running)) (most-urgent all)))]
        (cond
          (empty? all) nil
          lib (let [d (@waiting lib)]
                (swap! waiting dissoc lib)
                (swap! running inc)
                d)
          :else (do (.wait ^Object lock) (recur)))))))

(defn- done [lib]
  (locking lock
    (swap! running dec)
    (swap! open disj lib)
    (doseq [other (@dependents lib) :when (@waiting other)]
      (swap! waiting update-in [other :requires] disj lib))
    (.notifyAll ^Object lock)))

(defn- need
  "Puts namespaces, and what they require, before all others."
  [libs]
  (loop [[lib & more :as left] (seq libs)]
    (when left
      (if (or (@urgent lib) (not (@open lib)))
        (recur more)
        (do (swap! urgent conj lib)
            (recur (concat (:requires (@waiting lib)) more)))))))

(defn await-all
  "Waits until the namespaces named, if they are libraries' at all, are loaded or have failed; with no argument: all."
  ([] (await-all @open))
  ([libs]
   (locking lock
     (need libs)
     (while (some @open libs)
       (.wait ^Object lock)))))

;; -- one namespace --

;; A var made a macro by its metadata is none when it comes from a class.
(def ^:private macro-by-metadata #"\^\{?[^}\n]*:macro\b")

(defn- compiles? [^Session session {:keys [lib script]}]
  (and (not (contains? (loaded-libs) (symbol lib)))
       (when-let [in (.getResourceAsStream session script)]
         (with-open [^InputStream in in]
           (not (re-find macro-by-metadata (String. (.readAllBytes in) "UTF-8")))))))

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

(defn- finish-jar
  "A namespace of the jar is done; with the last of them what is new is written and told of."
  [[out made] jar lib classes]
  (let [{:keys [left compiled failed]}
        (get (swap! jars update jar
                    #(cond-> (update % :left dec)
                       classes (update :compiled conj classes)
                       (not classes) (update :failed conj lib)))
             jar)]
    (when (zero? (long left))
      (try
        (Layer/write out made (or compiled []) (sort (into (set failed) (when made (Layer/left made)))))
        (Main/tell [:made jar out])
        (catch Throwable _ (Main/tell [:made jar ""]))))))

(defn- carry-out [^Session session places {:keys [lib jar] :as d}]
  (let [classes (when (and jar (compiles? session d)) (compile-library session d))]
    (when-not classes
      ;; Whoever asked for it is told.
      (try (compile/load-once session lib []) (catch Throwable _)))
    classes))

(defn prepare
  "Begins to load `namespaces`, ((NAME SCRIPT JAR WEIGHT (REQUIRED...)) ...), on so many threads. Those with a JAR, a number
  in `jars`, ((OUT MADE) ...), are compiled: when all of them are done, OUT holds what MADE has (a path or nil) and their
  classes, and the host is told. What does not compile is loaded from its source like everywhere, and noted in the jar."
  [^Session session {:keys [threads namespaces] places :jars}]
  (plan namespaces)
  (let [work (bound-fn []
               (Uses/trust true)
               (loop []
                 (when-let [{:keys [lib jar] :as d} (next-one)]
                   (let [classes (try (carry-out session places d) (finally (done lib)))]
                     (when jar
                       (finish-jar (nth places jar) jar lib classes)))
                   (recur))))]
    (dotimes [_ (max 1 (long threads))]
      (doto (Thread. nil work "library" (bit-shift-left 64 20))
        (.setDaemon true)
        (.setContextClassLoader (.getContextClassLoader (Thread/currentThread)))
        (.start)))))
