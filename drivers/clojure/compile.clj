(ns tenon.compile
  "Compiling a namespace into a folder of its own, in a runtime that others share."
  (:require [tenon.diagnose :as diagnose] [tenon.rows :as rows])
  (:import (java.io File OutputStreamWriter PrintWriter)
           (java.util Map)
           (tenon Output Scan Session Session$View Uses)))

;; Where a source stands before its ns form.
(binding [*ns* (create-ns 'user)]
  (refer 'clojure.core))

;; Namespaces that this runtime has loaded or compiled, or has failed to.
(defonce ^:private known (atom {}))

(defn printer
  "A writer to what a request printed."
  [output]
  (PrintWriter. (OutputStreamWriter. output "UTF-8") true))

(defmacro seeing
  "Carries out body with the class loader as the context's, which is where Clojure looks for code."
  [loader & body]
  `(let [thread# (Thread/currentThread) old# (.getContextClassLoader thread#)]
     (.setContextClassLoader thread# ~loader)
     (try ~@body (finally (.setContextClassLoader thread# old#)))))

(def ^:private namespace-maps (find-var 'clojure.core/*print-namespace-maps*))

(defn- fresh
  "The bindings in which every load and compile begins, whatever the last one set."
  [{:keys [warn-on-reflection unchecked-math no-assert compiler-options]} out err]
  (cond-> {#'*ns* (the-ns 'user)
           #'*warn-on-reflection* (boolean warn-on-reflection)
           #'*unchecked-math* ({nil false, :warn-on-boxed :warn-on-boxed} unchecked-math true)
           #'*assert* (not no-assert)
           #'*compiler-options* (or compiler-options {})
           #'*compile-files* false
           #'*math-context* nil
           #'*print-meta* false
           #'*print-length* nil
           #'*print-level* nil
           #'*print-dup* false
           #'*print-readably* true
           #'*read-eval* true
           #'*command-line-args* nil
           #'*data-readers* (.getRawRoot #'*data-readers*)
           #'*default-data-reader-fn* nil
           #'*file* "NO_SOURCE_PATH"
           #'*out* out
           #'*err* err}
    ;; Not before 1.9.
    namespace-maps (assoc namespace-maps false)))

(defn- options
  "Compiler options come as ((:direct-linking t) (:elide-meta (:doc :file))), as one sees fit in a list."
  [{:keys [compiler-options] :as request}]
  (assoc request :compiler-options (into {} (map (fn [[k v]] [k (if (vector? v) (vec v) v)])) compiler-options)))

(defn load-once
  "Loads a namespace if this runtime has not. What it threw it throws again."
  [session lib closure]
  (let [state (get @known lib)]
    (cond
      (instance? Throwable state) (throw state)
      (nil? state)
      (try
        (seeing (Session$View. session nil nil {} closure)
          (require (symbol lib)))
        (swap! known assoc lib :loaded)
        (catch Throwable e
          (swap! known assoc lib e)
          (throw e))))))

(defn load-closure
  "Makes namespaces' classes known, and loads all of them in order: ((NAME FOLDER) ...), no FOLDER for others' code."
  [^Session session closure]
  (doseq [[lib folder] closure :when folder]
    (.add session lib folder))
  (doseq [[lib] closure]
    (load-once session lib (map first closure))))

(defn unloadable
  "Warnings of those namespaces that can't be loaded; they fail what needs them."
  [session libs]
  (doall (for [lib libs
               :let [e (try (load-once session lib []) nil (catch Throwable e e))]
               :when e]
           (assoc (diagnose/exception e identity) :severity :warning, :name lib))))

(defn with-output
  "Calls f with the bindings of a fresh compile; answers its map, with what was printed as :output and what the compiler
  warned of among the :diagnostics. What f throws becomes a diagnostic and the status :failed."
  [request file-of f]
  (let [out (Output.) err (Output.)
        out-writer (printer out) err-writer (printer err)
        started (System/nanoTime)
        cpu #(.getCurrentThreadCpuTime (java.lang.management.ManagementFactory/getThreadMXBean))
        cpu-started (cpu)
        _ (Output/use out)
        answer (try
                 (with-bindings (fresh (options request) out-writer err-writer)
                   (f))
                 (catch Throwable e
                   {:status :failed, :diagnostics [(diagnose/exception e file-of)]})
                 (finally
                   (.flush ^PrintWriter out-writer)
                   (.flush ^PrintWriter err-writer)
                   (Output/use nil)))
        [warnings other] (diagnose/warnings (.text err) file-of)]
    (assoc answer
           :diagnostics (into (vec warnings) (:diagnostics answer))
           :output (str (.text out) other)
           :wall-ns (- (System/nanoTime) started)
           :cpu-ns (- (cpu) cpu-started))))

(defn- empty-folder
  "Removes all below a folder: Clojure compiles nothing where it finds classes."
  [^String folder]
  (doseq [^File f (reverse (rest (file-seq (File. folder))))]
    (.delete f))
  (.mkdirs (File. folder)))

(defn- scan [classes]
  (let [scan (Scan.)]
    (run! #(.add scan %) classes)
    scan))

(defn- namespace-of [^String qualified]
  (subs qualified 0 (.indexOf qualified "/")))

(defn- undeclared
  "Uses of the project's namespaces that lie outside what was declared: [namespace name] each."
  [^Session session ^Scan scan project allowed]
  (let [wrong? #(and (project %) (not (allowed %)))]
    (concat
     (for [v (.vars scan) :let [ns (namespace-of v)] :when (wrong? ns)] [ns (subs v (inc (count ns)))])
     (for [c (.classes scan) :let [ns (.owner session c)] :when (and ns (wrong? ns))] [ns c]))))

(defn forget
  "Takes back a namespace whose compile failed, so that nobody finds the half of it."
  [lib]
  (remove-ns (symbol lib))
  (dosync (commute @#'clojure.core/*loaded-libs* disj (symbol lib))))

(defn- compile-each
  "Compiles the namespaces in order into `out`; one that an earlier one has pulled in is compiled then."
  [^Session$View view namespaces out]
  (let [made? (fn [lib]
                (.containsKey ^Map (.made view) (str (.. ^String (munge lib) (replace \. \/)) "__init.class")))]
    (binding [*compile-path* out]
      (doseq [lib namespaces :when (not (made? lib))]
        (compile (symbol lib))
        (when-not (made? lib)
          (throw (IllegalStateException. (str "namespace " lib " came from a library, not from its source"))))))))

(defn- refers
  "Vars of others that the namespace refers to, without those of clojure.core, which are many and the same everywhere."
  [^clojure.lang.Namespace ns]
  (let [core (the-ns 'clojure.core)]
    (persistent!
     (reduce (fn [found entry]
               (let [v (val entry)]
                 (if (and (instance? clojure.lang.Var v)
                          (not (identical? core (.ns ^clojure.lang.Var v)))
                          (not (identical? ns (.ns ^clojure.lang.Var v))))
                   (conj! found v)
                   found)))
             (transient #{}) (.getMappings ns)))))

(defn- refers-all
  "Namespaces of which every public var is referred: one more var there is a change."
  [vars]
  (for [[other vars] (group-by #(.ns ^clojure.lang.Var %) vars)
        :when (= (count vars) (count (ns-publics other)))]
    (str (ns-name other))))

(defn- place-of
  "Where a source writes a name out; only its file where a macro did."
  [text sources]
  (or (first (for [[_ path] sources
                   [i line] (map-indexed vector (.split ^String (slurp path :encoding "UTF-8") "\n"))
                   :let [column (.indexOf ^String line ^String text)] :when (<= 0 column)]
               {:file path, :line (inc i), :column (inc column)}))
      {:file (second (first sources))}))

(defn- var-name [^clojure.lang.Var v]
  (str (.name (.ns v)) "/" (.sym v)))

(defn- answer [session namespaces sources ^Uses uses ^Session$View view project allowed]
  (let [scan (scan (vals (.made view)))
        wrong (undeclared session scan project allowed)
        own? (set namespaces)
        referred (map #(refers (the-ns (symbol %))) namespaces)
        other (fn [names] (remove #(own? (namespace-of %)) names))]
    {:status (if (seq wrong) :failed :ok)
     :outputs (for [[file bytes] (.made view)] [file (alength ^bytes bytes)])
     :diagnostics (for [[ns what] wrong]
                    (merge {:severity :error, :kind :undeclared, :name ns
                            :message (str (first namespaces) " uses " what " of " ns ", which it does not require")}
                           (place-of (str ns "/" what) sources)))
     :rows (for [lib namespaces] [lib (rows/of (the-ns (symbol lib)))])
     :uses (sort (into (set (other (concat (.vars uses) (map var-name (mapcat seq referred))))) (other (.vars scan))))
     :expanded (sort (other (concat (.macros uses) (.inlines uses))))
     :classes (sort (remove #(own? (.owner session %)) (.classes scan)))
     :refers-all (sort (distinct (mapcat refers-all referred)))
     :resources (sort (.found view))
     :hidden (sort (.hidden view))}))

(defn compile-request
  "Carries out one compile; see docs/CLOJURE.md for the parts of a request."
  [^Session session project {:keys [namespaces sources closure out] :as request}]
  (let [sources (into {} (map vec) sources)
        allowed (into (set namespaces) (map first) closure)
        view (Session$View. session (first namespaces) out sources (map first closure))
        uses (Uses. (set (keys sources)) false)
        file-of (diagnose/places sources)]
    (with-output request file-of
      (fn []
        (when-let [lib (first (filter @known namespaces))]
          (throw (IllegalStateException. (str "namespace " lib " is in this runtime already; it can't be compiled again"))))
        (load-closure session closure)
        (empty-folder out)
        (try
          (Uses/record uses)
          (.compiles view true)
          (seeing view (compile-each view namespaces out))
          (catch Throwable e
            (doseq [lib namespaces]
              (forget lib)
              (swap! known assoc lib e))
            (let [used (or (diagnose/missing e) (diagnose/unknown e))]
              (throw (if (and (project used) (not (allowed used)))
                       (diagnose/undeclared (first namespaces) used e)
                       e))))
          (finally
            (.compiles view false)
            (Uses/record nil)
            (.finish view)))
        (doseq [lib namespaces]
          (swap! known assoc lib :compiled))
        (answer session namespaces sources uses view project allowed)))))

(defn load-request
  "Loads namespaces and compiles nothing: idle time's work."
  [^Session session {:keys [namespaces closure] :as request}]
  (with-output request identity
    (fn []
      (load-closure session closure)
      (doseq [lib namespaces]
        (load-once session lib (map first closure)))
      {:status :ok})))

(defn load-data-readers
  "Reader tags of all data_readers.clj on the class path, as Clojure does at its start."
  [session]
  (seeing (Session$View. session nil nil {} [])
    (#'clojure.core/load-data-readers)))
