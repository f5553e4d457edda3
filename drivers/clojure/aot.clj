(ns tenon.aot
  "Compiles the driver's own namespaces, once, when the worker's jar is made; and the specs that macros are checked with,
  which come as source and would be compiled at every start."
  (:require [clojure.java.io :as io]))

(defn- source-only? [resource]
  (and (io/resource (str resource ".clj")) (not (io/resource (str resource "__init.class")))))

(defn -main [out & libs]
  (binding [*compile-path* out
            *compiler-options* {:direct-linking true}]
    (doseq [[lib resource] '[[clojure.spec.alpha "clojure/spec/alpha"] [clojure.core.specs.alpha "clojure/core/specs/alpha"]]
            :when (source-only? resource)]
      (compile lib))
    (doseq [lib libs]
      (compile (symbol lib)))))
