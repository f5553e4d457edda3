(ns tenon.worker
  "The requests that a worker answers. One process holds one runtime: its session, set once."
  (:require [tenon.compile :as compile] [tenon.diagnose :as diagnose] [tenon.libraries :as libraries])
  (:import (java.lang.management ManagementFactory MemoryPoolMXBean MemoryType)
           (tenon Session)))

(set! *warn-on-reflection* true)

(defonce ^:private session (promise))

(defn- start
  "The session: what is on the class path, which namespaces are the project's, what to load before all else."
  [{:keys [class-path roots project preload libraries] :as request}]
  (compile/with-output request identity
    (fn []
      (let [{:keys [jars] :as libraries} (when libraries (apply hash-map libraries))
            s (Session. (concat (keep second jars) class-path) roots)]
        (when-not (deliver session {:session s, :project (set project)})
          (throw (IllegalStateException. "this process has its session already")))
        (compile/load-data-readers s)
        (if libraries
          (do (libraries/prepare s libraries)
              {:status :ok})
          {:status :ok, :diagnostics (compile/unloadable s preload)})))))

(defn- current []
  (if (realized? session)
    @session
    (throw (IllegalStateException. "this process has no session yet"))))

(defonce ^:private test-lock (Object.))

(defn- carry-out [kind request]
  (case kind
    :session (start request)
    :compile (let [{:keys [session project]} (current)]
               (libraries/await-all (map first (:closure request)))
               (compile/compile-request session project request))
    :load (let [{:keys [session]} (current)]
            (libraries/await-all)
            (compile/load-request session request))
    :test (let [{:keys [session]} (current)]
            (libraries/await-all)
            ;; clojure.test is loaded where tests are run, and nowhere else. Tests change the roots of vars
            ;; (with-redefs, as our reporter does): one namespace at a time.
            (locking test-lock
              (require 'tenon.tests)
              ((resolve 'tenon.tests/test-request) session request)))
    {:status :failed
     :diagnostics [{:severity :error, :kind :other, :message (str "no such request: " kind)}]}))


;; What is under way: id to its thread and an atom that holds what is known of it should the process end.
(defonce ^:private under-way (atom {}))
;; The request that took too long: its id, and what its thread was doing.
(defonce ^:private too-long (atom nil))

(defn- as-answer [head id answer]
  (into [head id] (mapcat identity) answer))

(defn- ends-the-process? [^Thread t]
  (some #(and (= "java.lang.Shutdown" (.getClassName ^StackTraceElement %)) (= "exit" (.getMethodName ^StackTraceElement %)))
        (.getStackTrace t)))

(defn- to-blame
  "The request whose code ends the process: its id, and what to say."
  []
  (or @too-long
      (let [all @under-way]
        (when-let [[id] (or (first (filter (fn [[_ [t]]] (ends-the-process? t)) all))
                            (when (= 1 (count all)) (first all)))]
          [id {:kind :exit, :message "the code ended the process (System/exit)"}]))))

(defn exit-answers
  "The answer of the request whose code ends the process. The others get none: they are not to blame and run again. When
  a thread of its own did it, and several are under way, none is blamed; each of them then runs again alone."
  []
  (let [[id diagnostic] (to-blame)]
    (when-let [[_ progress] (@under-way id)]
      [(as-answer :exited id (merge {:status :failed, :diagnostics [(assoc diagnostic :severity :error)]}
                                    @progress))])))

(defn- watch
  "Ends the process, which is the only way to stop a thread, when the request has not ended in time."
  [id ^Thread thread ms]
  (doto (Thread. (fn []
                   (.join thread (long ms))
                   (when (contains? @under-way id)
                     (let [at (diagnose/user-frame (.getStackTrace thread))]
                       (reset! too-long [id (cond-> {:kind :timeout, :message (str "it took longer than " (quot ms 1000) " s")}
                                              at (assoc :context at))])
                       (System/exit 1))))
                 "watch")
    (.setDaemon true)
    (.start)))

(defn- worn?
  "Is most of the heap still in use after the last collection? What tests load and define stays in the process."
  []
  (let [used (reduce + (for [^MemoryPoolMXBean pool (ManagementFactory/getMemoryPoolMXBeans)
                             :when (= MemoryType/HEAP (.getType pool))
                             :let [usage (.getCollectionUsage pool)]
                             :when usage]
                         (.getUsed usage)))]
    (> (double used) (* 0.6 (.maxMemory (Runtime/getRuntime))))))

(defn- out-of-memory? [answer]
  (some #(= :heap (:kind %)) (:diagnostics answer)))

(defn handle
  "Answers one request, (KIND ID KEY VALUE ...)."
  [[kind id & {:keys [timeout-ms] :as request}]]
  (let [progress (atom nil)]
    (swap! under-way assoc id [(Thread/currentThread) progress])
    (when timeout-ms
      (watch id (Thread/currentThread) timeout-ms))
    (try
      (let [answer (carry-out kind (assoc request :id id, :progress progress))]
        (cond
          (not (out-of-memory? answer)) (concat (as-answer :answer id answer)
                                                (when (and (= kind :test) (worn?)) [:worn true]))
          ;; Whoever filled the heap, the runtime is not to be trusted any more.
          (= 1 (count @under-way)) (as-answer :exited id answer)
          :else (.halt (Runtime/getRuntime) 1)))
      (catch Throwable e
        (as-answer :answer id {:status :failed
                               :diagnostics [{:severity :error, :kind :other, :message (str e)}]}))
      (finally
        (swap! under-way dissoc id)))))
