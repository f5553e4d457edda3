(ns tenon.rows
  "What a namespace shows to others, var by var, as digests: a change that leaves a row alone can't change what uses
  only that var, unless it runs the namespace's code while it is compiled (macros, inline functions).")

(defn- data
  "Metadata and constants as text that is the same in every process: what has no such text counts by its class."
  [x]
  (cond
    (or (nil? x) (string? x) (number? x) (keyword? x) (true? x) (false? x) (char? x)) (pr-str x)
    (symbol? x) (if (meta x) (str "^" (data (meta x)) " " x) (str x))
    (map? x) (str "{" (apply str (sort (map (fn [[k v]] (str (data k) " " (data v) ",")) x))) "}")
    (set? x) (str "#{" (apply str (sort (map #(str (data %) ",") x))) "}")
    (sequential? x) (str (when (meta x) (str "^" (data (dissoc (meta x) :line :column))))
                         "(" (apply str (map #(str (data %) ",") x)) ")")
    (class? x) (.getName ^Class x)
    (var? x) (str x)
    :else (str "#" (.getName (class x)))))

(defn- digest [& parts]
  (let [md (java.security.MessageDigest/getInstance "SHA-256")]
    (doseq [^String p parts]
      (.update md (.getBytes p "UTF-8"))
      (.update md (byte 0)))
    (.formatHex (java.util.HexFormat/of) (.digest md) 0 16)))

(defn- signatures
  "Fields, constructors and methods that other classes may name; what the compiler numbers is not among them."
  [^Class c]
  (sort (concat (map str (.getInterfaces c))
                (map #(str (.toGenericString ^java.lang.reflect.Field %))
                     (remove #(re-find #"^(const|__cached)" (.getName ^java.lang.reflect.Field %)) (.getDeclaredFields c)))
                (map str (.getDeclaredConstructors c))
                (map str (.getDeclaredMethods c)))))

(defn- kind [v]
  (let [m (meta v) x (when (bound? v) @v)]
    (cond
      (:macro m) :macro
      (:inline m) :inline
      (:const m) :const
      (and (map? x) (:on-interface x) (:sigs x)) :protocol
      (not (bound? v)) :unbound
      (:dynamic m) :dynamic
      (fn? x) :function
      :else :value)))

(defn- value [kind v]
  (case kind
    :const (data @v)
    :protocol (str (data (:sigs @v)) (data (map (comp sort keys) (vals (:sigs @v)))))
    ;; Direct linking names the class and its static methods.
    (:function :macro :inline) (apply str (.getName (class @v))
                                      (sort (filter #(re-find #"invokeStatic|invokePrim" %)
                                                    (map str (.getDeclaredMethods (class @v))))))
    (:value :dynamic) (str (class @v))
    ""))

(defn of
  "Rows of a loaded namespace, sorted: [name kind digest]. Classes that it defines are rows too."
  [ns]
  (let [own (str (munge (ns-name ns)) ".")]
    (concat
     (for [[sym v] (sort-by (comp str key) (ns-interns ns))
           :let [k (kind v)]]
       [(str sym) k (digest (name k) (data (dissoc (meta v) :line :column :file :doc :ns :name :end-line :end-column))
                            (value k v))])
     (for [[sym ^Class c] (sort-by (comp str key) (ns-imports ns))
           :when (and (.startsWith (.getName c) own) (= (str sym) (subs (.getName c) (count own))))]
       [(.getName c) :class (apply digest (signatures c))]))))
