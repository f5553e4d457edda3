#include "build/snapshots.h"

#include <stdlib.h>

#include "store/snapshots.h"

/* An image is worth saving if what it spares the next build is more than this: the saving takes about a second. */
#define WORTH_NS 200000000
/* Snapshots in a store, of all workspaces. One is some 60 to 120 MB. */
#define KEPT     6

/* -- keys -- */

static struct digest root_key(const struct build *b)
{
	const struct session *s = b->session;
	struct hasher *h = hasher_new(STR("tenon-snapshot-1"));
	hasher_digest(h, "base", &s->toolchain.base);
	hasher_str(h, "program", str_from(s->toolchain.program));
	hasher_str(h, "path", str_from(getenv("PATH")));
	hasher_str(h, "home", str_from(getenv("HOME")));
	hasher_str(h, "environment", s->lisp_environment);
	hasher_str(h, "out", str_from(s->out_dir));
	return hasher_end(h);
}

/* Of the image with one step more. The step's unit is known, so the digests of its files are. */
static struct digest step_key(const struct build *b, const struct digest *below, action_id step, struct buf *text)
{
	const struct action *a = graph_action(b->graph, step);
	const struct unit *u = &b->units[step];
	struct hasher *h = hasher_new(STR("tenon-snapshot-step-1"));
	buf_clear(text);
	lisp_step_text(b->graph, a, text);
	hasher_digest(h, "below", below);
	hasher_str(h, "step", buf_str(text));
	for (uint32_t i = 0; u->facts.inputs && i < a->ninputs; i++) {
		hasher_str(h, "input", a->inputs[i].path);
		hasher_digest(h, "content", &u->facts.inputs[i]);
	}
	return hasher_end(h);
}

static bool has_key(const struct build *b, action_id step)
{
	const struct unit *u = &b->units[step];
	return u->known && (u->facts.inputs || !graph_action(b->graph, step)->ninputs);
}

/* The key of one image; false: some step of it is not known. */
static bool image_key(const struct build *b, node_id node, struct digest *ret)
{
	U32Vec path = {0};
	struct buf text = {0};
	bool ok = true;
	*ret = root_key(b);
	image_tree_path(&b->images, 0, node, &path);
	for (size_t i = 0; ok && i < path.len; i++) {
		action_id step = b->images.nodes.ptr[path.ptr[i]].step;
		ok = has_key(b, step);
		if (ok)
			*ret = step_key(b, ret, step, &text);
	}
	vec_release(&path);
	buf_release(&text);
	return ok;
}

/* -- starting -- */

/* What is known of the nodes of the tree. Parents stand before their children. */
struct survey {
	struct digest *key;
	uint64_t *cost_ns; /* expected, from the root */
	bool *keyed;       /* so is everything above it */
	bool *stable;      /* and each step will probably be the same the next time */
};

/* In a build of libraries alone, nobody edits what lies above. */
static bool is_stable(const struct build *b, action_id step)
{
	const struct action *a = graph_action(b->graph, step);
	const struct unit *u = &b->units[step];
	return !u->outside && (a->system == NO_ID || u->foreign || u->known);
}

static void look_around(const struct build *b, struct survey *v)
{
	const struct image_tree *t = &b->images;
	struct buf text = {0};
	v->key = xcalloc(t->nodes.len, sizeof(*v->key));
	v->cost_ns = xcalloc(t->nodes.len, sizeof(*v->cost_ns));
	v->keyed = xcalloc(t->nodes.len, sizeof(*v->keyed));
	v->stable = xcalloc(t->nodes.len, sizeof(*v->stable));
	v->key[0] = root_key(b);
	v->keyed[0] = v->stable[0] = true;
	for (node_id n = 1; n < t->nodes.len; n++) {
		node_id parent = t->nodes.ptr[n].parent;
		action_id step = t->nodes.ptr[n].step;
		v->keyed[n] = v->keyed[parent] && has_key(b, step);
		if (v->keyed[n])
			v->key[n] = step_key(b, &v->key[parent], step, &text);
		v->stable[n] = v->stable[parent] && is_stable(b, step);
		v->cost_ns[n] = v->cost_ns[parent] + build_expected_ns((struct build *)(uintptr_t)b, step);
	}
	buf_release(&text);
}

static void release(struct survey *v)
{
	free(v->key);
	free(v->cost_ns);
	free(v->keyed);
	free(v->stable);
}

static bool is_among(const struct digest *key, const DigestVec *keys)
{
	for (size_t i = 0; i < keys->len; i++)
		if (digest_eq(key, &keys->ptr[i]))
			return true;
	return false;
}

/* The deepest image that there is a snapshot of; 0: none. */
static node_id find_snapshot(const struct build *b, const struct survey *v, const DigestVec *keys)
{
	const struct image_tree *t = &b->images;
	node_id best = 0;
	for (node_id n = 1; keys->len && n < t->nodes.len; n++)
		if (v->keyed[n] && t->nodes.ptr[n].live && t->nodes.ptr[n].depth > t->nodes.ptr[best].depth &&
		    is_among(&v->key[n], keys))
			best = n;
	return best;
}

static bool start_from(struct build *b, node_id node, const struct digest *key)
{
	struct session *s = b->session;
	struct err err = {0};
	const char *core = snapshots_find(s->store, &s->arena, key);
	bool ok = core && pool_start_snapshot(s->pool, node, core, &err);
	err_clear(&err);
	return ok;
}

/* True if it will run for sure: nothing that it depends on is still to come. */
static bool is_ready(const struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	for (uint32_t d = 0; d < a->ndeps; d++)
		if (!b->units[a->deps[d]].known)
			return false;
	return true;
}

static bool was_built_before(const struct build *b)
{
	for (size_t i = 0; i < b->graph->actions.len; i++)
		if (!b->units[i].foreign && b->units[i].known &&
		    action_kind_runs(graph_action(b->graph, (action_id)i)->kind))
			return true;
	return false;
}

/* The image whose snapshot would spare most: deepest in what it costs, above an action of the workspace's own. In a
 * build of a few files most of those that are open will turn out to be current, and nobody makes their images. */
static node_id choose(const struct build *b, const struct survey *v)
{
	bool few = was_built_before(b);
	node_id best = 0;
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		node_id n = b->images.node_of[i];
		if (n == UINT32_MAX || b->units[i].foreign || b->units[i].ended || (few && !is_ready(b, (action_id)i)))
			continue;
		while (!v->stable[n])
			n = b->images.nodes.ptr[n].parent;
		if (v->cost_ns[n] > v->cost_ns[best])
			best = n;
	}
	return best;
}

static bool ends_system(const struct build *b, node_id node, node_id below)
{
	const struct image_node *nodes = b->images.nodes.ptr;
	return graph_action(b->graph, nodes[node].step)->system != graph_action(b->graph, nodes[below].step)->system;
}

static bool is_refused(const struct build *b, const struct survey *v, node_id node)
{
	return v->keyed[node] && snapshots_refused(b->session->store, &v->key[node]);
}

/* The best, and those above it where a system ends. As long as somebody waits there, a process stays. What they cost is
 * a guess; whether one is worth its file is found out when it is there. */
static void want(struct snapshots *s, const struct survey *v, node_id best)
{
	struct build *b = s->build;
	const struct image_node *nodes = b->images.nodes.ptr;
	/* Where all headers have told before, the best will do. */
	size_t limit = v->keyed[best] ? 1 : SNAPSHOTS_WANTED;
	node_id below = 0;
	for (node_id n = best; n && n != s->from && s->nwanted < limit; below = n, n = nodes[n].parent) {
		if ((below && !ends_system(b, n, below)) || is_refused(b, v, n))
			continue;
		s->wanted[s->nwanted++] = n;
		image_tree_unsettle(&b->images, n);
	}
}

void snapshots_use(struct snapshots *s)
{
	struct build *b = s->build;
	struct survey v = {0};
	DigestVec keys = {0};
	if (!b->session->options.snapshots)
		return;
	look_around(b, &v);
	snapshots_list(b->session->store, &keys, NULL);
	s->from = find_snapshot(b, &v, &keys);
	if (s->from && !start_from(b, s->from, &v.key[s->from]))
		s->from = 0;
	s->from_key = v.key[s->from];
	if (s->from)
		session_note(b->session, NOTE_DEBUG, "starts from a saved image, %u steps of it",
		             b->images.nodes.ptr[s->from].depth);
	want(s, &v, choose(b, &v));
	vec_release(&keys);
	release(&v);
}

/* -- saving -- */

/* No header of the image has told that it can't be saved. */
static bool seems_fit(const struct build *b, node_id node)
{
	for (node_id n = node; n; n = b->images.nodes.ptr[n].parent)
		if (b->units[b->images.nodes.ptr[n].step].outside)
			return false;
	return true;
}

static bool have_it_saved(struct build *b, node_id node)
{
	struct session *s = b->session;
	struct digest key;
	char *dir, hex[DIGEST_HEX + 1];
	if (pool_image_ns(s->pool, node) < WORTH_NS || !seems_fit(b, node) || !image_key(b, node, &key) ||
	    snapshots_refused(s->store, &key) || !store_scratch(s->store, &s->arena, &dir, NULL))
		return false;
	digest_hex(&key, hex);
	const char *core = path_join(&s->arena, dir, "image.core");
	const char *then[] = {SNAPSHOT_ARG, store_root(s->store), hex, core, NULL};
	if (pool_keep(s->pool, node, core, then)) {
		session_note(s, NOTE_DEBUG, "the image behind \"%.*s\" is being saved",
		             STR_ARG(graph_action(b->graph, b->images.nodes.ptr[node].step)->label));
		return true;
	}
	fs_remove_tree(dir, NULL);
	return false;
}

void snapshots_leave(struct snapshots *s)
{
	struct build *b = s->build;
	bool saved = false;
	if (s->from && pool_snapshot_failed(b->session->pool))
		snapshots_remove(b->session->store, &s->from_key);
	for (size_t i = 0; i < s->nwanted; i++) {
		saved = saved || have_it_saved(b, s->wanted[i]);
		image_tree_settle(&b->images, s->wanted[i]);
	}
}

/* There is no file where the image turned out to be unfit; where its process failed there may be part of one. */
int snapshot_main(int argc, char **argv)
{
	struct arena a = {0};
	struct store *store;
	struct digest key;
	struct file_sig sig;
	if (argc != 6 || !digest_parse(str_from(argv[3]), &key) || !store_open(argv[2], &store, NULL))
		return 2;
	bool ok = str_eqc(str_from(argv[5]), "0") && fs_stat(argv[4], &sig, NULL);
	ok = ok && (fs_is_file(&sig) ? snapshots_keep(store, &key, argv[4], KEPT, NULL)
	                             : snapshots_refuse(store, &key, NULL));
	fs_remove_tree(str_dupz(&a, path_dir(str_from(argv[4]))), NULL);
	store_close(store);
	arena_release(&a);
	return ok ? 0 : 1;
}

int base_core_main(int argc, char **argv)
{
	struct arena a = {0};
	struct store *store;
	struct digest base;
	if (argc != 7 || !digest_parse(str_from(argv[3]), &base) || !store_open(argv[2], &store, NULL))
		return 2;
	bool ok = str_eqc(str_from(argv[6]), "0") && toolchain_keep_base_core(store, &base, argv[4], argv[5], NULL);
	fs_remove_tree(str_dupz(&a, path_dir(str_from(argv[5]))), NULL);
	store_close(store);
	arena_release(&a);
	return ok ? 0 : 1;
}
