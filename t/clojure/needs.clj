;; Prints for each Clojure source below the given folders: path, namespace, what its `ns` form needs, tab separated, as
;; clojure.tools.namespace reads it. What it cannot read has ERROR for a namespace.
(require '[clojure.java.io :as io]
         '[clojure.string :as str]
         '[clojure.tools.namespace.file :as file]
         '[clojure.tools.namespace.parse :as parse])

(defn source? [^java.io.File f]
  (and (.isFile f)
       (re-find #"\.cljc?$" (.getName f))
       (not (#{"data_readers.clj" "data_readers.cljc" "user.clj"} (.getName f)))))

(doseq [root *command-line-args*
        f (filter source? (file-seq (io/file root)))]
  (let [decl (try (file/read-file-ns-decl f {:read-cond :allow, :features #{:clj}})
                  (catch Exception e :error))]
    (println (str/join "\t" (if (= :error decl)
                              [f "ERROR" ""]
                              [f
                               (when decl (parse/name-from-ns-decl decl))
                               (when decl (str/join " " (sort (map str (parse/deps-from-ns-decl decl)))))])))))
