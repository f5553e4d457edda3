/* Descriptions: asked of the Lisp once, then taken from the store as long as everything they rest on is the same. */
#include <stdlib.h>

#include "build/session.h"
#include "front/asdf.h"
#include "lang/sexp.h"
#include "os/clock.h"
#include "os/interrupt.h"

static struct digest request_key(struct session *s)
{
	struct hasher *h = hasher_new(STR("tenon-describe-1"));
	hasher_digest(h, "base", &s->rules.base);
	hasher_digest(h, "request", &s->request);
	hasher_str(h, "registry", s->registry.form);
	hasher_u64(h, "keep going", s->options.keep_going);
	return hasher_end(h);
}

static bool add_state(struct session *s, struct hasher *h, struct str path, struct err *err)
{
	struct digest d;
	bool exists;
	if (!session_digest(s, path, &d, &exists, err))
		return false;
	hasher_str(h, "path", path);
	hasher_u64(h, "exists", exists);
	hasher_digest(h, "content", &d);
	return true;
}

/* One digest of the state of everything in the list, now. */
static bool state_of(struct session *s, const StrVec *paths, struct digest *ret, struct err *err)
{
	struct hasher *h = hasher_new(STR("tenon-describe-state-1"));
	bool ok = true;
	for (size_t i = 0; ok && i < paths->len; i++)
		ok = add_state(s, h, paths->ptr[i], err);
	*ret = hasher_end(h);
	return ok;
}

/* The entry is a text: a line with the digest of the inputs' state, a line with the plan's blob, then the inputs. */
static bool from_store(struct session *s, const struct digest *key, struct buf *plan, bool *ret_found, struct err *err)
{
	struct buf text = {0};
	StrVec paths = {0};
	bool found, ok = store_get_text(s->store, key, &text, &found, err);
	*ret_found = false;
	struct str rest = buf_str(&text), line;
	struct digest state, blob, now;
	if (ok && found && str_cut(&rest, '\n', &line) && digest_parse(line, &state) && str_cut(&rest, '\n', &line) &&
	    digest_parse(line, &blob)) {
		while (str_cut(&rest, '\n', &line))
			vec_push(&paths, line);
		ok = state_of(s, &paths, &now, err);
		*ret_found = ok && digest_eq(&now, &state) && store_read(s->store, &blob, plan, NULL);
	}
	vec_release(&paths);
	buf_release(&text);
	return ok;
}

static bool to_store(struct session *s, const struct digest *key, struct str plan, struct err *err)
{
	struct arena a = {0};
	struct description_inputs in = {0};
	StrVec paths = {0};
	struct digest state, blob;
	bool ok = front_asdf_inputs(&a, plan, &in, err);
	const StrVec *const lists[] = {&in.read, &in.absent, &in.folders, &s->registry.folders};
	for (size_t l = 0; ok && l < ARRAY_LEN(lists); l++)
		for (size_t i = 0; i < lists[l]->len; i++)
			vec_push(&paths, lists[l]->ptr[i]);
	ok = ok && state_of(s, &paths, &state, err) && store_put_bytes(s->store, plan, &blob, err);
	if (ok) {
		struct buf text = {0};
		char hex[DIGEST_HEX + 1];
		digest_hex(&state, hex);
		buf_addf(&text, "%s\n", hex);
		digest_hex(&blob, hex);
		buf_addf(&text, "%s\n", hex);
		for (size_t i = 0; i < paths.len; i++)
			buf_addf(&text, "%.*s\n", STR_ARG(paths.ptr[i]));
		ok = store_put_text(s->store, key, buf_str(&text), err);
		buf_release(&text);
	}
	vec_release(&paths);
	description_inputs_release(&in);
	arena_release(&a);
	return ok;
}

struct answer {
	bool done;
	enum pool_outcome outcome;
	struct buf text;
};

static void on_described(struct pool_job *job, const struct pool_result *r)
{
	struct answer *answer = job->ctx;
	answer->done = true;
	answer->outcome = r->outcome;
	buf_adds(&answer->text, r->text);
}

char *session_describe_cache(const struct session *s, struct arena *a)
{
	return path_join(a, s->state_dir, "describe");
}

/* `provides`: systems that are loaded meanwhile can be built first. */
static void request_text(struct session *s, bool provides, struct buf *out)
{
	buf_addz(out, "(:describe :systems (");
	for (size_t i = 0; i < s->options.ntargets; i++) {
		struct str name = s->options.targets[i];
		if (str_has_prefix(name, STR("asdf:")))
			name = str_drop(name, 5);
		sexp_print_string(name, out);
		buf_addc(out, ' ');
	}
	buf_addz(out, ") :registry ");
	sexp_print_string(s->registry.form, out);
	buf_addz(out, " :directory ");
	sexp_print_string(str_fmt(&s->arena, "%s/", s->options.directory), out);
	buf_addz(out, " :out ");
	sexp_print_string(str_from(s->out_dir), out);
	buf_addz(out, " :cache ");
	sexp_print_string(str_from(session_describe_cache(s, &s->arena)), out);
	if (provides) {
		buf_addz(out, " :provides t :provided (");
		for (size_t i = 0; i < s->provided.len; i++) {
			sexp_print_string(s->provided.ptr[i], out);
			buf_addc(out, ' ');
		}
		buf_addc(out, ')');
	}
	buf_addz(out, s->options.keep_going ? " :keep-going t)" : ")");
}

/* Has the request carried out by a child of the root and waits for the answer. */
static bool ask(struct session *s, struct str act, const char *what, struct buf *answer_text, struct err *err)
{
	if (!session_pool(s, err))
		return false;
	struct answer answer = {0};
	struct pool_job job = {.node = 0,
	                       .act = act,
	                       .label = str_from(what),
	                       .alone = true,
	                       .timeout_ms = s->options.timeout_s * 1000,
	                       .done = on_described,
	                       .ctx = &answer};
	pool_expect(s->pool, 0);
	pool_start(s->pool, &job);
	while (!answer.done && !interrupt_signal())
		loop_run_once(s->loop, true);
	bool ok = answer.done && answer.outcome == POOL_ANSWERED;
	if (!answer.done)
		err_set(err, ERR_TRANSIENT, "interrupted");
	else if (answer.outcome == POOL_TIMED_OUT)
		err_set(err, ERR_ACTION, "the Lisp took more than %u s to %s", s->options.timeout_s, what);
	else if (!ok)
		err_set(err, ERR_ACTION, "the Lisp that was to %s ended: %s", what, buf_cstr(&answer.text));
	if (ok)
		buf_adds(answer_text, buf_str(&answer.text));
	buf_release(&answer.text);
	return ok;
}

static bool ask_plan(struct session *s, bool provides, struct buf *plan, struct err *err)
{
	struct buf act = {0};
	request_text(s, provides, &act);
	bool ok = ask(s, buf_str(&act), "describe", plan, err);
	buf_release(&act);
	return ok;
}

bool session_asdf_version(struct session *s, struct buf *out, struct err *err)
{
	struct buf text = {0};
	struct arena a = {0};
	struct sexp *list;
	bool ok = ask(s, STR("(:versions)"), "tell its versions", &text, err) &&
	          sexp_read(&a, STR("<driver>"), buf_str(&text), SEXP_LISP, &list, err);
	if (ok && list->len == 1)
		buf_adds(out, sexp_text(sexp_getf(list->items[0], 1, "asdf")));
	arena_release(&a);
	buf_release(&text);
	return ok;
}

/* An answer that is no plan: a failure, or the name of a system that is wanted first, which goes to `ret_wanted`. */
static bool check_answer(struct session *s, struct str text, struct str *ret_wanted, struct err *err)
{
	bool wants = str_has_prefix(text, STR("(:describe-wants"));
	if (!wants && !str_has_prefix(text, STR("(:describe-failed")))
		return true;
	struct arena a = {0};
	struct sexp *list;
	bool ok = sexp_read(&a, STR("<driver>"), text, SEXP_LISP, &list, err) && list->len == 1;
	if (ok && wants && ret_wanted && list->items[0]->len == 2)
		*ret_wanted = str_dup(&s->arena, sexp_text(list->items[0]->items[1]));
	else if (ok)
		front_asdf_failure(list->items[0], err);
	arena_release(&a);
	return ok && wants;
}

static bool any_system(const struct session *s, const struct graph *g, struct err *err)
{
	if (g->targets.len)
		return true;
	err_set(err, ERR_USER, "no systems here: \"%s\" holds no .asd file", s->options.directory);
	err_note(err, "name a system (`tenon build NAME`), or go where an .asd file lies");
	return false;
}

static bool take_plan(struct session *s, struct graph *g, const struct digest *key, struct str plan, bool found,
                      struct err *err)
{
	if (!front_asdf_read(g, plan, &s->findings, err))
		return false;
	/* Why something failed may lie in what no description names. */
	if (!found && !s->findings.failures.len && !to_store(s, key, plan, err))
		return false;
	/* Told once; then only to who asks. */
	for (size_t i = 0; i < s->findings.notes.len; i++)
		session_note(s, found ? NOTE_DEBUG : NOTE_INFO, "%.*s", STR_ARG(s->findings.notes.ptr[i]));
	return s->findings.failures.len || any_system(s, g, err);
}

bool session_describe(struct session *s, struct graph *g, struct str *ret_wanted, struct err *err)
{
	struct str wanted = {0};
	struct event e = {.kind = EVENT_PHASE_START, .id = s->next_id++, .label = STR("describe")};
	e.at_ns = clock_mono_ns();
	event_emit(s->sink, &e);
	struct digest key = request_key(s);
	struct buf plan = {0};
	bool found = false, ok = from_store(s, &key, &plan, &found, err);
	if (ok && !found) {
		buf_clear(&plan);
		ok = ask_plan(s, ret_wanted, &plan, err) && check_answer(s, buf_str(&plan), &wanted, err);
		if (!ok && err->kind == ERR_USER && !s->options.ntargets && !s->options.keep_going)
			err_note(err, "no target was named: --keep-going builds what can be built of this directory; "
			              "`tenon build NAME` only that system");
	}
	if (ret_wanted)
		*ret_wanted = wanted;
	if (!wanted.len)
		ok = ok && take_plan(s, g, &key, buf_str(&plan), found, err);
	buf_release(&plan);
	e.kind = EVENT_PHASE_FINISH;
	e.outcome = !ok ? OUTCOME_FAILED : found ? OUTCOME_CACHED : OUTCOME_RAN;
	e.at_ns = clock_mono_ns();
	event_emit(s->sink, &e);
	return ok;
}
