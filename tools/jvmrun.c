/* jvmrun.c - compiles the namespaces of a plan with exec/jvm: what t/0600-clojure-worker.sh and measurements
 * drive the workers with, without the rest of tenon.
 *
 *     jvmrun [OPTION...] PLAN CLOJURE.JAR[:SPEC.JAR...] [CLASS-PATH]
 *
 *     --store=DIR --out=DIR   scratch store; classes are written to DIR/NAMESPACE
 *     --threads=N             compiles at a time (4); --processes=N (1)
 *     --libraries             keeps the classes of what lies in jars
 *     --times                 prints behind each name: start, wall and CPU time in ms
 *     --reverse               of what is ready, the last in the plan's order first
 *     --timeout=MS            for each compile
 *     --recycle=N             a process ends after so many; --heap=MIB
 *     --jvm=OPTION            for the JVM; may be given several times
 *     --request=KIND:TEXT     instead: sends one request and prints the answer; may be given several times
 *
 * PLAN is what t/clojure/plan.clj prints. Prints "ok NAME" or "failed NAME ANSWER" for each, then a line of figures. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "exec/jvm.h"
#include "exec/jvm_libraries.h"
#include "lang/sexp.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/process.h"

struct unit {
	const char *name;
	const struct sexp *sources;
	U32Vec deps;     /* units, all earlier */
	StrVec external; /* what it requires beyond the project */
	enum { WAITING, RUNNING, DONE, FAILED } state;
	uint64_t weight; /* bytes of source of the longest chain from here */
	struct jvm_job job;
	struct buf request;
	struct run *run;
};

struct run {
	struct arena a;
	struct loop *loop;
	struct jvm_pool *pool;
	const char *out;
	struct unit *units;
	size_t n, left, running, most; /* at a time */
	bool reverse, times;
	int64_t started_ns;
	unsigned timeout_ms;
	size_t ok, failed;
	uint64_t cpu_ns;
};

static const char *option(int *argc, char **argv, const char *name, const char *otherwise)
{
	size_t n = strlen(name);
	for (int i = 1; i < *argc; i++)
		if (strncmp(argv[i], name, n) == 0 && (argv[i][n] == '=' || !argv[i][n])) {
			const char *value = argv[i][n] ? argv[i] + n + 1 : "";
			memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof(*argv));
			--*argc;
			return value;
		}
	return otherwise;
}

static unsigned number(int *argc, char **argv, const char *name, const char *otherwise)
{
	uint64_t n = 0;
	str_to_u64(str_from(option(argc, argv, name, otherwise)), &n);
	return (unsigned)n;
}

static int die(struct err *err, const char *what)
{
	struct buf text = {0};
	err_format(err, &text);
	fprintf(stderr, "jvmrun: %s: %s\n", what, buf_cstr(&text));
	buf_release(&text);
	return 2;
}

/* The units below `u`, in order. */
static void closure(const struct run *r, const struct unit *u, bool *in)
{
	for (size_t i = 0; i < u->deps.len; i++)
		in[u->deps.ptr[i]] = true;
	for (size_t i = (size_t)(u - r->units); i-- > 0;)
		for (size_t k = 0; in[i] && k < r->units[i].deps.len; k++)
			in[r->units[i].deps.ptr[k]] = true;
}

static void write_request(struct run *r, struct unit *u)
{
	struct buf *b = &u->request;
	bool *in = xcalloc(r->n, sizeof(*in));
	closure(r, u, in);
	buf_addz(b, ":namespaces (");
	sexp_print_string(str_from(u->name), b);
	buf_addz(b, ") :warn-on-reflection t :sources ");
	sexp_print(u->sources, b);
	buf_addf(b, " :out \"%s/%s\" :closure (", r->out, u->name);
	for (size_t i = 0; i < u->external.len; i++) {
		buf_addc(b, '(');
		sexp_print_string(u->external.ptr[i], b);
		buf_addz(b, ") ");
	}
	for (size_t i = 0; i < r->n; i++)
		if (in[i])
			buf_addf(b, "(\"%s\" \"%s/%s\") ", r->units[i].name, r->out, r->units[i].name);
	buf_addc(b, ')');
	free(in);
}

static void start_ready(struct run *r);

static void on_done(struct jvm_job *job, const struct jvm_result *result)
{
	struct unit *u = job->ctx;
	struct run *r = u->run;
	struct arena a = {0};
	struct sexp *list;
	uint64_t cpu_ns = 0;
	bool ok = result->outcome == JVM_ANSWERED &&
	          sexp_read(&a, STR("<worker>"), result->text, SEXP_LISP, &list, NULL) && list->len == 1;
	if (ok) {
		cpu_ns = (uint64_t)sexp_int(sexp_getf(list->items[0], 2, "cpu-ns"), 0);
		r->cpu_ns += cpu_ns;
		ok = sexp_is_keyword(sexp_getf(list->items[0], 2, "status"), "ok");
	}
	arena_release(&a);
	u->state = ok ? DONE : FAILED;
	r->left--;
	r->running--;
	if (ok) {
		r->ok++;
		printf("ok %s", u->name);
		if (r->times)
			printf(" %.0f %.0f %.0f",
			       (double)(clock_mono_ns() - r->started_ns - (int64_t)result->wall_ns) / 1e6,
			       (double)result->wall_ns / 1e6, (double)cpu_ns / 1e6);
		putchar('\n');
	} else {
		r->failed++;
		printf("failed %s %.*s\n", u->name, (int)MIN(result->text.len, 2000), result->text.ptr);
	}
	start_ready(r);
}

static bool is_ready(struct run *r, struct unit *u)
{
	bool ready = u->state == WAITING;
	for (size_t i = 0; ready && i < u->deps.len; i++) {
		const struct unit *d = &r->units[u->deps.ptr[i]];
		if (d->state == FAILED) {
			u->state = FAILED;
			r->left--;
			r->failed++;
			printf("failed %s (needs %s)\n", u->name, d->name);
		}
		ready = d->state == DONE;
	}
	return ready;
}

static void start(struct run *r, struct unit *u)
{
	u->state = RUNNING;
	r->running++;
	write_request(r, u);
	struct err err = {0};
	const char *dir = str_fmt(&r->a, "%s/%s", r->out, u->name).ptr;
	if (!fs_remove_tree(dir, &err) || !fs_mkdirs(dir, &err))
		exit(die(&err, "cannot make the folder of classes"));
	u->job = (struct jvm_job){.kind = STR("compile"),
	                          .request = buf_str(&u->request),
	                          .label = str_from(u->name),
	                          .timeout_ms = r->timeout_ms,
	                          .done = on_done,
	                          .ctx = u};
	jvm_submit(r->pool, &u->job);
}

/* The longest chains first, or with --reverse the shortest. */
static void start_ready(struct run *r)
{
	while (r->running < r->most) {
		struct unit *best = NULL;
		for (size_t i = 0; i < r->n; i++) {
			struct unit *u = &r->units[i];
			if (is_ready(r, u) && (!best || (u->weight > best->weight) != r->reverse))
				best = u;
		}
		if (!best)
			return;
		start(r, best);
	}
}

/* Units stand behind those that they need. */
static void weigh(struct run *r)
{
	for (size_t i = r->n; i-- > 0;) {
		struct unit *u = &r->units[i];
		for (uint32_t k = 0; u->sources && k < u->sources->len; k++) {
			struct file_sig sig;
			if (fs_stat(str_dupz(&r->a, sexp_text(u->sources->items[k]->items[1])), &sig, NULL))
				u->weight += sig.size;
		}
		for (size_t k = 0; k < u->deps.len; k++) {
			struct unit *d = &r->units[u->deps.ptr[k]];
			d->weight = MAX(d->weight, u->weight);
		}
	}
}

static bool read_units(struct run *r, const struct sexp *plan)
{
	const struct sexp *list = sexp_getf(plan, 0, "namespaces");
	struct map index = {0};
	if (!list)
		return false;
	r->n = r->left = list->len;
	r->units = arena_new_n(&r->a, struct unit, r->n);
	for (uint32_t i = 0; i < list->len; i++) {
		struct unit *u = &r->units[i];
		const struct sexp *requires = sexp_getf(list->items[i], 1, "requires");
		u->run = r;
		u->name = str_dupz(&r->a, sexp_text(list->items[i]->items[0]));
		u->sources = sexp_getf(list->items[i], 1, "sources");
		for (uint32_t k = 0; requires && k < requires->len; k++) {
			uint64_t at;
			if (map_get(&index, sexp_text(requires->items[k]), &at))
				vec_push(&u->deps, (uint32_t)at);
			else
				vec_push(&u->external, sexp_text(requires->items[k]));
		}
		map_put(&index, str_from(u->name), i);
	}
	map_release(&index);
	return true;
}

static void write_session(const struct sexp *plan, const char *class_path, struct buf *b)
{
	static const char *const parts[] = {"roots", "project"};
	struct str rest = str_from(class_path), part;
	buf_addz(b, ":class-path (");
	while (str_cut(&rest, ':', &part)) {
		sexp_print_string(part, b);
		buf_addc(b, ' ');
	}
	buf_addz(b, ") :preload ");
	sexp_print(sexp_getf(plan, 0, "externals"), b);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_addf(b, " :%s ", parts[i]);
		sexp_print(sexp_getf(plan, 0, parts[i]), b);
	}
}

struct one {
	struct jvm_job job;
	bool done;
	int status;
};

static void on_one(struct jvm_job *job, const struct jvm_result *result)
{
	struct one *o = job->ctx;
	static const char *const names[] = {"answered", "crashed", "timed-out", "no-start"};
	printf("%s %.*s", names[result->outcome], STR_ARG(result->text));
	if (result->doing.len)
		printf(" (in %.*s)", STR_ARG(result->doing));
	putchar('\n');
	o->done = true;
	o->status = result->outcome != JVM_ANSWERED;
}

static int send_requests(struct run *r, const char *const *texts, size_t n, unsigned timeout_ms)
{
	struct one *all = arena_new_n(&r->a, struct one, n);
	int status = 0;
	for (size_t i = 0; i < n; i++) {
		struct str rest = str_from(texts[i]), kind = {0};
		str_cut(&rest, ':', &kind);
		all[i].job = (struct jvm_job){
		        .kind = kind, .request = rest, .timeout_ms = timeout_ms, .done = on_one, .ctx = &all[i]};
		jvm_submit(r->pool, &all[i].job);
	}
	for (size_t i = 0; i < n; i++) {
		while (!all[i].done)
			loop_run_once(r->loop, true);
		status |= all[i].status;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], PROCESS_SUPERVISOR_ARG) == 0)
		process_supervisor_main(argc, argv);
	struct run r = {0};
	struct err err = {0};
	const char *requests[64];
	size_t nrequests = 0;
	const char *store_dir = option(&argc, argv, "--store", "jvmrun-store");
	r.out = option(&argc, argv, "--out", "jvmrun-out");
	struct jvm_config config = {.threads = number(&argc, argv, "--threads", "4")};
	config.processes = number(&argc, argv, "--processes", "1");
	config.recycle = number(&argc, argv, "--recycle", "0");
	config.heap = (uint64_t)number(&argc, argv, "--heap", "0") << 20;
	r.reverse = option(&argc, argv, "--reverse", NULL) != NULL;
	struct str options[8];
	config.options = options;
	for (const char *o; config.noptions < ARRAY_LEN(options) && (o = option(&argc, argv, "--jvm", NULL));)
		options[config.noptions++] = str_from(o);
	r.times = option(&argc, argv, "--times", NULL) != NULL;
	bool keep = option(&argc, argv, "--libraries", NULL) != NULL;
	r.timeout_ms = number(&argc, argv, "--timeout", "0");
	for (const char *q; nrequests < ARRAY_LEN(requests) && (q = option(&argc, argv, "--request", NULL));)
		requests[nrequests++] = q;
	if (argc < 3) {
		fprintf(stderr, "usage: jvmrun [OPTION...] PLAN CLOJURE.JAR[:SPEC.JAR...] [CLASS-PATH]\n");
		return 2;
	}
	r.out = path_absolute(&r.a, r.out);

	struct buf text = {0}, session = {0};
	struct sexp *list;
	if (!fs_read(argv[1], &text, &err) ||
	    !sexp_read(&r.a, str_from(argv[1]), buf_str(&text), SEXP_LISP, &list, &err))
		return die(&err, "cannot read the plan");
	const struct sexp *plan = list->len == 1 ? list->items[0] : list;
	if (!read_units(&r, plan)) {
		fprintf(stderr, "jvmrun: \"%s\" is no plan\n", argv[1]);
		return 2;
	}
	write_session(plan, argc > 3 ? argv[3] : "", &session);

	struct store *store;
	struct jvm_toolchain tc;
	Vec(const char *) jars = {0};
	struct str rest = str_from(argv[2]), part;
	while (str_cut(&rest, ':', &part))
		vec_push(&jars, path_absolute(&r.a, str_dupz(&r.a, part)));
	struct filecache *files = filecache_load("");
	struct jvm_spec spec = {.search = getenv("PATH"), .clojure = jars.ptr, .nclojure = jars.len, .files = files};
	if (!store_open(path_absolute(&r.a, store_dir), &store, &err))
		return die(&err, "cannot open the store");
	spec.store = store;
	int64_t start = clock_mono_ns();
	if (!jvm_find(&tc, &r.a, &spec, &err) || !jvm_prepare(&tc, store, false, NULL, &err))
		return die(&err, "no worker");
	int64_t prepared = r.started_ns = clock_mono_ns();
	weigh(&r);
	r.most = (size_t)config.threads * config.processes;
	r.loop = config.loop = loop_new();
	config.toolchain = &tc;
	config.session = buf_str(&session);
	struct jvm_libraries libraries = {0};
	StrVec paths = {0}, names = {0};
	rest = str_from(argc > 3 ? argv[3] : "");
	while (str_cut(&rest, ':', &part))
		vec_push(&paths, part);
	if (keep) {
		const struct sexp *externals = sexp_getf(plan, 0, "externals");
		for (uint32_t i = 0; externals && i < externals->len; i++)
			vec_push(&names, sexp_text(externals->items[i]));
		if (!jvm_libraries_open(&libraries, &r.a, &tc, store, files, &paths, &names, config.threads, &err))
			return die(&err, "no libraries");
		config.libraries = &libraries;
	}
	r.pool = jvm_pool_new(&config);
	int status = 0;
	if (nrequests) {
		status = send_requests(&r, requests, nrequests, r.timeout_ms);
	} else {
		start_ready(&r);
		while (r.left)
			loop_run_once(r.loop, true);
		status = r.failed != 0;
	}
	struct jvm_stats stats = jvm_pool_stats(r.pool);
	printf("total %zu ok, %zu failed; prepared %.3f s, session %.3f s, all %.3f s, compiling %.3f s of CPU, %u "
	       "processes\n",
	       r.ok, r.failed, (double)(prepared - start) / 1e9, (double)stats.start_ns / 1e9,
	       (double)(clock_mono_ns() - prepared) / 1e9, (double)r.cpu_ns / 1e9, (unsigned)stats.processes);
	jvm_pool_drain(r.pool);
	jvm_pool_free(r.pool);
	jvm_libraries_close(&libraries);
	vec_release(&paths);
	vec_release(&names);
	loop_free(r.loop);
	jvm_release(&tc);
	store_close(store);
	filecache_free(files);
	for (size_t i = 0; i < r.n; i++) {
		vec_release(&r.units[i].deps);
		vec_release(&r.units[i].external);
		buf_release(&r.units[i].request);
	}
	vec_release(&jars);
	buf_release(&text);
	buf_release(&session);
	err_clear(&err);
	arena_release(&r.a);
	return status;
}
