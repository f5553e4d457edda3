;; Dependencies of a deps.edn project through tools.deps, which must be on the class path:
;;
;;     clojure.main resolve.clj DEPS.EDN OUTPUT ALIAS...
;;
;; Writes (:libs ((NAME VERSION (PATH...) SHA-256 (DEPENDENT...)) ...) :roots (PATH...)) in order of names. A library that
;; is a folder (git, :local/root) has no digest. The class path of the user's own folders is :roots, as in the file.
(require '[clojure.edn :as edn])

;; The namespace lost its "alpha" in 0.16.
(try
  (require '[clojure.tools.deps :as deps])
  (catch java.io.FileNotFoundException _
    (require '[clojure.tools.deps.alpha :as deps])))

(defn sha-256 [path]
  (let [file (java.io.File. ^String path)]
    (when (.isFile file)
      (let [md (java.security.MessageDigest/getInstance "SHA-256")]
        (with-open [in (java.io.FileInputStream. file)]
          (let [room (byte-array 65536)]
            (loop [n (.read in room)]
              (when (pos? n)
                (.update md room 0 n)
                (recur (.read in room))))))
        (apply str (map #(format "%02x" %) (.digest md)))))))

(defn text [x]
  (cond
    (nil? x) "nil"
    (keyword? x) (str x)
    (sequential? x) (str "(" (apply str (interpose " " (map text x))) ")")
    :else (str \" (.. (str x) (replace "\\" "\\\\") (replace "\"" "\\\"")) \")))

(let [[path output & aliases] *command-line-args*
      own (edn/read-string {:default tagged-literal} (slurp path))
      all (deps/merge-edns [(deps/root-deps) own])
      aliases (map keyword aliases)
      unknown (remove (set (keys (:aliases all))) aliases)]
  (when (seq unknown)
    (binding [*out* *err*]
      (println (str path ": there is no alias " (first unknown) "; known are " (or (keys (:aliases all)) "none"))))
    (System/exit 2))
  (let [args (deps/combine-aliases all aliases)
        libs (deps/resolve-deps (merge all {}) args)]
    (spit output
          (text [:libs (for [[lib {:keys [paths dependents] :as coordinate}] (sort-by (comp str key) libs)]
                         [lib (or (:mvn/version coordinate) (:git/sha coordinate) (:local/root coordinate)) paths
                          (when (= 1 (count paths)) (sha-256 (first paths))) (sort (map str dependents))])
                 :roots (concat (:paths own ["src"]) (:extra-paths args))]))))
(shutdown-agents)
