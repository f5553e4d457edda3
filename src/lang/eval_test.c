#include "lang/eval.h"

#include "base/tap.h"

struct run {
	struct arena a;
	struct eval ev;
	struct module m;
	SourceTexts files;
	struct err err;
	struct buf out;
};

static bool print(void *ctx, struct value v, struct err *err)
{
	struct buf *out = ctx;
	(void)err;
	if (out->len)
		buf_addc(out, ' ');
	value_print(v, out, 4000);
	return true;
}

static bool evaluate(struct run *r, struct str text, uint64_t steps)
{
	struct sexp *forms;
	*r = (struct run){0};
	vec_push(&r->files, (struct source_text){.path = STR("f"), .text = text});
	eval_init(&r->ev, &r->a, &r->files, NULL);
	eval_define_rule(&r->ev, STR("jar"), r);
	if (steps)
		r->ev.max_steps = steps;
	return sexp_read(&r->a, STR("f"), text, SEXP_BUILD, &forms, &r->err) &&
	       eval_file(&r->ev, &r->m, 0, forms, print, &r->out, &r->err);
}

static void release(struct run *r)
{
	module_release(&r->m);
	eval_release(&r->ev);
	vec_release(&r->files);
	buf_release(&r->out);
	err_clear(&r->err);
	arena_release(&r->a);
}

static const char *const results[][2] = {
        {"1 -2 \"a\\n\" :k true [1, 2] {:a 1, \"b\" 2}", "1 -2 \"a\\n\" :k true [1 2] {:a 1, \"b\" 2}"},
        {"nil ; nothing", ""},
        {"(+ 1 2 3) (+) (- 5) (- 5 1 1) (* 2 3) (quot -7 2) (mod -7 2)", "6 0 -5 3 6 -3 1"},
        {"(= 1 1) (= [1 {:a 2}] [1 {:a 2}]) (= 1 \"1\") (not= 1 2) (< 1 2 3) (<= 2 2) (> \"b\" \"a\") (>= 1 2)",
         "true true false true true true true false"},
        {"(min 3 1 2) (max 3 1 2) (not nil) (not 0)", "1 3 true false"},
        {"(if true 1 2) (if nil 1 2) (if false 1) (when 1 2 3) (cond false 1 :else 2) (cond false 1)", "1 2 3 2"},
        {"(and) (and 1 2) (and 1 nil (error \"no\")) (or nil 3 (error \"no\")) (or nil false)", "true 2 3 false"},
        {"(let [a 1 b (+ a 1)] [a b])", "[1 2]"},
        {"(let [[a b & c] [1 2 3 4]] c) (let [{:keys [x y] :or {y 5} :as m} {:x 1}] [x y m])", "[3 4] [1 5 {:x 1}]"},
        {"(def a \"doc\" 1) a (defn f \"doc\" [x & more] [x more]) (f 1) (f 1 2 3)", "1 [1 []] [1 [2 3]]"},
        {"(defn f [x & {:keys [k] :or {k 9}}] [x k]) (f 1) (f 1 :k 2)", "[1 9] [1 2]"},
        {"((fn [x] (* x x)) 7) (defn add [n] (fn [m] (+ n m))) ((add 1) 2)", "49 3"},
        {"(defn fact [n] (if (< n 2) 1 (* n (fact (- n 1))))) (fact 20)", "2432902008176640000"},
        {"(for [x [1 2] y [:a :b] :when (not= [x y] [2 :a]) :let [z (str x y)]] z)", "[\"1:a\" \"1:b\" \"2:b\"]"},
        {"(str \"a\" 1 nil :b [\"x\"]) (join \", \" [1 2]) (join [\"a\" \"b\"]) (split \"a,b,\" \",\")",
         "\"a1:b[\\\"x\\\"]\" \"1, 2\" \"ab\" [\"a\" \"b\" \"\"]"},
        {"(replace \"aXbX\" \"X\" \"--\") (starts-with? \"abc\" \"ab\") (ends-with? \"abc\" \"b\") (includes? \"abc\" "
         "\"b\")",
         "\"a--b--\" true false true"},
        {"(strip-prefix \"src/a\" \"src/\") (strip-suffix \"a.clj\" \".clj\") (upper-case \"ab\") (lower-case \"AB\")",
         "\"a\" \"a\" \"AB\" \"ab\""},
        {"(trim \" a \") (subs \"h\\u00e9llo\" 1 3) (name :a) (keyword \"b\") (parse-int \"-12\")",
         "\"a\" \"\xc3\xa9l\" \"a\" :b -12"},
        {"(basename \"a/b.c\") (dirname \"a/b.c\") (dirname \"b\")", "\"b.c\" \"a\" \"\""},
        {"(list 1 2) (count [1 2]) (count \"\xc3\xa9\") (empty? []) (first [1 2]) (last [1 2]) (rest [1 2]) (first [])",
         "[1 2] 2 1 true 1 2 [2]"},
        {"(take 2 [1 2 3]) (drop 2 [1 2 3]) (nth [1 2] 1) (nth [1] 5 :no) (get {:a 1} :a) (get {:a 1} :b 2) (:a {:a "
         "3})",
         "[1 2] [3] 2 :no 1 2 3"},
        {"(assoc {:a 1} :a 2 :b 3) (dissoc {:a 1 :b 2} :a) (merge {:a 1} nil {:b 2}) (keys {:a 1}) (vals {:a 1})",
         "{:a 2, :b 3} {:b 2} {:a 1, :b 2} [:a] [1]"},
        {"(contains? [1 2] 2) (contains? {:a 1} :b) (concat [1] nil [2 3]) (conj [1] 2 3) (cons 0 [1])",
         "true false [1 2 3] [1 2 3] [0 1]"},
        {"(map (fn [x] (* 2 x)) [1 2]) (map + [1 2] [10 20 30]) (mapcat (fn [x] [x x]) [1 2]) (filter :x [{:x 1} {}])",
         "[2 4] [11 22] [1 1 2 2] [{:x 1}]"},
        {"(remove nil? [1 nil 2]) (some (fn [x] (and (> x 1) x)) [1 2 3]) (every? int? [1 \"a\"]) (reduce + 0 [1 2 3])",
         "[1 2] 2 false 6"},
        {"(apply + 1 [2 3]) (range 3) (range 2 4) (reverse [1 2]) (sort [\"b\" \"a\"]) (distinct [1 2 1]) (flatten [1 "
         "[2 [3]]])",
         "6 [0 1 2] [2 3] [2 1] [\"a\" \"b\"] [1 2] [1 2 3]"},
        {"(jar :name \"a\" :deps nil {:jar \"b\"}) (apply jar [:name \"c\"])",
         "(jar :name \"a\" :jar \"b\") (jar :name \"c\")"},
        {"(select :os {:default 1})", "1"},
        {"(nil? nil) (string? \"\") (int? 1) (keyword? :a) (list? []) (map? {}) (boolean? false) (target? (jar))",
         "true true true true true true true true"},
};

static void test_results(void)
{
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct run r;
		bool ok = evaluate(&r, str_from(results[i][0]), 0);
		if (!ok)
			tap_note("%s", buf_cstr(&r.err.message));
		tap_eq_str(buf_str(&r.out), str_from(results[i][1]), "%s", results[i][0]);
		release(&r);
	}
}

static const char *const errors[][2] = {
        {"(foo)", "f:1:2: \"foo\" is not defined"},
        {"(strr \"a\")", "f:1:2: \"strr\" is not defined\n(strr \"a\")\n ^\nnote: did you mean \"str\"?\n"},
        {"(def version 1)\n(str versoin)",
         "f:2:6: \"versoin\" is not defined\n(str versoin)\n     ^\nnote: did you mean \"version\"?\n"},
        {"(+ 1 \"2\")", "f:1:6: \"+\" wants integers, not a string: \"2\""},
        {"(+ 9223372036854775807 1)", "f:1:1: the result of \"+\" does not fit 64 bits"},
        {"(* -9223372036854775808 -1)", "does not fit 64 bits"},
        {"(quot 1 0)", "f:1:1: division by zero"},
        {"(first 5)", "f:1:8: \"first\" wants a list, not an integer: 5"},
        {"(first)", "f:1:1: \"first\" wants 1 argument, not 0"},
        {"(nth [1] 2)", "f:1:1: there is no item 2 in a list of 1"},
        {"(1 2)", "f:1:1: an integer can't be called"},
        {"(\"a\" \"b\")", "note: a list of values is written [a b], or (list a b)"},
        {"(defn f [x] (first x))\n(f 1)",
         "f:2:4: \"first\" wants a list, not an integer: 1\n(f 1)\n   ^\nnote: in a call of \"f\" at f:2:1\n"},
        {"(defn f [x] x)\n(f)", "f:2:1: \"f\" wants 1 argument, not 0"},
        {"(defn f [x & {:keys [deps]}] x)\n(f 1 :dpes 2)",
         "f:2:6: unknown argument :dpes\n(f 1 :dpes 2)\n     ^\nnote: did you mean \"deps\"?"},
        {"(defn f [& {:keys [a]}] a)\n(f :a)", "f:2:4: expected keys and values: this one has no value behind it"},
        {"(let [[a] 5] a)", "f:1:7: expected a list, not an integer"},
        {"(let [a] a)", "f:1:1: expected (let [name value ...] form ...)"},
        {"(if)", "f:1:1: expected (if test then else)"},
        {"(cond 1)", "f:1:1: expected (cond test value ... :else value)"},
        {"(let [x 1] (def y 2))", "f:1:12: \"def\" stands at top level only"},
        {"(def a 1)\n(def a 2)", "f:2:6: \"a\" is defined already, at f:1:6"},
        {"(def str 1)", "f:1:6: \"str\" is built in and can't be defined again"},
        {"(def if 1)", "f:1:6: \"if\" can't be a name"},
        {"if", "f:1:1: \"if\" is a special form, not a value"},
        {"{:a}", "f:1:1: a map wants a value for each key"},
        {"{:a 1 :a 2}", "f:1:7: this key is in the map twice"},
        {"{[1] 2}", "f:1:2: a list can't be the key of a map"},
        {"(jar \"a\" 1)", "f:1:6: expected an attribute such as :name, not a string: \"a\""},
        {"(glob \"*\")", "f:1:1: files can't be listed here"},
        {"(glob)", "f:1:1: \"glob\" wants at least 1 argument, not 0"},
        {"(load \"x\")", "f:1:7: files can't be loaded here"},
        {"(error \"no \" 5)", "f:1:1: no 5"},
        {"(select :os {\"mac\" 1})", "f:1:1: no case of this select is for :os which is not set"},
        {"(contains? \"abc\" \"b\")", "for strings take \"includes?\""},
        {"(subs \"abc\" 2 9)", "f:1:1: \"subs\" from 2 to 9 of 3 characters"},
        {"(sort [1 \"a\"])",
         "f:1:10: \"sort\" wants only strings, only keywords or only integers, not a string: \"a\""},
        {"(range 9223372036854775807)", "takes more than 4000000 steps"},
        {"(defn f [x] (f x))\n(f 1)", "nested more than 600 deep"},
        {"(reduce (fn [a x] [a]) 1 (range 600))", "lists nested more than 500 deep"},
        {"(reduce (fn [a x] [a a]) 1 (range 40))", "a list with more than 1048576 things in it"},
        {"(reduce (fn [a x] (str a a)) \"xxxxxxxx\" (range 60))", "takes more than 4000000 steps"},
        {"(count (for [a (range 9999) b (range 9999)] a))", "takes more than 4000000 steps"},
};

static void test_errors(void)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct run r;
		struct buf text = {0};
		bool ok = evaluate(&r, str_from(errors[i][0]), 0);
		err_format(&r.err, &text);
		if (!tap_ok(!ok && r.err.kind == ERR_USER && r.err.span.line && strstr(buf_cstr(&text), errors[i][1]),
		            "%s", errors[i][0]))
			tap_note("%s", buf_cstr(&text));
		buf_release(&text);
		release(&r);
	}
}

/* However deep the text: an error, and no overflow of the stack. */
static void test_deep(void)
{
	static const struct {
		const char *open, *close;
	} shapes[] = {{"[", "]"}, {"(list ", ")"}, {"(if true ", ")"}, {"((fn [x] x) ", ")"}, {"{:a ", "}"}};
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct buf text = {0};
		struct run r;
		for (int k = 0; k < 100000; k++)
			buf_addz(&text, shapes[i].open);
		buf_addc(&text, '1');
		for (int k = 0; k < 100000; k++)
			buf_addz(&text, shapes[i].close);
		bool ok = evaluate(&r, buf_str(&text), 0);
		tap_ok(!ok && strstr(buf_cstr(&r.err.message), "nested more than"), "100,000 times %s: %s",
		       shapes[i].open, buf_cstr(&r.err.message));
		release(&r);
		buf_release(&text);
	}
}

static void test_steps(void)
{
	struct run r;
	struct str text = STR("(count (range 1000))");
	tap_ok(!evaluate(&r, text, 500), "steps are what the caller gives");
	release(&r);
	tap_ok(evaluate(&r, text, 5000), "and enough of them do");
	release(&r);
}

int main(void)
{
	test_results();
	test_errors();
	test_deep();
	test_steps();
	return tap_done();
}
