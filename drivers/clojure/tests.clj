(ns tenon.tests
  "Running clojure.test with a reporter of our own: times by var, places, differences, what was printed."
  (:require [clojure.data :as data] [clojure.test :as test] [tenon.compile :as compile] [tenon.diagnose :as diagnose])
  (:import (tenon Main Output Session Session$View)))

(defn- shown [x]
  (binding [*print-length* 100, *print-level* 20]
    (try (pr-str x) (catch Throwable e (str "#<" (.getName (class x)) " that can't be printed: " e ">")))))

(defn- difference
  "Only what the expected value has, only what the actual one has; nil where the assertion is no comparison of two data."
  [{:keys [expected actual]}]
  (when (and (seq? expected) (= '= (first expected)) (seq? actual) (= 'not (first actual)))
    (let [[_ [_ want got & more]] actual]
      (when (and (nil? more) (coll? want) (coll? got))
        (let [[missing extra _] (data/diff want got)]
          [(shown missing) (shown extra)])))))

(defn- place
  "The file and line of an assertion. clojure.test takes them from the stack, which for code that was thrown elsewhere
  is not the test's: then the var's own."
  [{:keys [file line]} v]
  (let [m (meta v) same? (and file (:file m) (.endsWith ^String (:file m) (str file)))]
    (if (or same? (nil? m)) [(or (:file m) file) line] [(:file m) (:line m)])))

(defn- event [v {:keys [type message expected actual] :as m}]
  (let [[file line] (place m v)
        thrown? (instance? Throwable actual)]
    (cond-> {:type type, :contexts (vec (reverse test/*testing-contexts*)), :file file, :line line
             :expected (shown expected)
             :actual (if thrown? (str actual) (shown actual))}
      message (assoc :message (str message))
      thrown? (assoc :trace (mapv str (take 20 (.getStackTrace ^Throwable actual))))
      (difference m) (assoc :difference (difference m)))))

(def ^:private nothing {:pass 0, :fail 0, :error 0})

;; The multimethod, which a reporter takes the place of while tests run.
(def ^:private clojure-report test/report)

(defn- reporter
  "Counts and keeps what clojure.test reports of one var (or of a fixture, when v is nil)."
  [v found]
  (fn [{:keys [type] :as m}]
    (case type
      :pass (swap! found update :pass inc)
      (:fail :error) (swap! found #(-> % (update type inc) (update :events (fnil conj []) (event v m))))
      ;; Libraries extend clojure.test/report by types of their own; those print as they like.
      (when-not (#{:begin-test-var :end-test-var :begin-test-ns :end-test-ns :summary} type)
        (when-let [own (get-method clojure-report type)]
          (when-not (identical? own (get-method clojure-report :default))
            (own m)))))))

(defn- run-var
  "One var's result. `output` has what it printed."
  [v ^Output output]
  (let [found (atom nothing) started (System/nanoTime)]
    (with-redefs [test/report (reporter v found)]
      (binding [test/report (reporter v found)]
        (test/test-var v)))
    (.flush ^java.io.Writer *out*)
    (assoc @found :name (str (:name (meta v))) :wall-ns (- (System/nanoTime) started)
           :file (:file (meta v)) :line (:line (meta v)) :output (.text output))))

(defn- selector
  "The function that the text stands for; it gets the metadata of a test above that of its namespace."
  [text]
  (if text
    (let [f (binding [*ns* (the-ns 'clojure.core)] (eval (read-string text)))]
      #(f (merge (meta (:ns (meta %))) (meta %))))
    (constantly true)))

(defn- wanted [ns names]
  (filter #(and (:test (meta %)) (or (empty? names) (some #{(str (:name (meta %)))} names)))
          (sort-by #(vector (or (:line (meta %)) 0) (str (:name (meta %)))) (vals (ns-interns ns)))))

(defn- run-ns
  "Runs a loaded namespace's tests within its fixtures; its test-ns-hook takes the place of all when it has one."
  [ns names selected? output progress tell]
  (let [hook (when (empty? names) (find-var (symbol (str (ns-name ns)) "test-ns-hook")))
        once (test/join-fixtures (::test/once-fixtures (meta ns)))
        each (test/join-fixtures (::test/each-fixtures (meta ns)))
        one (fn [v]
              (swap! progress assoc :current (str (:name (meta v))))
              (tell (str (:name (meta v))))
              (.clear ^Output output)
              (let [around (atom nothing)
                    r (try
                        (let [r (promise)]
                          (binding [test/report (reporter nil around)]
                            (each #(deliver r (run-var v output))))
                          (if (realized? r) @r {:name (str (:name (meta v))), :pass 0, :fail 0, :error 1
                                                :events [{:type :error, :expected "", :actual "a fixture did not call its test"}]}))
                        (catch Throwable e
                          {:name (str (:name (meta v))), :pass 0, :fail 0, :error 1, :output (.text ^Output output)
                           :events [(event v {:type :error, :message "uncaught exception in a fixture", :expected nil, :actual e})]}))]
                (swap! progress update :vars conj (merge-with (fn [a b] (if (number? a) (+ a b) (or a b))) r (select-keys @around [:fail :error])))))]
    (binding [test/*testing-vars* (list), test/*report-counters* (ref test/*initial-report-counters*)]
      (if hook
        (let [found (atom nothing) started (System/nanoTime)]
          (.clear ^Output output)
          (binding [test/report (reporter nil found)]
            (hook))
          (swap! progress update :vars conj (assoc @found :name "test-ns-hook" :wall-ns (- (System/nanoTime) started)
                                                   :output (.text ^Output output))))
        (let [vars (filter selected? (wanted ns names)) called (atom false)]
          (when (seq vars)
            (once (fn [] (reset! called true) (run! one vars)))
            (when-not @called
              (throw (IllegalStateException. "a :once fixture did not call its tests")))))))))

(defn test-request
  "Carries out (:test ID :namespace N :vars (NAME...) :select (FUNCTION) ...)."
  [^Session session {:keys [namespace vars select sources closure progress] :as request}]
  (let [sources (into {} (map vec) sources)
        file-of (diagnose/places sources)
        view (Session$View. session nil nil sources (map first closure))
        output (Output.)
        writer (compile/printer output)
        placed (fn [m] (update m :file #(when % (file-of %))))
        result (fn [{:keys [vars current]}]
                 (let [vars (mapv #(placed (update % :events (partial mapv placed))) vars)]
                   {:vars vars
                    :current current
                    :pass (reduce + (map :pass vars)), :fail (reduce + (map :fail vars)), :error (reduce + (map :error vars))}))]
    (compile/with-output request file-of
      (fn []
        (compile/load-closure session closure)
        (compile/seeing view
          (require (symbol namespace))
          (let [ns (the-ns (symbol namespace))
                unknown (remove (set (map #(str (:name (meta %))) (wanted ns []))) vars)
                state (atom {:vars []})]
            (when (seq unknown)
              (throw (IllegalArgumentException. (str "namespace " namespace " has no test " (first unknown)))))
            (add-watch state ::progress (fn [_ _ _ now] (reset! progress (result now))))
            (binding [*out* writer, *err* writer, test/*test-out* writer]
              (Output/use output)
              (run-ns ns vars (selector (first select)) output state #(Main/tell [:progress (:id request) :current %])))
            (let [r (dissoc (result @state) :current)]
              (assoc r :status (if (zero? (+ (:fail r) (:error r))) :ok :failed)))))))))
