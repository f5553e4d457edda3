#include "build/junit.h"

#include <inttypes.h>

#include "lang/sexp.h"
#include "os/fs.h"

/* XML 1.0 has no way to say most control characters. */
static void add_escaped(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c == '<')
			buf_addz(out, "&lt;");
		else if (c == '>')
			buf_addz(out, "&gt;");
		else if (c == '&')
			buf_addz(out, "&amp;");
		else if (c == '"')
			buf_addz(out, "&quot;");
		else if (c == '\n' || c == '\r' || c == '\t')
			buf_addf(out, "&#%u;", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addz(out, "?");
		else
			buf_addc(out, (char)c);
	}
}

static void add_attribute(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, " %s=\"", name);
	add_escaped(out, value);
	buf_addc(out, '"');
}

static void add_seconds(struct buf *out, uint64_t ns)
{
	buf_addf(out, " time=\"%llu.%03llu\"", (unsigned long long)(ns / 1000000000),
	         (unsigned long long)(ns / 1000000 % 1000));
}

static const struct sexp *list_of(const struct sexp *s, const char *name)
{
	const struct sexp *v = sexp_getf(s, 0, name);
	return v && v->kind == SEXP_LIST ? v : NULL;
}

static void add_event(struct buf *out, const struct sexp *event)
{
	static const char *const parts[] = {"expected", "actual"};
	const char *element = sexp_is_keyword(sexp_getf(event, 0, "type"), "error") ? "error" : "failure";
	const struct sexp *contexts = list_of(event, "contexts"), *diff = list_of(event, "difference");
	const struct sexp *trace = list_of(event, "trace");
	struct buf message = {0};
	for (uint32_t i = 0; contexts && i < contexts->len; i++)
		buf_addf(&message, "%s%.*s", i ? " " : "", STR_ARG(sexp_text(contexts->items[i])));
	struct str said = sexp_text(sexp_getf(event, 0, "message"));
	buf_addf(&message, "%s%.*s", message.len && said.len ? ": " : "", STR_ARG(said));
	buf_addf(out, "      <%s", element);
	add_attribute(out, "message", buf_str(&message));
	buf_addz(out, ">");
	buf_clear(&message);
	buf_addf(&message, "%.*s:%lld\n", STR_ARG(sexp_text(sexp_getf(event, 0, "file"))),
	         (long long)sexp_int(sexp_getf(event, 0, "line"), 0));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_addf(&message, "%s: %.*s\n", parts[i], STR_ARG(sexp_text(sexp_getf(event, 0, parts[i]))));
	if (diff && diff->len == 2)
		buf_addf(&message, "missing: %.*s\nextra: %.*s\n", STR_ARG(sexp_text(diff->items[0])),
		         STR_ARG(sexp_text(diff->items[1])));
	for (uint32_t i = 0; trace && i < trace->len; i++)
		buf_addf(&message, "\tat %.*s\n", STR_ARG(sexp_text(trace->items[i])));
	add_escaped(out, buf_str(&message));
	buf_addf(out, "</%s>\n", element);
	buf_release(&message);
}

static void add_case(struct junit *x, struct buf *out, struct str suite, const struct sexp *var)
{
	const struct sexp *events = list_of(var, "events");
	struct str output = sexp_text(sexp_getf(var, 0, "output"));
	buf_addz(out, "    <testcase");
	add_attribute(out, "name", sexp_text(sexp_getf(var, 0, "name")));
	add_attribute(out, "classname", suite);
	add_seconds(out, (uint64_t)sexp_int(sexp_getf(var, 0, "wall-ns"), 0));
	buf_addf(out, " assertions=\"%" PRId64 "\">\n",
	         sexp_int(sexp_getf(var, 0, "pass"), 0) + sexp_int(sexp_getf(var, 0, "fail"), 0) +
	                 sexp_int(sexp_getf(var, 0, "error"), 0));
	for (uint32_t i = 0; events && i < events->len; i++)
		add_event(out, events->items[i]);
	if (output.len) {
		buf_addz(out, "      <system-out>");
		add_escaped(out, output);
		buf_addz(out, "</system-out>\n");
	}
	buf_addz(out, "    </testcase>\n");
	x->tests++;
}

/* A namespace that could not even be run is one test that failed. */
static void add_broken(struct junit *x, struct buf *out, struct str suite, struct str failure)
{
	buf_addz(out, "    <testcase name=\"(namespace)\"");
	add_attribute(out, "classname", suite);
	buf_addz(out, ">\n      <error");
	add_attribute(out, "message", failure);
	buf_addz(out, "/>\n    </testcase>\n");
	x->tests++;
	x->errors++;
}

void junit_add(struct junit *x, struct str name, struct str label, struct str facts, struct str failure,
               uint64_t wall_ns)
{
	struct arena a = {0};
	struct sexp *list = NULL;
	struct buf cases = {0};
	uint64_t tests = x->tests, failures = x->failures, errors = x->errors;
	const struct sexp *f = facts.len && sexp_read(&a, STR("<facts>"), facts, SEXP_LISP, &list, NULL) && list->len
	                               ? list->items[0]
	                               : NULL;
	const struct sexp *vars = f ? list_of(f, "vars") : NULL;
	for (uint32_t i = 0; vars && i < vars->len; i++)
		add_case(x, &cases, name, vars->items[i]);
	if (f) {
		x->failures += (uint64_t)sexp_int(sexp_getf(f, 0, "fail"), 0);
		x->errors += (uint64_t)sexp_int(sexp_getf(f, 0, "error"), 0);
		x->assertions += (uint64_t)sexp_int(sexp_getf(f, 0, "pass"), 0) +
		                 (uint64_t)sexp_int(sexp_getf(f, 0, "fail"), 0) +
		                 (uint64_t)sexp_int(sexp_getf(f, 0, "error"), 0);
	}
	if (failure.len && x->failures == failures && x->errors == errors)
		add_broken(x, &cases, name, failure);
	if (!f && !failure.len) {
		buf_addz(&cases, "    <testcase name=\"(all)\"");
		add_attribute(&cases, "classname", name);
		buf_addz(&cases, "/>\n");
		x->tests++;
	}
	buf_addz(&x->suites, "  <testsuite");
	add_attribute(&x->suites, "name", name);
	add_attribute(&x->suites, "package", label);
	buf_addf(&x->suites, " tests=\"%llu\" failures=\"%llu\" errors=\"%llu\"",
	         (unsigned long long)(x->tests - tests), (unsigned long long)(x->failures - failures),
	         (unsigned long long)(x->errors - errors));
	add_seconds(&x->suites, wall_ns);
	buf_addz(&x->suites, ">\n");
	buf_adds(&x->suites, buf_str(&cases));
	buf_addz(&x->suites, "  </testsuite>\n");
	buf_release(&cases);
	arena_release(&a);
}

void junit_text(const struct junit *x, struct buf *out)
{
	buf_addz(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	buf_addf(out, "<testsuites tests=\"%llu\" failures=\"%llu\" errors=\"%llu\">\n", (unsigned long long)x->tests,
	         (unsigned long long)x->failures, (unsigned long long)x->errors);
	buf_adds(out, buf_str(&x->suites));
	buf_addz(out, "</testsuites>\n");
}

bool junit_write(const struct junit *x, const char *path, struct err *err)
{
	struct buf text = {0};
	junit_text(x, &text);
	bool ok = fs_mkdirs_parent(path, err) && fs_write_atomic(path, buf_str(&text), 0644, false, err);
	buf_release(&text);
	return ok;
}

void junit_release(struct junit *x)
{
	buf_release(&x->suites);
}
