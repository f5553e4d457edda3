;; A prompt for people: an nREPL where nrepl is on the class path, and the plain prompt of clojure.main where there is a
;; terminal (or other input). Arguments: --headless, no prompt: serve until the process is ended; --port N.
;;
;; The port is written to the file .nrepl-port in the current folder, where editors look for it.
(require 'clojure.main)

(let [args (set *command-line-args*)
      port (second (drop-while #(not= % "--port") *command-line-args*))
      start (try
              (require 'nrepl.server)
              (resolve 'nrepl.server/start-server)
              (catch java.io.FileNotFoundException _ nil))
      server (when start (start :bind "127.0.0.1" :port (if port (Long/parseLong port) 0)))
      file (java.io.File. ".nrepl-port")]
  (when server
    (.addShutdownHook (Runtime/getRuntime) (Thread. #(.delete file)))
    (spit file (str (:port server)))
    (println (str "nREPL server started on port " (:port server) " on host 127.0.0.1 - nrepl://127.0.0.1:" (:port server)))
    (flush))
  (cond
    (not (args "--headless")) (do (in-ns 'user)
                                  (apply clojure.main/main ["--repl"])
                                  (shutdown-agents)
                                  (System/exit 0))
    server @(promise)
    :else (binding [*out* *err*]
            (println "no nREPL: nrepl is not on the class path; add nrepl/nrepl to the dependencies")
            (System/exit 3))))
