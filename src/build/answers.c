/* What the answers of Lisp processes mean: an action is done, has failed, or is to be tried in another image. */
#include <stdlib.h>

#include "build/build.h"

#define MAX_ATTEMPTS   5
/* It counts when what waits for it is weighed. */
#define SLOW_HEADER_NS 50000000
/* A compile that takes so much longer than was thought. */
#define MUCH_NS        10000000

static bool is_ok(const struct sexp *acted)
{
	return sexp_is_keyword(sexp_getf(acted, 1, "status"), "ok");
}

/* What the Lisp said of it; that may be less than an error. */
static void tell_failure(struct build *b, action_id id)
{
	uint64_t told = b->errors;
	b->units[id].outcome = OUTCOME_FAILED;
	report_diagnostics(b, id, b->units[id].diagnostics, false);
	if (b->errors == told)
		report_failure(b, id, "other", "it failed, and the Lisp gives no error");
}

enum verdict { VERDICT_DONE, VERDICT_FAILED, VERDICT_AGAIN, VERDICT_WIDEN, VERDICT_FASLS };

/* What the last error among the diagnostics, as the driver tells them, says; empty: there is none. */
static struct str last_error(const struct sexp *diagnostics)
{
	for (uint32_t n = sexp_list_len(diagnostics); n; n--) {
		const struct sexp *d = diagnostics->items[n - 1];
		if (sexp_is_keyword(sexp_getf(d, 1, "severity"), "error"))
			return sexp_text(sexp_getf(d, 1, "message"));
	}
	return (struct str){0};
}

static void try_fasls(struct build *b, action_id id, struct str why)
{
	header_try_fasls(b, id);
	session_note(b->session, NOTE_DEBUG, "\"%.*s\" can't be compiled among headers%s%.*s; trying FASLs",
	             STR_ARG(graph_action(b->graph, id)->label), why.len ? ": " : "", STR_ARG(why));
}

static enum verdict judge_failed(struct build *b, action_id id, const struct sexp *acted)
{
	struct unit *u = &b->units[id];
	struct buf diags = {0};
	const struct sexp *d = sexp_getf(acted, 1, "diagnostics");
	if (d)
		sexp_print(d, &diags);
	u->diagnostics = str_dup(&b->arena, buf_str(&diags));
	buf_release(&diags);
	if (str_search(u->diagnostics, STR("No space left on device")) < u->diagnostics.len) {
		err_set(&b->fatal, ERR_ENVIRONMENT, "no space left on device: \"%.*s\" could not be compiled",
		        STR_ARG(graph_action(b->graph, id)->label));
		err_note(&b->fatal, "free some space in \"%s\"; `tenon cache gc` removes what was not used for long",
		         b->session->store_dir);
		return VERDICT_FAILED;
	}
	const struct sexp *facts = sexp_getf(acted, 1, "facts");
	if (!u->plain && facts && sexp_getf(facts, 0, "deferred")) {
		u->plain = true;
		return VERDICT_AGAIN;
	}
	/* What lacks names will lack them among FASLs, too. */
	if (header_may_use_fasls(b, id) && !(lax_allowed(b, id) && lax_misses_names(b, id))) {
		try_fasls(b, id, last_error(d));
		return VERDICT_FASLS;
	}
	if (lax_allowed(b, id) && lax_note(b, id, true, &b->fatal))
		return VERDICT_WIDEN;
	tell_failure(b, id);
	return VERDICT_FAILED;
}

static enum verdict judge_acted(struct build *b, action_id id, const struct sexp *acted)
{
	struct err err = {0};
	bool again = false;
	if (!is_ok(acted))
		return judge_failed(b, id, acted);
	if (unit_accept(b, id, acted, &again, &err))
		return again ? VERDICT_AGAIN : VERDICT_DONE;
	if (err.kind == ERR_ENVIRONMENT || err.kind == ERR_BUG)
		err_move(&b->fatal, &err);
	else
		run_fail(b, id, &err);
	return VERDICT_FAILED;
}

static enum verdict judge(struct build *b, action_id id, struct str text)
{
	struct arena a = {0};
	struct sexp *list;
	struct err err = {0};
	enum verdict v = VERDICT_FAILED;
	if (!sexp_read(&a, STR("<driver>"), text, SEXP_LISP, &list, &err))
		run_fail(b, id, &err);
	else if (list->len == 1 && list->items[0]->len && sexp_is_keyword(list->items[0]->items[0], "acted"))
		v = judge_acted(b, id, list->items[0]);
	else
		report_failure(b, id, "other", "the driver's answer is not understood: %.*s",
		               (int)MIN(text.len, (size_t)300), text.ptr);
	arena_release(&a);
	return v;
}

void answer_judged(struct build *b, action_id id, bool stands)
{
	struct unit *u = &b->units[id];
	bool reported = u->reported;
	if (!stands && lax_note(b, id, false, &b->fatal) && replan_widen(b, id)) {
		b->again += reported;
		run_emit_total(b);
		return;
	}
	report_diagnostics(b, id, u->diagnostics, u->outcome != OUTCOME_RAN);
	run_end(b, id, true);
}

/* The action has no result that it could end well with. */
static void on_no_result(struct build *b, action_id id, enum verdict v)
{
	struct unit *u = &b->units[id];
	if (v == VERDICT_AGAIN && ++u->attempts < MAX_ATTEMPTS) {
		u->prepared = false;
		image_tree_unsettle(&b->images, b->images.node_of[id]);
		sched_again(b->sched, id);
		return;
	}
	if (v == VERDICT_FASLS) {
		if (replan_fasls(b, id))
			return;
		tell_failure(b, id);
	}
	if (v == VERDICT_WIDEN) {
		if (replan_widen(b, id) || replan_fasls(b, id))
			return;
		tell_failure(b, id);
	}
	if (v == VERDICT_AGAIN)
		report_failure(b, id, "other", "its source changes faster than it can be compiled");
	u->outcome = OUTCOME_FAILED;
	run_end(b, id, false);
	b->stop |= !b->session->options.keep_going;
}

static void on_acted(struct build *b, action_id id, const struct pool_result *r)
{
	enum verdict v = judge(b, id, r->text);
	b->running--;
	if (v != VERDICT_DONE) {
		on_no_result(b, id, v);
	} else if (suspects_hold(b, id)) {
		report_finish(b, id);
		b->units[id].reported = true;
	} else {
		answer_judged(b, id, true);
	}
}

/* The driver lets the kernel end a header, or a compile among headers, that computes for too long: by SIGVTALRM, or by
 * SIGXCPU where the process handles no signals. */
static bool took_too_long(const struct pool_result *r)
{
	static const char *const ends[] = {"signal 26", "signal 24"};
	for (size_t i = 0; r->outcome == POOL_CRASHED && i < ARRAY_LEN(ends); i++)
		if (str_search(r->text, str_from(ends[i])) < r->text.len)
			return true;
	return r->outcome == POOL_TIMED_OUT;
}

/* How the process of a compile among headers ended; empty: it could not begin. */
static struct str crash_text(const struct pool_result *r)
{
	return r->outcome != POOL_CRASHED ? STR("")
	       : took_too_long(r)         ? STR("the interpreter takes too long")
	                                  : r->text;
}

/* The header tells what goes into the code of its file from others. */
static void expect_compile(struct build *b, action_id header)
{
	action_id id = graph_action(b->graph, header)->header_of;
	if (!b->units[header].inlined || b->units[id].ended || !sched_weight(b->sched, id))
		return;
	uint64_t before = sched_weight(b->sched, id), now = build_expected_ns(b, id);
	sched_weigh(b->sched, id, now);
	b->urgency_stale |= now > before + MUCH_NS;
}

void answer_header(struct pool_job *job, const struct pool_result *r)
{
	struct unit *u = job->ctx;
	struct build *b = u->build;
	action_id id = (action_id)(u - b->units);
	bool accepted = false;
	b->running--;
	u->wall_ns = r->wall_ns;
	b->urgency_stale |= r->wall_ns > SLOW_HEADER_NS;
	b->step_ns += r->wall_ns;
	if (r->outcome == POOL_ANSWERED && !header_accept(b, id, r->text, &accepted, &b->fatal))
		return;
	bool slow = took_too_long(r);
	/* Something that it depends on can't be had from headers. */
	bool below = r->outcome == POOL_STEP_FAILED && r->step != id;
	if (accepted) {
		history_note(b->session->history, graph_action(b->graph, id)->label, u->wall_ns);
		expect_compile(b, id);
		run_end_quietly(b, id, true);
	} else if (!slow && !graph_action(b->graph, id)->apart) {
		replan_apart(b, id, r);
	} else {
		const char *why = slow                          ? "it computes for too long"
		                  : below                       ? "what it depends on gets none"
		                  : r->outcome == POOL_ANSWERED ? "the image tells nothing of it"
		                                                : "making it ends the process";
		if (!header_note_refused(b, id, slow || below, r->text, why, &b->fatal))
			return;
		image_tree_unsettle(&b->images, b->images.node_of[id]);
		if (slow || below || !replan_widen_header(b, id)) {
			image_tree_settle(&b->images, b->images.node_of[id]);
			replan_refuse_header(b, id, slow || below);
		}
	}
}

void answer_compile(struct pool_job *job, const struct pool_result *r)
{
	struct unit *u = job->ctx;
	struct build *b = u->build;
	action_id id = (action_id)(u - b->units);
	u->wall_ns = r->wall_ns;
	u->step_ns = r->step_ns;
	b->step_ns += r->step_ns;
	if (r->outcome == POOL_ANSWERED) {
		on_acted(b, id, r);
		return;
	}
	/* A header that was made among all others can need more than its file declares; then its dependents do, too. */
	if (r->outcome == POOL_STEP_FAILED && action_is_header(b, r->step) && lax_allowed(b, id) &&
	    lax_note(b, id, false, &b->fatal)) {
		b->running--;
		b->any_doomed = true;
		if (replan_widen(b, id))
			return;
		b->running++;
	}
	bool headers = r->outcome == POOL_CRASHED || r->outcome == POOL_STEP_FAILED;
	if (headers && header_may_use_fasls(b, id)) {
		try_fasls(b, id, crash_text(r));
		b->running--;
		replan_fasls(b, id);
		return;
	}
	report_end(b, id, r);
	b->running--;
	u->outcome = OUTCOME_FAILED;
	run_end(b, id, false);
	b->stop |= !b->session->options.keep_going;
}
