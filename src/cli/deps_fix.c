/* deps --fix: minimal lists in the .asd files, which stay only if everything builds to the same with them. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/deps.h"
#include "front/asd_edit.h"
#include "os/fs.h"

/* Each round gives back what the last one showed to be needed after all. */
#define MAX_ROUNDS 6

struct asd_file {
	struct str path;     /* as the description has it */
	struct str features; /* that it was read with */
	char *real;          /* links followed */
	char *saved;         /* the old text, beside the workspace's state */
	struct str old, new;
	uint32_t mode;
	Vec(struct asd_edit) edits;
};

struct fixer {
	struct cli *cli;
	struct looked *x;
	struct arena arena;
	Vec(struct asd_file) files;
	U32Vec given_back; /* components */
	U32Vec held;       /* components whose lists can't be edited, */
	StrVec reasons;    /* and why, for people */
	StrVec lacking;    /* other systems of the workspace that lack declarations */
};

/* The file that the system is defined in. */
static struct asd_file *file_of(struct fixer *f, const struct system *system, struct err *err)
{
	struct str path = system->asd;
	struct buf text = {0};
	struct file_sig sig;
	for (size_t i = 0; i < f->files.len; i++)
		if (str_eq(f->files.ptr[i].path, path))
			return &f->files.ptr[i];
	char *real = realpath(str_dupz(&f->arena, path), NULL);
	struct asd_file file = {.path = path, .real = str_dupz(&f->arena, real ? str_from(real) : path)};
	free(real);
	if (!fs_stat(file.real, &sig, err) || !fs_read(file.real, &text, err))
		return NULL;
	if (system->asd_action != NO_ID)
		file.features = graph_action(&f->x->graph, system->asd_action)->features;
	file.mode = sig.mode & 07777;
	file.old = file.new = str_dup(&f->arena, buf_str(&text));
	file.saved = path_join(&f->arena, f->x->session.config_dir,
	                       str_fmt(&f->arena, "before-%.*s", STR_ARG(path_base(path))).ptr);
	buf_release(&text);
	vec_push(&f->files, file);
	return &vec_last(&f->files);
}

/* -- edits -- */

static struct asd_edit edit_of(struct fixer *f, const struct component *c)
{
	struct asd_edit e = {.system = graph_system(&f->x->graph, c->system)->name};
	struct str *want = arena_new_n(&f->arena, struct str, c->deps.len);
	e.component = deps_names(&f->x->deps, &f->arena, c, &e.ncomponent);
	e.want = want;
	for (size_t i = 0; i < c->deps.len; i++)
		if (c->deps.ptr[i].minimal)
			want[e.nwant++] = f->x->deps.components.ptr[c->deps.ptr[i].on].name;
	return e;
}

static struct asd_edit system_edit(struct fixer *f, const struct system_deps *s)
{
	struct asd_edit e = {.system = graph_system(&f->x->graph, s->system)->name};
	struct str *want = arena_new_n(&f->arena, struct str, s->deps.len);
	e.want = want;
	for (size_t i = 0; i < s->deps.len; i++)
		if (system_dep_is_missing(&s->deps.ptr[i]))
			want[e.nwant++] = s->deps.ptr[i].name;
	return e;
}

static bool is_in(const U32Vec *ids, uint32_t id)
{
	for (size_t i = 0; i < ids->len; i++)
		if (ids->ptr[i] == id)
			return true;
	return false;
}

static component_id component_of(const struct fixer *f, const struct asd_edit *e)
{
	struct buf path = {0};
	for (uint32_t i = 0; i < e->ncomponent; i++)
		buf_addf(&path, "%s%.*s", i ? "/" : "", STR_ARG(e->component[i]));
	component_id id = deps_find(&f->x->deps, graph_find_system(&f->x->graph, e->system), buf_str(&path));
	buf_release(&path);
	return id;
}

static struct str reason_of(struct fixer *f, const struct asd_file *file, const struct asd_edit *e)
{
	struct buf path = {0};
	for (uint32_t i = 0; i < e->ncomponent; i++)
		buf_addf(&path, "%c%.*s", i ? '/' : ':', STR_ARG(e->component[i]));
	struct str line = e->line ? str_fmt(&f->arena, ":%u", e->line) : STR("");
	struct str text =
	        str_fmt(&f->arena, "%.*s%.*s: %.*s%.*s %s: %.*s", STR_ARG(file->path), STR_ARG(line),
	                STR_ARG(e->system), (int)path.len, buf_cstr(&path),
	                e->result == ASD_EDIT_PART ? "is changed in part" : "stays as it is", STR_ARG(e->why));
	buf_release(&path);
	return text;
}

/* What stays as it is relies on what others bring along. True if that is new. */
static bool hold_left(struct fixer *f)
{
	bool any = false;
	for (size_t i = 0; i < f->files.len; i++)
		for (size_t k = 0; k < f->files.ptr[i].edits.len; k++) {
			const struct asd_edit *e = &f->files.ptr[i].edits.ptr[k];
			component_id id = component_of(f, e);
			bool left = e->result == ASD_EDIT_LEFT || e->result == ASD_EDIT_PART;
			if (!left || e->serial || id == NO_ID || is_in(&f->held, id))
				continue;
			vec_push(&f->held, id);
			vec_push(&f->reasons, reason_of(f, &f->files.ptr[i], e));
			deps_hold(&f->x->deps, id);
			any = true;
		}
	return any;
}

/* Sorts the changes by file, and computes the new texts. */
static bool compute_texts(struct fixer *f, struct err *err)
{
	const struct deps *d = &f->x->deps;
	for (size_t i = 0; i < f->files.len; i++)
		vec_clear(&f->files.ptr[i].edits);
	for (size_t i = 0; i < d->systems.len; i++) {
		const struct system_deps *s = &d->systems.ptr[i];
		struct asd_file *file = s->inferred ? NULL : file_of(f, graph_system(d->graph, s->system), err);
		if (!file && !s->inferred)
			return false;
		struct asd_edit own = system_edit(f, s);
		if (file && own.nwant)
			vec_push(&file->edits, own);
		for (size_t k = 0; file && k < d->components.len; k++) {
			const struct component *c = &d->components.ptr[k];
			/* Where ":serial t" goes, all components below it get lists. */
			if (c->system == s->system && (c->changes || (f->cli->options.expand_serial && c->deps.len)))
				vec_push(&file->edits, edit_of(f, c));
		}
	}
	for (size_t i = 0; i < f->files.len; i++) {
		struct asd_file *file = &f->files.ptr[i];
		const struct asd_source source = {file->path, file->old, file->features};
		if (!asd_edit(&f->arena, &source, file->edits.ptr, file->edits.len, f->cli->options.expand_serial,
		              &file->new, err))
			return false;
	}
	return true;
}

static bool make_edits(struct fixer *f, struct err *err)
{
	do {
		if (!compute_texts(f, err))
			return false;
	} while (hold_left(f));
	return true;
}

static bool write_files(struct fixer *f, bool back, struct err *err)
{
	bool ok = true;
	for (size_t i = 0; i < f->files.len; i++) {
		struct asd_file *file = &f->files.ptr[i];
		struct str text = back ? file->old : file->new;
		struct buf now = {0};
		struct err why = {0};
		bool good = fs_read(file->real, &now, &why);
		if (good && !str_eq(buf_str(&now), text))
			good = (back || fs_write_atomic(file->saved, file->old, 0644, false, &why)) &&
			       fs_write_atomic(file->real, text, file->mode, true, &why);
		buf_release(&now);
		if (!good && back)
			err_note(&why, "its old text is in \"%s\"", file->saved);
		if (!good && ok)
			err_move(err, &why);
		ok &= good;
		err_clear(&why);
		if (!ok && !back)
			break;
	}
	return ok;
}

static bool any_change(const struct fixer *f)
{
	bool any = false;
	for (size_t i = 0; i < f->files.len; i++)
		any |= !str_eq(f->files.ptr[i].old, f->files.ptr[i].new);
	return any;
}

/* -- verifying -- */

/* A build with the new texts. */
struct trial {
	struct session session;
	struct graph graph;
	struct build build;
	U32Vec unloaded; /* steps that failed */
};

static void trial_release(struct trial *t)
{
	build_release(&t->build);
	session_close(&t->session);
	graph_release(&t->graph);
	vec_release(&t->unloaded);
}

/* The component that an action of the trial is about gets back what it declared. */
static void blame(struct fixer *f, const struct trial *t, action_id id)
{
	const struct action *a = graph_action(&t->graph, id);
	struct buf path = {0};
	for (uint32_t i = 0; i < a->ncomponent; i++)
		buf_addf(&path, "%s%.*s", i ? "/" : "", STR_ARG(a->component[i]));
	component_id c = NO_ID;
	if (a->system != NO_ID)
		c = deps_find(&f->x->deps, graph_find_system(&f->x->graph, graph_system(&t->graph, a->system)->name),
		              buf_str(&path));
	buf_release(&path);
	if (c != NO_ID && !is_in(&f->given_back, c))
		vec_push(&f->given_back, c);
}

static const struct unit *old_unit(const struct fixer *f, const struct map *by_label, struct str label)
{
	uint64_t id;
	return map_get(by_label, label, &id) ? &f->x->build.units[id] : NULL;
}

/* Every FASL is what it was, but for those of files that got more than they declared. */
static bool compare(struct fixer *f, const struct trial *t)
{
	struct map by_label = {0};
	bool same = true;
	for (size_t i = 0; i < f->x->graph.actions.len; i++)
		map_put(&by_label, f->x->graph.actions.ptr[i].label, i);
	for (size_t i = 0; i < t->graph.actions.len; i++) {
		const struct action *a = &t->graph.actions.ptr[i];
		const struct unit *old = a->kind == ACTION_COMPILE ? old_unit(f, &by_label, a->label) : NULL;
		if (!old || old->lax || unit_same_outputs(old, &t->build.units[i]))
			continue;
		same = false;
		blame(f, t, (action_id)i);
	}
	map_release(&by_label);
	return same;
}

/* Systems of the workspace that were not asked for and that a strict build will stop at. */
static void note_lacking(struct fixer *f, const struct trial *t)
{
	vec_clear(&f->lacking);
	for (size_t i = 0; i < t->graph.actions.len; i++) {
		const struct unit *u = &t->build.units[i];
		if (u->foreign || !lax_lacks(u))
			continue;
		struct str name = graph_system(&t->graph, t->graph.actions.ptr[i].system)->name;
		bool known = false;
		for (size_t k = 0; k < f->lacking.len; k++)
			known |= str_eq(f->lacking.ptr[k], name);
		if (!known)
			vec_push(&f->lacking, str_dup(&f->arena, name));
	}
}

/* True if the new texts are good. Else `given_back` may have grown; *ret_code is that of a build that failed. */
static bool try_texts(struct fixer *f, int *ret_code)
{
	struct cli *cli = f->cli;
	struct trial t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	/* Others of the workspace that lack declarations are not what is tried here. */
	struct build_options asked = cli->build;
	StrVec strict = {0};
	for (size_t i = 0; i < f->x->systems.len; i++)
		vec_push(&strict, graph_system(&f->x->graph, f->x->systems.ptr[i])->name);
	cli->build.lax = cli->build.keep_going = true;
	cli->build.strict = strict.ptr;
	cli->build.nstrict = strict.len;
	bool good = cli_build(cli, &t.session, &t.graph, &t.build, ret_code);
	cli->build = asked;
	vec_release(&strict);
	for (size_t i = 0; !good && t.build.units && i < t.graph.actions.len; i++)
		if (t.build.units[i].outcome == OUTCOME_FAILED && t.graph.actions.ptr[i].kind == ACTION_COMPILE)
			blame(f, &t, (action_id)i);
	good = good && compare(f, &t);
	if (good && !survey_load(&t.build, &t.unloaded, &err)) {
		*ret_code = cli_fail(cli, &err);
		good = false;
	}
	for (size_t i = 0; i < t.unloaded.len; i++)
		blame(f, &t, t.unloaded.ptr[i]);
	good &= !t.unloaded.len;
	if (good)
		note_lacking(f, &t);
	trial_release(&t);
	return good;
}

/* -- telling -- */

/* How many of these edits stopped at the same ":serial t" as `e`. */
static size_t like_it(const struct asd_file *file, size_t from, size_t to, const struct asd_edit *e)
{
	size_t n = 0;
	for (size_t i = from; i < to; i++) {
		const struct asd_edit *o = &file->edits.ptr[i];
		bool same = o->serial && o->why.len && str_eq(o->system, e->system) && o->ncomponent == e->ncomponent;
		for (uint32_t k = 0; same && k + 1 < e->ncomponent; k++)
			same = str_eq(o->component[k], e->component[k]);
		n += same;
	}
	return n;
}

static void tell_edits(struct fixer *f, struct buf *out)
{
	for (size_t i = 0; i < f->reasons.len; i++)
		buf_addf(out, "%.*s\n", STR_ARG(f->reasons.ptr[i]));
	for (size_t i = 0; i < f->files.len; i++) {
		const struct asd_file *file = &f->files.ptr[i];
		size_t done = 0;
		for (size_t k = 0; k < file->edits.len; k++) {
			const struct asd_edit *e = &file->edits.ptr[k];
			done += e->result == ASD_EDIT_DONE || e->result == ASD_EDIT_PART;
			if (!e->why.len || is_in(&f->held, component_of(f, e)) || (e->serial && like_it(file, 0, k, e)))
				continue;
			struct str reason = reason_of(f, file, e);
			size_t others = e->serial ? like_it(file, k + 1, file->edits.len, e) : 0;
			buf_adds(out, reason);
			if (others)
				buf_addf(out, " (%zu more beside it)", others);
			buf_addc(out, '\n');
		}
		buf_addf(out, "%.*s: %zu list%s changed\n", STR_ARG(file->path), done, done == 1 ? "" : "s");
	}
	for (size_t i = 0; i < f->given_back.len; i++) {
		const struct component *c = &f->x->deps.components.ptr[f->given_back.ptr[i]];
		buf_addf(out, "%.*s:%.*s keeps what it declares: without it, it turned out to be something else\n",
		         STR_ARG(graph_system(&f->x->graph, c->system)->name), STR_ARG(c->path));
	}
	for (size_t i = 0; i < f->x->deps.systems.len; i++)
		if (f->x->deps.systems.ptr[i].inferred)
			buf_addf(out, "%.*s: nothing to edit, its dependencies are inferred from its source\n",
			         STR_ARG(graph_system(&f->x->graph, f->x->deps.systems.ptr[i].system)->name));
}

/* -- the fix -- */

/* Writes, verifies, gives back; until it is good, or as it was. */
static bool settle(struct fixer *f, int *ret_code, struct err *err)
{
	for (unsigned round = 0; round < MAX_ROUNDS; round++) {
		size_t known = f->given_back.len;
		*ret_code = 0;
		if (!make_edits(f, err))
			return false;
		if (!any_change(f))
			return write_files(f, true, err);
		if (!write_files(f, false, err))
			return false;
		if (try_texts(f, ret_code))
			return true;
		if (f->given_back.len == known || *ret_code > 1)
			break;
		for (size_t i = known; i < f->given_back.len; i++)
			deps_give_back(&f->x->deps, f->given_back.ptr[i]);
	}
	return err_set(err, ERR_ACTION, "the new lists do not build to the same");
}

int deps_fix(struct cli *cli, struct looked *x, struct buf *out)
{
	struct fixer f = {.cli = cli, .x = x};
	struct err err = {0}, undo = {0};
	int code = 0;
	session_unlock(&x->session);
	bool ok = settle(&f, &code, &err);
	if (ok) {
		tell_edits(&f, out);
		if (any_change(&f))
			buf_addz(out, "verified: everything builds strictly to the same FASLs, and loads\n");
		for (size_t i = 0; i < f.lacking.len; i++)
			buf_addf(out,
			         "%.*s, which was not asked for, lacks declarations itself: a build stops there; "
			         "`tenon deps %.*s --fix` adds them\n",
			         STR_ARG(f.lacking.ptr[i]), STR_ARG(f.lacking.ptr[i]));
		code = deps_count(&x->deps).missing > 0 && !any_change(&f);
	} else {
		if (!write_files(&f, true, &undo))
			cli_fail(cli, &undo);
		else
			err_note(&err, "every .asd file is as it was");
		int failed = cli_fail(cli, &err);
		code = code ? code : failed;
	}
	for (size_t i = 0; i < f.files.len; i++)
		vec_release(&f.files.ptr[i].edits);
	vec_release(&f.files);
	vec_release(&f.given_back);
	vec_release(&f.held);
	vec_release(&f.reasons);
	vec_release(&f.lacking);
	arena_release(&f.arena);
	return code;
}
