#include "exec/test_report.h"

#include "os/fs.h"

#define MAX_NAMES 5

static struct str text_of(const struct sexp *list, const char *name)
{
	return sexp_text(sexp_getf(list, 0, name));
}

static bool is_list(const struct sexp *s)
{
	return s && s->kind == SEXP_LIST;
}

static void add_line(struct buf *out, const char *label, struct str text)
{
	if (text.len)
		buf_addf(out, "\n%s %.*s", label, STR_ARG(text));
}

/* "outer inner: maps", then expected, actual, and what differs. */
static void describe(const struct sexp *var, const struct sexp *event, struct buf *out)
{
	const struct sexp *contexts = sexp_getf(event, 0, "contexts"), *diff = sexp_getf(event, 0, "difference");
	const struct sexp *trace = sexp_getf(event, 0, "trace");
	struct str message = text_of(event, "message");
	buf_addf(out, "%s in %.*s", sexp_is_keyword(sexp_getf(event, 0, "type"), "error") ? "error" : "failure",
	         STR_ARG(text_of(var, "name")));
	for (uint32_t i = 0; is_list(contexts) && i < contexts->len; i++)
		buf_addf(out, "%s%.*s", i ? " " : ": ", STR_ARG(sexp_text(contexts->items[i])));
	add_line(out, "", message);
	add_line(out, "expected:", text_of(event, "expected"));
	add_line(out, "  actual:", text_of(event, "actual"));
	if (is_list(diff) && diff->len == 2) {
		struct str missing = sexp_text(diff->items[0]), extra = sexp_text(diff->items[1]);
		add_line(out, " missing:", str_eqc(missing, "nil") ? STR("") : missing);
		add_line(out, "   extra:", str_eqc(extra, "nil") ? STR("") : extra);
	}
	for (uint32_t i = 0; is_list(trace) && i < MIN(trace->len, 6U); i++)
		add_line(out, "      at", sexp_text(trace->items[i]));
}

static void add_event(const struct sexp *var, const struct sexp *event, struct str directory, struct buf *forms)
{
	struct buf text = {0};
	struct str file = text_of(event, "file");
	describe(var, event, &text);
	buf_addz(forms, "(:diag :severity :error :kind \"test\" :message ");
	sexp_print_string(buf_str(&text), forms);
	if (file.len) {
		buf_addz(forms, " :file ");
		sexp_print_string(path_below(file, directory), forms);
	}
	buf_addf(forms, " :line %lld)\n", (long long)sexp_int(sexp_getf(event, 0, "line"), 0));
	buf_release(&text);
}

static bool var_failed(const struct sexp *var)
{
	return sexp_int(sexp_getf(var, 0, "fail"), 0) || sexp_int(sexp_getf(var, 0, "error"), 0);
}

static bool was_too_slow(const struct sexp *answer)
{
	const struct sexp *list = sexp_getf(answer, 2, "diagnostics");
	for (uint32_t i = 0; is_list(list) && i < list->len; i++)
		if (str_eqc(sexp_text(sexp_getf(list->items[i], 0, "kind")), "timeout"))
			return true;
	return false;
}

static void name_failures(const struct sexp *answer, const struct sexp *vars, struct buf *out)
{
	struct str current = sexp_text(sexp_getf(answer, 2, "current"));
	uint32_t failed = 0;
	for (uint32_t i = 0; is_list(vars) && i < vars->len; i++) {
		if (!var_failed(vars->items[i]))
			continue;
		if (failed < MAX_NAMES)
			buf_addf(out, "%s%.*s", failed ? ", " : "", STR_ARG(text_of(vars->items[i], "name")));
		failed++;
	}
	if (failed > MAX_NAMES)
		buf_addf(out, " and %u more", failed - MAX_NAMES);
	if (failed)
		buf_addf(out, " failed (%u of %u tests)", failed, vars->len);
	if (sexp_is_keyword(answer->items[0], "exited") && current.len)
		buf_addf(out, "%s%.*s %s", failed ? "; " : "", STR_ARG(current),
		         was_too_slow(answer) ? "took too long" : "ended the process");
	if (!out->len)
		buf_addz(out, "its tests could not be run");
}

void test_report(const struct sexp *answer, struct str directory, struct buf *forms, struct buf *failure,
                 struct buf *facts, struct exec_result *r)
{
	static const char *const counts[] = {"pass", "fail", "error"};
	const struct sexp *vars = sexp_getf(answer, 2, "vars");
	for (uint32_t i = 0; is_list(vars) && i < vars->len; i++) {
		const struct sexp *events = sexp_getf(vars->items[i], 0, "events");
		for (uint32_t k = 0; is_list(events) && k < events->len; k++)
			add_event(vars->items[i], events->items[k], directory, forms);
	}
	buf_addc(facts, '(');
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		buf_addf(facts, ":%s %lld ", counts[i], (long long)sexp_int(sexp_getf(answer, 2, counts[i]), 0));
	buf_addz(facts, ":vars ");
	if (is_list(vars))
		sexp_print(vars, facts);
	else
		buf_addz(facts, "()");
	buf_addc(facts, ')');
	r->facts = buf_str(facts);
	/* What tests print is theirs: it is in the record, and shown where one failed. */
	if (r->ok) {
		r->output = (struct str){0};
		return;
	}
	name_failures(answer, vars, failure);
	r->failure = buf_str(failure);
}
