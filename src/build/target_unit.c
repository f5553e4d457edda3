/* What an action rests on, its key, and the way of its outputs: from its folder to the store to the out folder. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/target_build.h"
#include "os/fs.h"

static char *workspace_path(const struct target_build *b, struct arena *a, struct str path)
{
	return path_join(a, b->session->options.directory, str_dupz(a, path));
}

static bool below(struct str path, struct str dir)
{
	return path.len > dir.len && str_has_prefix(path, dir) && path.ptr[dir.len] == '/';
}

typedef Vec(struct exec_input) InputVec;

/* A resource is an input of every namespace of its target: one look at it is enough for all. */
static bool add_again(struct target_build *b, const struct target_file_ref *f, InputVec *out)
{
	uint64_t at;
	if (!f->traced || !map_get(&b->resources, f->path, &at))
		return false;
	vec_push(out, b->resource_inputs.ptr[at]);
	return true;
}

static bool add_source(struct target_build *b, const struct target_file_ref *f, InputVec *out, struct err *err)
{
	struct session *s = b->session;
	if (add_again(b, f, out))
		return true;
	struct exec_input in = {.path = target_root_path(&b->arena, f), .file = workspace_path(b, &b->arena, f->path)};
	bool exists;
	if (!session_digest(s, str_from(in.file), &in.digest, &exists, err))
		return false;
	const struct file_sig *sig = session_seen(s, str_from(in.file));
	CHECK(sig);
	if (!exists)
		return err_set(err, ERR_USER, "\"%.*s\" does not exist", STR_ARG(f->path));
	if (!fs_is_file(sig))
		return err_set(err, ERR_USER, "\"%.*s\" is no regular file", STR_ARG(f->path));
	in.executable = (sig->mode & 0111) != 0;
	in.traced = f->traced;
	in.code = f->code;
	if (f->traced) {
		map_put(&b->resources, f->path, b->resource_inputs.len);
		vec_push(&b->resource_inputs, in);
	}
	vec_push(out, in);
	return true;
}

static void add_products(struct target_build *b, const struct target_file_ref *f, InputVec *out)
{
	const struct target_unit *u = &b->units[f->producer];
	for (size_t i = 0; i < u->noutputs; i++) {
		const struct result_output *o = &u->outputs[i];
		if (!str_eq(o->path, f->path) && !below(o->path, f->path))
			continue;
		struct target_file_ref one = {.path = o->path, .producer = f->producer};
		vec_push(out, (struct exec_input){.path = target_root_path(&b->arena, &one),
		                                  .file = session_out_path(b->session, &b->arena, o->path),
		                                  .digest = o->digest,
		                                  .traced = f->traced,
		                                  .executable = (o->mode & 0111) != 0});
	}
}

/* A folder counts as one where nobody lays it out file by file: a namespace sees the classes of all below it. */
static bool add_tree(struct target_build *b, const struct target_file_ref *f, InputVec *out)
{
	const struct target_action *producer = target_build_action(b, f->producer);
	if (!f->tree || producer->outputs.len != 1 || !str_eq(producer->outputs.ptr[0].path, f->path))
		return false;
	vec_push(out, (struct exec_input){.path = target_root_path(&b->arena, f),
	                                  .file = session_out_path(b->session, &b->arena, f->path),
	                                  .digest = target_trace_tree(b, f->producer),
	                                  .traced = f->traced});
	return true;
}

static bool collect_inputs(struct target_build *b, action_id id, InputVec *out, struct err *err)
{
	const struct target_action *t = target_build_action(b, id);
	const FileRefVec *refs = &t->inputs;
	for (size_t i = 0; i < refs->len; i++) {
		if (refs->ptr[i].producer != NO_ID && t->runtime && add_tree(b, &refs->ptr[i], out))
			continue;
		if (refs->ptr[i].producer != NO_ID)
			add_products(b, &refs->ptr[i], out);
		else if (!add_source(b, &refs->ptr[i], out, err))
			return false;
	}
	return true;
}

bool target_unit_key(struct target_build *b, action_id id, struct err *err)
{
	struct target_unit *u = &b->units[id];
	InputVec inputs = {0};
	if (!collect_inputs(b, id, &inputs, err)) {
		vec_release(&inputs);
		return false;
	}
	u->ninputs = inputs.len;
	u->inputs = arena_new_n(&b->arena, struct exec_input, inputs.len);
	if (inputs.len)
		memcpy(u->inputs, inputs.ptr, inputs.len * sizeof(*inputs.ptr));
	vec_release(&inputs);
	const struct target_action *t = target_build_action(b, id);
	struct hasher *definition = target_action_hasher(t);
	u->definition = hasher_end(definition);
	struct hasher *h = hasher_new(STR("tenon-target-key-1"));
	hasher_digest(h, "definition", &u->definition);
	hasher_u64(h, "sandbox", b->session->options.sandbox);
	for (size_t i = 0; i < b->session->environment.len; i++)
		hasher_str(h, "environment", b->session->environment.ptr[i]);
	for (size_t i = 0; i < u->ninputs; i++) {
		hasher_str(h, "input", u->inputs[i].path);
		hasher_u64(h, "executable", u->inputs[i].executable);
		hasher_digest(h, "content", &u->inputs[i].digest);
	}
	u->key = hasher_end(h);
	u->has_first_key = false;
	return true;
}

/* -- outputs in place -- */

static const struct result_output *find_output(const struct target_unit *u, struct str path)
{
	for (size_t lo = 0, hi = u->noutputs; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(u->outputs[mid].path, path);
		if (c == 0)
			return &u->outputs[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct stale {
	const struct target_unit *unit;
	struct str tree;
	struct arena *arena;
	StrVec paths;
};

static bool visit_stale(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct stale *st = ctx;
	(void)sig;
	(void)err;
	struct str path = str_fmt(st->arena, "%.*s/%s", STR_ARG(st->tree), rel);
	if (!find_output(st->unit, path))
		vec_push(&st->paths, path);
	return true;
}

/* A folder holds what the action wrote into it this time and nothing else. */
static bool clear_trees(struct target_build *b, action_id id, struct err *err)
{
	const struct target_action *t = target_build_action(b, id);
	bool ok = true;
	for (size_t i = 0; ok && i < t->outputs.len; i++) {
		if (!t->outputs.ptr[i].tree)
			continue;
		struct stale st = {.unit = &b->units[id], .tree = t->outputs.ptr[i].path, .arena = &b->arena};
		char *dir = session_out_path(b->session, &b->arena, st.tree);
		struct file_sig sig;
		ok = fs_stat(dir, &sig, err) && (!fs_is_dir(&sig) || fs_walk(dir, visit_stale, &st, err));
		for (size_t k = 0; ok && k < st.paths.len; k++)
			ok = fs_remove(session_out_path(b->session, &b->arena, st.paths.ptr[k]), err);
		vec_release(&st.paths);
	}
	return ok;
}

static bool place_outputs(struct target_build *b, action_id id, bool *ret_changed, struct err *err)
{
	const struct target_unit *u = &b->units[id];
	return session_place_outputs(b->session, &b->arena, u->outputs, u->noutputs, ret_changed, err) &&
	       clear_trees(b, id, err);
}

bool target_unit_lookup(struct target_build *b, action_id id, bool *ret_hit, struct err *err)
{
	struct target_unit *u = &b->units[id];
	struct action_result r;
	bool found, changed = false;
	*ret_hit = false;
	if (!target_unit_key(b, id, err) ||
	    !store_get_action(b->session->store, &b->arena, &u->key, true, &r, &found, err))
		return false;
	if (!found && target_trace_has(b, id)) {
		struct digest key;
		bool known;
		if (!target_trace_key(b, id, &key, &known, err) ||
		    (known && !store_get_action(b->session->store, &b->arena, &key, true, &r, &found, err)))
			return false;
		u->by_use = known && found;
	}
	const struct target_action *t = target_build_action(b, id);
	if (!found || t->always || (b->rerun_tests && t->is_test) || (b->audit && t->runtime && !t->is_test))
		return true;
	u->outputs = r.outputs;
	u->noutputs = r.noutputs;
	struct err why = {0};
	if (!place_outputs(b, id, &changed, &why)) {
		if (why.kind != ERR_TRANSIENT) {
			err_move(err, &why);
			return false;
		}
		err_clear(&why); /* a damaged entry counts as absent */
		return true;
	}
	u->diagnostics = r.diagnostics;
	u->facts = r.facts;
	u->wall_ns = r.wall_ns;
	u->outcome = changed ? OUTCOME_CACHED : OUTCOME_CURRENT;
	u->known = true;
	*ret_hit = true;
	return true;
}

/* -- the folder that an action gets -- */

static bool lay_input(const struct target_unit *u, const struct exec_input *in, struct arena *a, struct err *err)
{
	if (in->path.len && in->path.ptr[0] == '/')
		return true;
	char *dst = path_join(a, u->job.root, in->path.ptr);
	if (!fs_mkdirs_parent(dst, err))
		return false;
	/* A link to what is the user's would change that file's time. What lies in the out folder is ours. */
	if (str_has_prefix(in->path, STR("src/")))
		return fs_copy(in->file, dst, in->executable ? 0555 : 0444, err);
	return fs_link(in->file, dst, err);
}

static bool link_to(const char *folder, const char *path, struct err *err)
{
	return symlink(folder, path) == 0 ||
	       err_sys(err, ERR_ENVIRONMENT, "cannot link \"%s\" to \"%s\"", path, folder);
}

static bool make_places(const struct target_build *b, const struct target_action *t, struct target_unit *u,
                        struct err *err)
{
	const char *src = path_join(&u->arena, u->job.root, "src"), *gen = path_join(&u->arena, u->job.root, "gen");
	if (t->in_place)
		return link_to(path_absolute(&u->arena, b->session->options.directory), src, err) &&
		       link_to(path_absolute(&u->arena, b->session->out_dir), gen, err);
	return fs_mkdirs(src, err) && fs_mkdirs(gen, err);
}

static bool make_folders(const struct target_build *b, const struct target_action *t, struct target_unit *u,
                         struct err *err)
{
	struct arena *a = &u->arena;
	if (!make_places(b, t, u, err) || !fs_mkdirs(path_join(a, u->job.root, "out"), err) ||
	    !fs_mkdirs(path_join(a, u->job.root, "tmp"), err))
		return false;
	if (t->cwd.len && !fs_mkdirs(path_join(a, u->job.root, str_dupz(a, t->cwd)), err))
		return false;
	for (size_t i = 0; i < t->outputs.len; i++) {
		const struct target_output *o = &t->outputs.ptr[i];
		char *path = str_dupz(a, str_fmt(a, "%s/out/%.*s", u->job.root, STR_ARG(o->path)));
		if (!(o->tree ? fs_mkdirs(path, err) : fs_mkdirs_parent(path, err)))
			return false;
	}
	return true;
}

bool target_unit_prepare(struct target_build *b, action_id id, bool with_tree, struct err *err)
{
	struct target_unit *u = &b->units[id];
	const struct target_action *t = target_build_action(b, id);
	char *root;
	if (!store_scratch(b->session->store, &u->arena, &root, err))
		return false;
	unsigned timeout_s = t->timeout_s ? t->timeout_s : b->session->options.timeout_s;
	u->job = (struct exec_job){.action = t,
	                           .root = root,
	                           .inputs = u->inputs,
	                           .ninputs = u->ninputs,
	                           .timeout_ms = timeout_s * 1000,
	                           .arena = &u->arena};
	if (!make_folders(b, t, u, err))
		return false;
	for (size_t i = 0; with_tree && !t->in_place && i < u->ninputs; i++)
		if (!lay_input(u, &u->inputs[i], &u->arena, err))
			return false;
	return true;
}

void target_unit_clean(struct target_build *b, action_id id)
{
	struct target_unit *u = &b->units[id];
	if (u->job.root)
		fs_remove_tree(u->job.root, NULL);
	arena_release(&u->arena);
	u->arena = (struct arena){0};
	u->job = (struct exec_job){0};
}

/* -- taking what was made -- */

/* True if a source is not what the key was made of. */
static bool sources_changed(struct target_build *b, action_id id, bool *ret, struct err *err)
{
	const struct target_unit *u = &b->units[id];
	*ret = false;
	for (size_t i = 0; i < u->ninputs; i++) {
		struct digest now;
		bool exists;
		if (!str_has_prefix(u->inputs[i].path, STR("src/")))
			continue;
		if (!session_digest(b->session, str_from(u->inputs[i].file), &now, &exists, err))
			return false;
		*ret |= !digest_eq(&now, &u->inputs[i].digest);
	}
	return true;
}

struct made {
	struct target_build *build;
	action_id id;
	const char *out; /* ROOT/out */
	Vec(struct result_output) outputs;
	StrVec undeclared;
};

static const struct target_output *declared(const struct target_action *t, struct str path)
{
	for (size_t i = 0; i < t->outputs.len; i++) {
		const struct target_output *o = &t->outputs.ptr[i];
		if (o->tree ? below(path, o->path) : str_eq(path, o->path))
			return o;
	}
	return NULL;
}

static bool visit_made(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct made *m = ctx;
	struct target_build *b = m->build;
	struct result_output o = {.path = str_dup(&b->arena, str_from(rel))};
	const struct target_output *as = declared(target_build_action(b, m->id), o.path);
	if (!as) {
		vec_push(&m->undeclared, o.path);
		return true;
	}
	o.mode = as->executable || (sig->mode & 0111) ? 0555 : 0444;
	char *path = path_join(&b->units[m->id].arena, m->out, rel);
	/* An action may have left its outputs unreadable or the folder unwritable; they are ours now. */
	chmod(path, (mode_t)o.mode | 0200);
	if (!store_put_file(b->session->store, path, true, &o.digest, &o.size, err))
		return false;
	vec_push(&m->outputs, o);
	return true;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct result_output *)a)->path, ((const struct result_output *)b)->path);
}

static bool all_made(struct target_build *b, action_id id, const StrVec *undeclared, struct err *err)
{
	const struct target_action *t = target_build_action(b, id);
	for (size_t i = 0; i < t->outputs.len; i++) {
		const struct target_output *o = &t->outputs.ptr[i];
		if (o->tree || find_output(&b->units[id], o->path))
			continue;
		err_set(err, ERR_ACTION, "it did not write \"%.*s\", which it declares", STR_ARG(o->path));
		for (size_t k = 0; k < MIN(undeclared->len, (size_t)5); k++)
			err_note(err, "it wrote \"%.*s\", which it does not declare", STR_ARG(undeclared->ptr[k]));
		return false;
	}
	return true;
}

static void tell_undeclared(struct target_build *b, action_id id, const StrVec *undeclared)
{
	struct str label = target_build_action(b, id)->label;
	for (size_t i = 0; i < MIN(undeclared->len, (size_t)5); i++)
		session_note(b->session, NOTE_WARNING, "%.*s wrote \"%.*s\", which it does not declare: it is dropped",
		             STR_ARG(label), STR_ARG(undeclared->ptr[i]));
}

static bool take_outputs(struct target_build *b, action_id id, struct err *err)
{
	struct target_unit *u = &b->units[id];
	struct made m = {.build = b, .id = id, .out = path_join(&u->arena, u->job.root, "out")};
	bool ok = fs_walk(m.out, visit_made, &m, err);
	u->noutputs = m.outputs.len;
	u->outputs = arena_new_n(&b->arena, struct result_output, m.outputs.len);
	if (m.outputs.len) {
		memcpy(u->outputs, m.outputs.ptr, m.outputs.len * sizeof(*m.outputs.ptr));
		qsort(u->outputs, u->noutputs, sizeof(*u->outputs), by_path);
	}
	ok = ok && all_made(b, id, &m.undeclared, err);
	if (ok)
		tell_undeclared(b, id, &m.undeclared);
	vec_release(&m.outputs);
	vec_release(&m.undeclared);
	return ok;
}

bool target_unit_accept(struct target_build *b, action_id id, const struct exec_result *r, bool *ret_again,
                        struct err *err)
{
	struct target_unit *u = &b->units[id];
	const struct target_action *t = target_build_action(b, id);
	bool changed = false;
	if (!sources_changed(b, id, ret_again, err))
		return false;
	if (*ret_again)
		return true;
	if (!take_outputs(b, id, err))
		return false;
	struct buf forms = {0};
	buf_adds(&forms, r->diagnostics);
	target_report_forms(t, r->output, &forms);
	u->diagnostics = str_dup(&b->arena, buf_str(&forms));
	buf_release(&forms);
	u->facts = str_dup(&b->arena, r->facts);
	u->cpu_ns = r->cpu_ns;
	struct action_result result = {.outputs = u->outputs,
	                               .noutputs = u->noutputs,
	                               .diagnostics = u->diagnostics,
	                               .facts = u->facts,
	                               .cpu_ns = u->cpu_ns,
	                               .wall_ns = u->wall_ns,
	                               .label = t->label};
	if (!store_put_action(b->session->store, &u->key, &result, err) ||
	    (target_trace_has(b, id) && !target_trace_keep(b, id, &result, err)) ||
	    !place_outputs(b, id, &changed, err))
		return false;
	u->outcome = r->current ? OUTCOME_CURRENT : OUTCOME_RAN;
	u->known = true;
	return true;
}
