(ns practice
  "What is compiled once while the worker's archive is made, so that the classes that any compile needs are in it."
  (:require [clojure.string :as string] [clojure.set])
  (:import (java.util ArrayList Map)))

(defprotocol Shape (area [this]) (scaled [this by]))
(defrecord Square [side] Shape (area [_] (* side side)) (scaled [_ by] (->Square (* side by))))
(deftype Counter [^:unsynchronized-mutable n] clojure.lang.IDeref (deref [_] (set! n (inc n)) n))
(definterface Named (^String getName []))
(extend-protocol Shape nil (area [_] 0) (scaled [_ _] nil))

(def ^:dynamic *mode* :plain)
(def ^:const limit 99)
(defonce state (atom {:list '(1 2), :set #{:a "b" \c}, :pattern #"x+", :number 1.5, :class String}))
(defmulti kind (fn [x & _] (:kind x)))
(defmethod kind :default [_ & more] more)

(defmacro unless [test & body]
  `(let [t# ~test] (if t# nil (do ~@body))))

(defn ^long sum [^longs xs]
  (areduce xs i total 0 (+ total (aget xs i))))

(defn walk
  "Destructuring, sequences, loops."
  ([] (walk {}))
  ([{:keys [a b] :or {a 1} :as m} & [x y :as more]]
   (letfn [(twice [n] (* 2 (long n)))]
     (let [items (for [i (range 3) :when (odd? i)] [i (twice i)])]
       (doseq [[k v] items] (swap! state assoc k v))
       (loop [n 0]
         (if (< n (count more)) (recur (inc n)) [a b x y m n]))))))

(defn things [x]
  (binding [*mode* :other]
    (try
      (case x
        :a (reify Map (size [_] 1) (isEmpty [_] false))
        "b" (proxy [ArrayList] [] (size [] 0))
        (1 2) (-> x inc str string/upper-case)
        (cond-> [x] (nil? x) (conj (unless x :none)) (string? x) (conj (.length ^String x) (.toString x))))
      (catch IllegalArgumentException e (throw (ex-info "no" {:thing x} e)))
      (finally (locking state (vswap! (volatile! 1) + 1))))))

(gen-class :name practice.Made :methods [[get [] String]] :prefix "made-")
(defn made-get [_] "made")
