/* The end of a build: records for the next one, and FASLs where ASDF looks for them. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "build/build.h"
#include "build/outputs.h"
#include "os/clock.h"
#include "os/fs.h"
#include "store/lastbuild.h"

struct installer {
	struct build *build;
	struct timespec stamp; /* one for all: ASDF wants no FASL older than its source and those it rests on */
	uint64_t copied;
};

/* Copied, not linked: ASDF and the user may write there. */
static bool install_one(struct installer *in, const struct result_output *o, const char *dst, struct err *err)
{
	struct session *s = in->build->session;
	struct digest have;
	bool exists;
	if (filecache_digest(s->files, dst, &have, NULL, &exists, NULL) && exists && digest_eq(&have, &o->digest))
		return true;
	char *src = session_out_path(s, &in->build->arena, o->path);
	in->copied++;
	return fs_mkdirs_parent(dst, err) && fs_copy(src, dst, 0644, err);
}

/* Where the i-th output of the action is installed; NULL: nowhere. */
static char *destination(struct build *b, const struct action *a, uint32_t i)
{
	const char *folder = b->session->options.install;
	if (folder)
		return path_join(&b->arena, folder, str_dupz(&b->arena, a->outputs[i]));
	return i < a->nuser_outputs ? str_dupz(&b->arena, a->user_outputs[i]) : NULL;
}

static bool install_unit(struct installer *in, action_id id, bool touch, struct err *err)
{
	struct build *b = in->build;
	const struct action *a = graph_action(b->graph, id);
	const struct unit *u = &b->units[id];
	for (uint32_t i = 0; i < a->noutputs; i++) {
		char *dst = destination(b, a, i);
		for (size_t o = 0; dst && o < u->facts.noutputs; o++) {
			if (!str_eq(u->facts.outputs[o].path, a->outputs[i]))
				continue;
			if (!touch && !install_one(in, &u->facts.outputs[o], dst, err))
				return false;
			if (touch) {
				const struct timespec times[2] = {in->stamp, in->stamp};
				struct file_sig sig;
				utimensat(AT_FDCWD, dst, times, 0);
				fs_stat(dst, &sig, NULL);
				vec_push(&b->session->seen, (struct seen_file){str_from(dst), sig});
			}
		}
	}
	return true;
}

/* The second in which the newest of the sources was written: whatever is written later is newer. */
static struct timespec newest_source(const struct build *b)
{
	struct timespec newest = {0};
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct action *a = &b->graph->actions.ptr[i];
		for (uint32_t k = 0; k < a->ninputs; k++) {
			const struct file_sig *sig = session_seen(b->session, a->inputs[k].path);
			if (sig && a->inputs[k].producer == NO_ID)
				newest.tv_sec = MAX(newest.tv_sec, sig->mtime_ns / 1000000000);
		}
	}
	return newest;
}

/* Nothing is touched where everything was in place. */
static bool install_fasls(struct build *b, struct err *err)
{
	struct installer in = {.build = b};
	in.stamp = b->session->options.install ? newest_source(b)
	                                       : (struct timespec){.tv_sec = clock_real_ns() / 1000000000};
	for (int touch = 0; touch < 2; touch++)
		for (size_t i = 0; i < b->graph->actions.len; i++)
			if (action_kind_is_task(b->graph->actions.ptr[i].kind) &&
			    !install_unit(&in, (action_id)i, touch, err))
				return false;
	session_note(b->session, b->session->options.install ? NOTE_DEBUG : NOTE_INFO,
	             "%llu files installed where ASDF looks for them", (unsigned long long)in.copied);
	return true;
}

static void add_output_files(struct build *b, struct lastbuild_writer *w)
{
	for (size_t i = 0; i < b->graph->actions.len; i++)
		for (size_t o = 0; o < b->units[i].facts.noutputs; o++) {
			char *path = session_out_path(b->session, &b->arena, b->units[i].facts.outputs[o].path);
			struct file_sig sig;
			fs_stat(path, &sig, NULL);
			lastbuild_add(w, path, &sig);
		}
}

static bool write_last(struct build *b, struct err *err)
{
	struct session *s = b->session;
	struct lastbuild_writer *w = lastbuild_begin(&s->request);
	struct file_sig sig;
	for (size_t i = 0; i < s->seen.len; i++)
		lastbuild_add(w, s->seen.ptr[i].path.ptr, &s->seen.ptr[i].sig);
	for (size_t i = 0; i < s->toolchain.files.len; i++) {
		fs_stat(s->toolchain.files.ptr[i].ptr, &sig, NULL);
		lastbuild_add(w, s->toolchain.files.ptr[i].ptr, &sig);
	}
	fs_stat("/proc/self/exe", &sig, NULL);
	lastbuild_add(w, "/proc/self/exe", &sig);
	add_output_files(b, w);
	struct buf text = {0};
	unsigned long long done = b->ran + b->cached + b->current;
	buf_addf(&text, "(%llu %llu %llu)\n", done, (unsigned long long)b->warnings,
	         (unsigned long long)b->hidden_warnings);
	buf_adds(&text, buf_str(&b->replay));
	bool ok = lastbuild_commit(w, s->last_file, buf_str(&text), err);
	buf_release(&text);
	return ok;
}

static bool remove_stale_outputs(struct build *b, struct err *err)
{
	StrVec outputs = {0};
	for (size_t i = 0; i < b->graph->actions.len; i++)
		for (size_t o = 0; o < b->units[i].facts.noutputs; o++)
			vec_push(&outputs, b->units[i].facts.outputs[o].path);
	bool ok = outputs_settle(b->session, &outputs, err);
	vec_release(&outputs);
	return ok;
}

/* Systems that hold the same file have one place for what it compiles to. What is left there does not depend on which
 * was made last: it is that of the last one in the front end's order. */
static bool settle_shared(struct build *b, struct err *err)
{
	const struct graph *g = b->graph;
	struct map maker = {0};
	U32Vec owners = {0};
	bool ok = true, changed = false;
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct unit *u = &b->units[i];
		uint64_t other;
		for (size_t o = 0; o < u->facts.noutputs; o++) {
			struct str path = u->facts.outputs[o].path;
			if (map_add(&maker, path, i, &other))
				continue;
			if (g->actions.ptr[i].order > graph_action(g, (action_id)other)->order)
				map_put(&maker, path, other = i);
			vec_push(&owners, (uint32_t)other);
		}
	}
	for (size_t i = 0; ok && i < owners.len; i++) {
		const struct unit *u = &b->units[owners.ptr[i]];
		ok = session_place_outputs(b->session, &b->arena, u->facts.outputs, u->facts.noutputs, &changed, err);
	}
	vec_release(&owners);
	map_release(&maker);
	return ok;
}

static bool wants_installing(const struct session *s)
{
	return s->options.install_fasls || s->options.install;
}

static bool commit(struct build *b, struct err *err)
{
	if (!record_save(b, err))
		return false;
	if (!build_succeeded(b))
		return fs_remove(b->session->last_file, err);
	if (!settle_shared(b, err) || (wants_installing(b->session) && !install_fasls(b, err)))
		return false;
	return remove_stale_outputs(b, err) && write_last(b, err);
}

bool build_run_and_commit(struct build *b, struct err *err)
{
	struct err late = {0};
	bool ok = build_run(b, err);
	ok = commit(b, ok ? err : &late) && ok;
	err_clear(&late);
	return ok;
}
