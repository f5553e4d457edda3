#include "exec/jvm_text.h"

#include "exec/test_report.h"
#include "lang/sexp.h"
#include "os/fs.h"

/* -- requests -- */

struct words {
	const StrVec *argv;
	size_t at;
};

/* The next option of that name with `n` values. */
static bool next_option(struct words *w, const char *name, size_t n, const struct str **ret)
{
	for (; w->at + n < w->argv->len; w->at++)
		if (str_eqc(w->argv->ptr[w->at], name)) {
			*ret = &w->argv->ptr[w->at + 1];
			w->at += n + 1;
			return true;
		}
	return false;
}

static void add_pair(struct buf *out, struct str a, const char *b)
{
	buf_addc(out, '(');
	sexp_print_string(a, out);
	buf_addc(out, ' ');
	sexp_print_string(str_from(b), out);
	buf_addz(out, ") ");
}

static void add_option_list(struct buf *out, const struct target_action *t, const char *option)
{
	const struct str *v;
	for (struct words w = {&t->argv, 2}; next_option(&w, option, 1, &v);) {
		buf_addc(out, ' ');
		sexp_print_string(v[0], out);
	}
}

static void write_what(const struct exec_job *job, const char *out_dir, struct buf *out)
{
	const struct target_action *t = job->action;
	if (t->is_test) {
		buf_addz(out, ":namespace ");
		sexp_print_string(t->argv.ptr[1], out);
		buf_addz(out, " :vars (");
		add_option_list(out, t, "--var");
		buf_addz(out, ") :select (");
		add_option_list(out, t, "--select");
		buf_addz(out, ")");
		return;
	}
	buf_addz(out, ":namespaces (");
	sexp_print_string(t->argv.ptr[1], out);
	add_option_list(out, t, "--also");
	buf_addz(out, ") :out ");
	sexp_print_string(str_from(out_dir), out);
}

void jvm_text_request(const struct exec_place *p, const struct exec_job *job, const char *out_dir, struct buf *out)
{
	const struct target_action *t = job->action;
	struct arena *a = job->arena;
	const struct str *v;
	write_what(job, out_dir, out);
	buf_addz(out, " :sources (");
	for (struct words w = {&t->argv, 2}; next_option(&w, "--source", 2, &v);)
		add_pair(out, v[0], path_join(a, p->directory, str_dupz(a, v[1])));
	buf_addz(out, ") :compiler-options (");
	for (struct words w = {&t->argv, 2}; next_option(&w, "--option", 2, &v);)
		buf_addf(out, "(:%.*s %.*s) ", STR_ARG(v[0]), STR_ARG(v[1]));
	buf_addz(out, ") :closure (");
	for (struct words w = {&t->argv, 2}; next_option(&w, "--external", 1, &v);) {
		buf_addc(out, '(');
		sexp_print_string(v[0], out);
		buf_addz(out, ") ");
	}
	for (struct words w = {&t->argv, 2}; next_option(&w, "--closure", 2, &v);)
		add_pair(out, v[0], path_join(a, p->out_dir, str_dupz(a, v[1])));
	buf_addc(out, ')');
}

/* The worker names files as they lie on the disk; results must not. */
static void take_diagnostics(const struct exec_place *p, const struct sexp *answer, struct buf *out)
{
	const struct sexp *list = sexp_getf(answer, 2, "diagnostics");
	for (uint32_t i = 0; i < sexp_list_len(list); i++) {
		const struct sexp *d = list->items[i];
		struct str severity = sexp_text(sexp_getf(d, 0, "severity"));
		struct str kind = sexp_text(sexp_getf(d, 0, "kind")), file = sexp_text(sexp_getf(d, 0, "file"));
		buf_addf(out, "(:diag :severity :%.*s :kind ", STR_ARG(severity));
		sexp_print_string(kind, out);
		buf_addz(out, " :message ");
		sexp_print_string(sexp_text(sexp_getf(d, 0, "message")), out);
		if (file.len) {
			buf_addz(out, " :file ");
			sexp_print_string(path_below(file, str_from(p->directory)), out);
		}
		buf_addf(out, " :line %lld :column %lld)\n", (long long)sexp_int(sexp_getf(d, 0, "line"), 0),
		         (long long)sexp_int(sexp_getf(d, 0, "column"), 0));
	}
}

static bool in_closure(const struct target_action *t, struct str ns)
{
	const struct str *v;
	for (struct words w = {&t->argv, 2}; next_option(&w, "--closure", 2, &v);)
		if (str_eq(v[0], ns))
			return true;
	return false;
}

static void add_names(const struct target_action *t, const struct sexp *answer, const char *name, bool of_closure,
                      struct buf *out)
{
	const struct sexp *list = sexp_getf(answer, 2, name);
	buf_addf(out, " :%s (", name);
	for (uint32_t i = 0; i < sexp_list_len(list); i++) {
		struct str text = sexp_text(list->items[i]);
		if (of_closure && !in_closure(t, str_slice(text, 0, str_find(text, '/'))))
			continue;
		sexp_print_string(text, out);
		buf_addc(out, ' ');
	}
	buf_addc(out, ')');
}

/* Where a value of the namespace itself is a part of what others see, all that it rests on counts: constants are
 * computed when it is loaded, and direct links name classes of others. */
static bool all_counts(const struct target_action *t, const struct sexp *rows)
{
	const struct str *v;
	for (struct words w = {&t->argv, 2}; next_option(&w, "--option", 2, &v);)
		if (str_eqc(v[0], "direct-linking"))
			return true;
	for (uint32_t i = 0; i < rows->len; i++) {
		const struct sexp *ns = rows->items[i];
		if (ns->kind != SEXP_LIST || ns->len != 2 || ns->items[1]->kind != SEXP_LIST)
			return true;
		for (uint32_t k = 0; k < ns->items[1]->len; k++) {
			const struct sexp *row = ns->items[1]->items[k];
			if (row->kind == SEXP_LIST && row->len == 3 && sexp_is_keyword(row->items[1], "const"))
				return true;
		}
	}
	return false;
}

/* What the compile shows to others and what it used, as build/target_trace.c reads it. */
static void take_facts(const struct target_action *t, const struct sexp *answer, struct buf *out)
{
	const struct sexp *rows = sexp_getf(answer, 2, "rows");
	if (!rows || rows->kind != SEXP_LIST)
		return;
	buf_addz(out, "(:rows ");
	sexp_print(rows, out);
	if (all_counts(t, rows))
		buf_addz(out, " :all t");
	add_names(t, answer, "uses", true, out);
	add_names(t, answer, "expanded", true, out);
	add_names(t, answer, "refers-all", true, out);
	add_names(t, answer, "classes", false, out);
	add_names(t, answer, "resources", false, out);
	buf_addc(out, ')');
}

/* The compile failed by what the sources say: not by an end of the process, nor for want of time or memory. */
static bool compiler_said_so(const struct sexp *answer)
{
	static const char *const passing[] = {"timeout", "exit", "heap", "stack", "other"};
	const struct sexp *list = sexp_getf(answer, 2, "diagnostics");
	bool any = false;
	if (!answer->len || !sexp_is_keyword(answer->items[0], "answer") ||
	    sexp_text(sexp_getf(answer, 2, "broken")).len)
		return false;
	for (uint32_t i = 0; i < sexp_list_len(list); i++) {
		const struct sexp *d = list->items[i];
		if (!sexp_is_keyword(sexp_getf(d, 0, "severity"), "error"))
			continue;
		any = true;
		for (size_t k = 0; k < ARRAY_LEN(passing); k++)
			if (sexp_is_keyword(sexp_getf(d, 0, "kind"), passing[k]))
				return false;
	}
	return any;
}

void jvm_text_answer(const struct exec_place *p, struct exec_job *job, struct str text)
{
	struct arena a = {0};
	struct sexp *list;
	struct buf forms = {0}, failure = {0}, facts = {0};
	struct exec_result r = {.failure = STR("the worker's answer is not understood")};
	if (sexp_read(&a, STR("<worker>"), text, SEXP_LISP, &list, NULL) && list->len == 1 &&
	    list->items[0]->kind == SEXP_LIST) {
		const struct sexp *answer = list->items[0];
		r.ok = sexp_is_keyword(sexp_getf(answer, 2, "status"), "ok");
		r.failure = r.ok ? STR("") : STR("it does not compile");
		r.repeats = !r.ok && !job->action->is_test && compiler_said_so(answer);
		if (!job->action->is_test && r.ok) {
			take_facts(job->action, answer, &facts);
			r.facts = buf_str(&facts);
		}
		if (job->action->is_test)
			test_report(answer, str_from(p->directory), &forms, &failure, &facts, &r);
		if (!r.ok && sexp_text(sexp_getf(answer, 2, "broken")).len)
			r.failure = sexp_text(sexp_getf(answer, 2, "broken"));
		r.output = sexp_text(sexp_getf(answer, 2, "output"));
		r.cpu_ns = (uint64_t)sexp_int(sexp_getf(answer, 2, "cpu-ns"), 0);
		r.wall_ns = (uint64_t)sexp_int(sexp_getf(answer, 2, "wall-ns"), 0);
		take_diagnostics(p, answer, &forms);
		r.diagnostics = buf_str(&forms);
	}
	job->done(job, &r);
	buf_release(&forms);
	buf_release(&failure);
	buf_release(&facts);
	arena_release(&a);
}
