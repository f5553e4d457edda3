/* Files that code read while it was compiled or loaded. Nobody declared them: a result names them below its first key,
 * and lies under a second one that holds their state. Named so that results serve other places too: a file of a system
 * by the system's name and the path below its folder, one of the workspace by its path in it. */
#include "build/build.h"
#include "os/fs.h"

#define IN_WORKSPACE "."
#define ANYWHERE     ""

struct place {
	struct str root; /* a system's name, IN_WORKSPACE or ANYWHERE */
	struct str rel;
};

static bool lies_below(struct str path, struct str dir)
{
	return dir.len && str_has_prefix(path, dir);
}

/* Of several systems that have the file the unit's own one counts, then the nearest, then the first by name. */
static struct place place_of(const struct build *b, action_id id, struct str path)
{
	const struct graph *g = b->graph;
	system_id own = graph_action(g, id)->system, best = NO_ID;
	if (own != NO_ID && lies_below(path, graph_system(g, own)->dir))
		best = own;
	for (system_id i = 0; best != own && i < g->systems.len; i++) {
		const struct system *s = graph_system(g, i), *t = best == NO_ID ? NULL : graph_system(g, best);
		if (!lies_below(path, s->dir))
			continue;
		if (!t || s->dir.len > t->dir.len || (s->dir.len == t->dir.len && str_cmp(s->name, t->name) < 0))
			best = i;
	}
	if (best != NO_ID)
		return (struct place){graph_system(g, best)->name, str_drop(path, graph_system(g, best)->dir.len)};
	struct str workspace = str_from(b->session->options.directory);
	if (str_has_prefix(path, workspace) && path.len > workspace.len && path.ptr[workspace.len] == '/')
		return (struct place){STR(IN_WORKSPACE), str_drop(path, workspace.len + 1)};
	return (struct place){STR(ANYWHERE), path};
}

/* The path here; empty if nothing of that name is here. */
static struct str local_path(struct build *b, struct str root, struct str rel)
{
	if (str_eqc(root, ANYWHERE))
		return rel;
	if (str_eqc(root, IN_WORKSPACE))
		return str_fmt(&b->arena, "%s/%.*s", b->session->options.directory, STR_ARG(rel));
	system_id id = graph_find_system(b->graph, root);
	if (id == NO_ID)
		return (struct str){0};
	return str_fmt(&b->arena, "%.*s%.*s", STR_ARG(graph_system(b->graph, id)->dir), STR_ARG(rel));
}

/* What counts of the file now. Pipes and the like have no content that could count. */
static struct digest state_of(struct build *b, const struct sexp *kind, struct str path)
{
	struct hasher *h = hasher_new(STR("tenon-read-1"));
	struct file_sig sig;
	char *pathz = str_dupz(&b->arena, path);
	struct digest content;
	bool exists, probe = sexp_is_keyword(kind, "probe");
	struct err unreadable = {0};
	fs_stat(pathz, &sig, NULL);
	if (probe || (!fs_is_file(&sig) && !fs_is_dir(&sig))) {
		vec_push(&b->session->seen, (struct seen_file){str_from(pathz), fs_sig_only_exists(sig)});
		hasher_u64(h, "exists", sig.mode != 0);
	} else if (session_digest(b->session, path, &content, &exists, &unreadable)) {
		hasher_u64(h, "exists", exists);
		hasher_digest(h, "content", &content);
	}
	err_clear(&unreadable);
	return hasher_end(h);
}

/* True if the file was changed after it had been read. */
static bool was_changed(struct build *b, const struct sexp *read)
{
	struct file_sig sig;
	if (!sexp_is_keyword(read->items[0], "file"))
		return false;
	fs_stat(str_dupz(&b->arena, sexp_text(read->items[1])), &sig, NULL);
	if (sig.mode != 0 && (!fs_is_file(&sig) || !sig.ctime_ns))
		return false; /* a pipe, or read-only with several names, see fs.h */
	return (sig.mode ? sig.ctime_ns : 0) != sexp_int(read->items[2], 0);
}

static bool is_read(const struct sexp *read)
{
	return read->kind == SEXP_LIST && read->len == 4;
}

struct str reads_take(struct build *b, action_id id, const struct sexp *reads, bool *ret_changed)
{
	struct buf out = {0};
	*ret_changed = false;
	for (uint32_t i = 0; i < sexp_list_len(reads); i++) {
		const struct sexp *read = reads->items[i];
		if (!is_read(read))
			continue;
		struct place place = place_of(b, id, sexp_text(read->items[1]));
		*ret_changed |= was_changed(b, read);
		buf_addf(&out, "%s(:%.*s ", out.len ? " " : "(", STR_ARG(sexp_text(read->items[0])));
		sexp_print_string(place.root, &out);
		buf_addc(&out, ' ');
		sexp_print_string(place.rel, &out);
		buf_addz(&out, sexp_is_nil(read->items[3]) ? " nil)" : " t)");
	}
	if (out.len)
		buf_addc(&out, ')');
	struct str text = str_dup(&b->arena, buf_str(&out));
	buf_release(&out);
	return text;
}

bool reads_next(struct build *b, const struct sexp *named, uint32_t *at, struct read_file *ret)
{
	while (named && named->kind == SEXP_LIST && *at < named->len) {
		const struct sexp *read = named->items[(*at)++];
		if (!is_read(read))
			continue;
		struct str root = sexp_text(read->items[1]), rel = sexp_text(read->items[2]);
		struct str path = local_path(b, root, rel);
		*ret = (struct read_file){.root = root,
		                          .rel = rel,
		                          .probed = sexp_is_keyword(read->items[0], "probe"),
		                          .own = !sexp_is_nil(read->items[3])};
		if (path.len)
			ret->state = state_of(b, read->items[0], path);
		return true;
	}
	return false;
}

void reads_hash(struct build *b, const struct sexp *named, struct hasher *h)
{
	struct read_file f;
	for (uint32_t at = 0; reads_next(b, named, &at, &f);) {
		hasher_str(h, "read-in", f.root);
		hasher_str(h, "read", f.rel);
		hasher_u64(h, "probed", f.probed);
		hasher_digest(h, "state", &f.state);
	}
}
