;; Calls a function with a map, as `clojure -X` does:
;;
;;     clojure.main exec.clj '{:exec-fn a.b/c :exec-args {...} :ns-default a.b :ns-aliases {c a.b.c}}' [FN] [KEY VALUE]... [MAP]
;;
;; KEY and VALUE are EDN; a KEY that is a vector is a path into the map. FN takes the place of :exec-fn. An argument
;; that is not EDN ends the process with code 1 and says which one it is.
(require '[clojure.edn :as edn])

(defn- fail [& text]
  (binding [*out* *err*] (println (apply str text)))
  (System/exit 1))

(defn- read-argument [text]
  (try
    (edn/read-string {:default tagged-literal} text)
    (catch RuntimeException e
      (fail "argument " (pr-str text) " is not EDN: " (.getMessage e)))))

(defn- qualified
  "The symbol with the namespace that the alias means."
  [fn-name {:keys [ns-default ns-aliases]}]
  (cond
    (namespace fn-name) (symbol (str (get ns-aliases (symbol (namespace fn-name)) (namespace fn-name)))
                                (name fn-name))
    ns-default (symbol (str ns-default) (str fn-name))
    :else (fail "function " fn-name " has no namespace")))

(let [[alias & arguments] *command-line-args*
      {:keys [exec-fn exec-args] :as alias} (edn/read-string {:default tagged-literal} alias)
      arguments (map read-argument arguments)
      named? (symbol? (first arguments))
      fn-name (if named? (first arguments) exec-fn)
      arguments (if named? (rest arguments) arguments)
      more (if (odd? (count arguments)) (last arguments) {})
      pairs (partition 2 arguments)]
  (cond
    (nil? fn-name) (fail "which function? the alias has no :exec-fn: name one, such as build/jar")
    (not (map? more)) (fail "argument " (pr-str more) " has no value"))
  (let [fn-name (qualified fn-name alias)
        _ (try
            (require (symbol (namespace fn-name)))
            (catch java.io.FileNotFoundException e
              (if (.contains (str (.getMessage e)) (.replace (namespace-munge (namespace fn-name)) \. \/))
                (fail "there is no namespace " (namespace fn-name) ", here or in a library")
                (throw e))))
        function (or (resolve fn-name) (fail "there is no function " fn-name))]
    (function (merge (reduce (fn [m [k v]] (if (vector? k) (assoc-in m k v) (assoc m k v))) exec-args pairs) more))
    (flush)
    (shutdown-agents)))
