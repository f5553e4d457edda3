/* What is said of a compile that got no answer: its image could not be made, or its process ended. */
#include "build/build.h"
#include "os/fs.h"

/* Of what a process said before it died, so many lines at most, of so many bytes. */
#define LINES_MAX 6
#define LINE_MAX  200

/* What SBCL's runtime says when it gives up, and what that means. */
static const struct end {
	const char *said, *hint;
} ends[] = {
        {"Heap exhausted", "the Lisp ran out of memory; --heap gives it more"},
        {"Control stack exhausted", "this is most likely a recursion without an end"},
};

static const struct end *find_end(struct str text)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_search(text, str_from(ends[i].said)) < text.len)
			return &ends[i];
	return NULL;
}

static void add_line(struct str line, struct buf *out)
{
	buf_addf(out, "\n%.*s", STR_ARG(str_slice(line, 0, MIN(line.len, (size_t)LINE_MAX))));
}

/* Appends what tells the most: the runtime's reason, where it gives one, or else the last lines. */
static void add_lines(struct str said, const struct end *end, struct buf *out)
{
	Vec(struct str) lines = {0};
	struct str line;
	while (str_cut(&said, '\n', &line)) {
		line = str_trim(line);
		if (end && str_search(line, str_from(end->said)) < line.len) {
			add_line(line, out);
			break;
		}
		if (line.len && !end)
			vec_push(&lines, line);
	}
	for (size_t i = lines.len - MIN(lines.len, (size_t)LINES_MAX); i < lines.len; i++)
		add_line(lines.ptr[i], out);
	vec_release(&lines);
}

/* `what` the process did that ended like that. */
static void report_crash(struct build *b, action_id id, const char *what, const struct pool_result *r, struct str said)
{
	const struct end *end = find_end(said);
	struct buf text = {0};
	buf_addf(&text, "the Lisp process that %s it died: %.*s", what, STR_ARG(r->text));
	add_lines(said, end, &text);
	report_hinted(b, id, "crash", buf_str(&text), end ? end->hint : "");
	buf_release(&text);
}

/* What the driver says of a step that failed. */
static void report_step(struct build *b, action_id step, struct str text)
{
	struct arena a = {0};
	struct sexp *failed;
	if (sexp_read_one(&a, text, &failed) && sexp_is_list(failed, 2)) {
		struct buf diags = {0};
		buf_addc(&diags, '(');
		for (uint32_t i = 2; i < failed->len; i++)
			sexp_print(failed->items[i], &diags);
		buf_addc(&diags, ')');
		report_diagnostics(b, step, str_dup(&b->arena, buf_str(&diags)), false);
		buf_release(&diags);
	}
	arena_release(&a);
}

/* True once for each step: many files may need it. */
static bool is_new(struct build *b, action_id step)
{
	action_id *key = arena_new(&b->arena, action_id);
	*key = step;
	return map_add(&b->step_failures, str_n((const char *)key, sizeof(*key)), 0, NULL);
}

static void report_act_crash(struct build *b, action_id id, const struct pool_result *r)
{
	struct arena a = {0};
	struct buf said = {0};
	const char *scratch = b->units[id].scratch;
	buf_adds(&said, r->said);
	if (scratch)
		fs_read(path_join(&a, scratch, SCRATCH_OUTPUT), &said, NULL);
	report_crash(b, id, "compiled", r, buf_str(&said));
	buf_release(&said);
	arena_release(&a);
}

void report_end(struct build *b, action_id id, const struct pool_result *r)
{
	unsigned limit = b->session->options.timeout_s;
	if (r->step == NO_ID) {
		if (r->outcome == POOL_TIMED_OUT)
			report_failure(b, id, "timeout", "it did not end within %u s (--timeout gives it more)", limit);
		else
			report_act_crash(b, id, r);
		return;
	}
	if (is_new(b, r->step)) {
		if (r->outcome == POOL_STEP_FAILED)
			report_step(b, r->step, r->text);
		else if (r->outcome == POOL_TIMED_OUT)
			report_failure(b, r->step, "timeout", "it did not end within %u s (--timeout gives it more)",
			               limit);
		else
			report_crash(b, r->step, "loaded", r, r->said);
	}
	report_failure(b, id, "load", "\"%.*s\" could not be carried out in its image",
	               STR_ARG(graph_action(b->graph, r->step)->label));
}
