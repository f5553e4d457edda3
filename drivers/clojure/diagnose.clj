(ns tenon.diagnose
  "Exceptions and compiler warnings as diagnostics: a place, a kind, a message.")

(defn- causes [^Throwable e]
  (take-while some? (iterate #(.getCause ^Throwable %) e)))

(defn- field
  "The value of a field of an exception of the compiler, whose classes hide them; nil if it has none."
  [e name]
  (try
    (let [f (.getDeclaredField (class e) name)]
      (.setAccessible f true)
      (.get f e))
    (catch Exception _ nil)))

(defn- compiler-exception? [e]
  (instance? clojure.lang.Compiler$CompilerException e))

(defn- reader-exception? [e]
  (= "clojure.lang.LispReader$ReaderException" (.getName (class e))))

(defn- place
  "Where the innermost exception that knows says it happened. Before 1.10 only its fields tell."
  [e]
  (let [known (filter #(or (compiler-exception? %) (reader-exception? %)) (causes e))
        of (fn [k f] (some #(or (get (ex-data %) k) (field % f)) (reverse known)))]
    {:file (of :clojure.error/source "source")
     :line (of :clojure.error/line "line")
     :column (of :clojure.error/column "column")}))

(defn- kind [e]
  (let [all (causes e)
        phase (some #(:clojure.error/phase (ex-data %)) all)
        text (str (.getMessage ^Throwable (last all)))]
    (cond
      (some #(instance? OutOfMemoryError %) all) :heap
      (some #(instance? StackOverflowError %) all) :stack
      (some reader-exception? all) :reader
      (re-find #"^(EOF while reading|Unmatched delimiter)" text) :reader
      (some #(and (instance? java.io.FileNotFoundException %)
                  (.startsWith (str (.getMessage ^Throwable %)) "Could not locate "))
            all) :missing-namespace
      (= phase :read-source) :reader
      (= phase :execution) :load
      (#{:macro-syntax-check :macroexpansion} phase) :macro
      (some compiler-exception? all) :compile
      :else :load)))

(defn- spec-message
  "What clojure.spec found wrong with a form, in a line each."
  [data]
  (when-let [problems (:clojure.spec.alpha/problems data)]
    (apply str (interpose "\n" (for [{:keys [val pred path]} (distinct problems)]
                                 (str (binding [*print-length* 8 *print-level* 4] (pr-str val))
                                      " is not " (pr-str pred)
                                      (when (seq path) (str " at " (pr-str path)))))))))

(defn- message [e]
  (let [root ^Throwable (last (causes e))
        text (or (.getMessage root) (.getName (class root)))
        described (if (or (instance? RuntimeException root) (instance? java.io.IOException root))
                    text
                    (str (.getName (class root)) (when (.getMessage root) (str ": " text))))]
    (if-let [spec (spec-message (ex-data root))]
      (str text "\n" spec)
      described)))

(defn user-frame
  "The first line of user code in a trace, as text; nil if there is none."
  [trace]
  (let [internal? (fn [^StackTraceElement f]
                    (or (nil? (.getFileName f))
                        (re-find #"^(clojure|java|jdk|tenon)\." (.getClassName f))))]
    (when-let [^StackTraceElement f (first (remove internal? trace))]
      (str (.getClassName f) " (" (.getFileName f) ":" (.getLineNumber f) ")"))))

(defn- frame
  "Helps with what was thrown by a macro or while loading."
  [e]
  (user-frame (.getStackTrace ^Throwable (last (causes e)))))

(defn missing
  "The namespace that could not be located, from the exception's text; nil if that is not what is wrong."
  [e]
  (some (fn [^Throwable c]
          (when (instance? java.io.FileNotFoundException c)
            (when-let [[_ file] (re-find #"Could not locate (\S+?)(?:__init\.class|\.cljc?|,)" (str (.getMessage c)))]
              (.. ^String file (replace \/ \.) (replace \_ \-)))))
        (causes e)))

(defn unknown
  "What a qualified symbol named where a namespace or a class belongs and there is none; nil if that is not what is wrong."
  [e]
  (some (fn [^Throwable c]
          (or (when (instance? ClassNotFoundException c)
                (.getMessage c))
              (second (re-find #"^No such namespace: (\S+)" (str (.getMessage c))))))
        (causes e)))

(defn undeclared
  "An exception that says so, caused by the one that it led to."
  [user used e]
  (ex-info (str user " uses " used ", which it does not require") {::undeclared used} e))

(defn places
  "A function from what the compiler calls a source, its resource or only the end of that, to its path."
  [sources]
  (fn [^String file]
    (or (get sources file)
        (first (for [[^String resource path] sources :when (.endsWith resource (str "/" file))] path))
        file)))

(defn exception
  "The diagnostic of what a compile, a load or a test threw. `file-of` makes a path of a resource's name."
  [e file-of]
  (let [{:keys [file line column]} (place e)
        undeclared (::undeclared (ex-data e))
        kind (if undeclared :undeclared (kind e))
        ;; What is unbalanced is best shown where it opened.
        opened (second (re-find #"^EOF while reading, starting at line (\d+)" (message e)))
        line (if opened (Long/parseLong opened) line)
        column (when-not opened column)]
    (cond-> {:severity :error, :kind kind, :message (if undeclared (.getMessage ^Throwable e) (message e))}
      undeclared (assoc :name undeclared)
      file (assoc :file (file-of file))
      (and line (pos? line)) (assoc :line line)
      (and column (pos? column)) (assoc :column column)
      (= kind :missing-namespace) (assoc :name (missing e))
      (#{:load :macro} kind) (assoc :context (frame e)))))

(def ^:private placed #"^(Reflection|Boxed math|Performance) warning, (.+?):(\d+):(\d+) - (.*)$")

(defn warnings
  "Splits what was printed to *err* into diagnostics and the rest of the text."
  [^String text file-of]
  (reduce (fn [[found other] line]
            (if-let [[_ what file row column message] (re-find placed line)]
              [(conj found {:severity (if (= what "Reflection") :style-warning :warning)
                            :kind ({"Reflection" :reflection, "Boxed math" :boxed-math} what :performance)
                            :message message, :file (file-of file)
                            :line (Long/parseLong row), :column (Long/parseLong column)})
               other]
              (if-let [[_ message] (re-find #"^WARNING: (.*(?:being replaced by|already refers to).*)$" line)]
                [(conj found {:severity :warning, :kind :redefinition, :message message}) other]
                [found (str other line "\n")])))
          [[] ""]
          (remove empty? (.split text "\n"))))
