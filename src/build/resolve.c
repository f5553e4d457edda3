/* What the store has of a build before anything runs. */
#include "build/build.h"
#include "graph/headers.h"

static bool all_known(const struct build *b, const struct action *a)
{
	for (uint32_t d = 0; d < a->ndeps; d++)
		if (!b->units[a->deps[d]].known)
			return false;
	return true;
}

/* Without a header in the image that it declares, a lax unit's is tried in a wider one. */
static bool resolve_header(struct build *b, action_id id, U32Vec *ret_open, bool *ret_changed, struct err *err)
{
	enum header_found found;
	if (!header_lookup(b, id, &found, err))
		return false;
	if (found == HEADER_UNKNOWN)
		vec_push(ret_open, id);
	if (found == HEADER_REFUSED || found == HEADER_SLOW) {
		if (found == HEADER_SLOW || !lax_widen_header(b, id))
			graph_refuse_header(b->graph, id, found == HEADER_SLOW);
		*ret_changed = true;
	}
	return true;
}

/* Takes from the store what it has, dependencies first; what it lacks, and all behind that, stays unknown.
 * *ret_changed: edges were added on the way. */
static bool resolve(struct build *b, U32Vec *ret_open, bool *ret_changed, struct err *err)
{
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct action *a = graph_action(b->graph, id);
		struct unit *u = &b->units[id];
		if (u->ended)
			continue;
		bool task = action_kind_is_task(a->kind), hit = false;
		if (!all_known(b, a)) {
			if (action_kind_runs(a->kind))
				vec_push(ret_open, id);
			continue;
		}
		if (a->kind == ACTION_HEADER) {
			if (!resolve_header(b, id, ret_open, ret_changed, err))
				return false;
			continue;
		}
		struct err why = {0};
		if (!task && unit_inputs(b, id, &why)) {
			unit_contribute(b, id);
			continue;
		}
		bool found = false;
		if (why.kind == ERR_NONE && unit_find(b, id, &found, &why) && found) {
			if (lax_suspects(b, id, u->undefined)) {
				suspects_set_aside(b, id);
				continue;
			}
			if (unit_place(b, id, &hit, &why) && hit) {
				run_end_known(b, id);
				continue;
			}
		}
		/* A missing source is told when its turn comes; anything else ends the build. */
		if (why.kind != ERR_NONE && why.kind != ERR_USER) {
			err_move(err, &why);
			return false;
		}
		if (why.kind == ERR_NONE && !lax_recall(b, id, err))
			return false;
		err_clear(&why);
		vec_push(ret_open, id);
	}
	return true;
}

bool resolve_all(struct build *b, U32Vec *ret_open, struct err *err)
{
	for (bool changed = true; changed;) {
		vec_clear(ret_open);
		changed = false;
		if (!resolve(b, ret_open, &changed, err) || !suspects_resolve(b, ret_open, &changed, err))
			return false;
		for (size_t i = 0; i < ret_open->len; i++) {
			bool widened = false;
			struct unit *u = &b->units[ret_open->ptr[i]];
			if (u->wants_fasls && graph_use_fasls(b->graph, ret_open->ptr[i])) {
				unit_try_again(b, ret_open->ptr[i]);
				changed = true;
			} else if (u->wants_lax) {
				lax_widen(b, ret_open->ptr[i], &widened);
				/* What it lacks has come with something else that was widened: its result will do. */
				if (!widened && u->ended) {
					unit_try_again(b, ret_open->ptr[i]);
					changed = true;
				}
			}
			changed |= widened;
		}
		if (changed && !graph_reorder(b->graph, err))
			return false;
	}
	return true;
}

bool resolve_rest(struct build *b, struct err *err)
{
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct action *a = graph_action(b->graph, id);
		if (b->units[id].known || action_kind_runs(a->kind) || !all_known(b, a))
			continue;
		if (!unit_inputs(b, id, err))
			return false;
		unit_contribute(b, id);
	}
	return true;
}
