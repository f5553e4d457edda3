;; Reads the ns forms of folders of Clojure sources and prints what a compile of each needs:
;;
;;     java -cp clojure.jar:... clojure.main plan.clj ROOT...
;;
;;     (:project ("a.b" ...) :externals ("clojure.string" ...)
;;      :namespaces (("a.b" :sources (("a/b.clj" "/path/a/b.clj")) :requires ("x.y" ...)) ...))
;;
;; Namespaces come in an order in which each stands behind those that it requires.
(require '[clojure.java.io :as io] '[clojure.string :as string] '[clojure.set :as set])

(defn clauses [form kinds]
  (mapcat rest (filter #(and (sequential? %) (kinds (keyword (name (first %))))) (filter #(and (sequential? %) (ident? (first %))) form))))

(defn libs [spec]
  (cond
    (symbol? spec) [spec]
    (string? spec) []
    (and (sequential? spec) (or (nil? (second spec)) (keyword? (second spec))))
    (if (some #{:as-alias} spec) (if (some #{:as :refer :rename} spec) [(first spec)] []) [(first spec)])
    (sequential? spec) (mapcat (fn [part] (map #(symbol (str (first spec) "." %)) (libs part))) (rest spec))))

(defn read-ns [file]
  (with-open [r (java.io.PushbackReader. (io/reader file))]
    (binding [*default-data-reader-fn* (fn [_ v] v)]
      (loop []
        (let [form (read {:read-cond :allow :features #{:clj} :eof ::end} r)]
          (cond
            (= form ::end) nil
            (and (seq? form) ('#{ns clojure.core/ns} (first form))) form
            :else (recur)))))))

(defn loads [file]
  (with-open [r (java.io.PushbackReader. (io/reader file))]
    (doall (for [[_ p] (re-seq #"(?m)^\s*\(load((?:\s+\"[^\"]+\")+)\s*\)" (slurp r)) [_ s] (re-seq #"\"([^\"]+)\"" p)] s))))

;; At the beginning of a line, outside of the ns form.
(defn later-requires [file]
  (for [[_ specs] (re-seq #"(?m)^\(require\s+('[^()]*)\)" (slurp file)) [_ lib] (re-seq #"'\[?([^\s\[\]']+)" specs)]
    (symbol lib)))

(defn entry [root file]
  (let [path (.getPath ^java.io.File file) resource (subs path (inc (count root)))
        form (try (read-ns file) (catch Exception e (binding [*out* *err*] (println path (.getMessage e)))))
        n (and form (second form))]
    (when (and n (= (string/replace resource #"\.cljc?$" "") (-> (name n) (string/replace "-" "_") (string/replace "." "/"))))
      {:name (name n) :root root :resource resource :path path
       :requires (distinct (map str (concat (later-requires file)
                                           (mapcat libs (remove keyword? (take-while #(not (#{:reload :verbose} %)) (clauses form #{:require :use}))))
                                           (when (some #{:gen-class} (map #(if (sequential? %) (first %) %) form)) []))))
       :imports (for [i (clauses form #{:import}) c (if (symbol? i) [(str i)] (map #(str (first i) "." %) (rest i)))] c)
       :loads (loads file)})))

(let [roots (map #(.getPath (.getAbsoluteFile (io/file %))) *command-line-args*)
      all (for [root roots
                f (sort (file-seq (io/file root)))
                :when (and (.isFile f) (re-find #"\.cljc?$" (.getName f)) (not= "data_readers" (string/replace (.getName f) #"\.cljc?$" "")))
                :let [e (entry root f)] :when e]
            e)
      all (vals (reduce (fn [m e] (if (and (m (:name e)) (string/ends-with? (:resource e) ".cljc")) m (assoc m (:name e) e))) (sorted-map) all))
      by-name (into {} (map (juxt :name identity)) all)
      ;; A class that a namespace defines is in the package of its name; other classes may be there as well.
      import-of (fn [c]
                  (let [[_ package simple] (re-find #"^(.*)\.([^.]+)$" c) p (string/replace package "_" "-")]
                    (cond
                      (by-name (string/replace c "_" "-")) (string/replace c "_" "-")
                      (and (by-name p) (re-find (re-pattern (str "\\((?:\\S+/)?(?:def\\S+)\\s+(?:\\^\\S+\\s+)*" simple "\\s"))
                                                (slurp (:path (by-name p))))) p)))
      deps (fn [e] (disj (set (concat (:requires e) (keep import-of (:imports e)))) (:name e)))
      order (loop [done [] left (map :name all)]
              (if (empty? left)
                done
                (let [ready (filter #(every? (fn [d] (or (not (by-name d)) (some #{d} done))) (deps (by-name %))) left)]
                  (when (empty? ready) (throw (Exception. (str "cycle among " (vec left)))))
                  (recur (into done ready) (remove (set ready) left)))))
      source (fn [e l] (let [base (if (string/starts-with? l "/") (subs l 1) (str (string/replace (:resource e) #"[^/]+$" "") l))]
                         (first (for [ext [".clj" ".cljc"] :let [f (io/file (:root e) (str base ext))] :when (.exists f)]
                                  [(str base ext) (.getPath f)]))))
      text (fn text [x] (if (string? x) (pr-str x) (if (keyword? x) (str x) (str "(" (string/join " " (map text x)) ")"))))]
  (println "(:project" (text order))
  (println " :roots" (text roots))
  (println " :externals" (text (sort (remove by-name (distinct (mapcat deps all))))))
  (println " :namespaces (")
  (doseq [n order :let [e (by-name n)]]
    (println (text [n :sources (cons [(:resource e) (:path e)] (keep #(source e %) (:loads e))) :requires (sort (deps e))])))
  (println "))"))
