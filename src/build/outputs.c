/* Outputs that nothing makes any more: of sources that were removed or renamed, of targets that are gone.
 *
 * Each request (a command line in this configuration) leaves a list of its outputs when it has succeeded. What its last
 * list has and this one has not is removed, unless the list of another request has it which is still right. Lists hold
 * paths relative to the folder of outputs, which is tenon's own; the workspace's lock is held, so no other build puts
 * anything there meanwhile. */
#include "build/outputs.h"

#include <stdlib.h>
#include <unistd.h>

#include "os/fs.h"
#include "store/lastbuild.h"

#define LIST_MAGIC  "tenon-outputs-1\n"
#define LIST_PREFIX "outputs-"

static char *list_path(struct session *s)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(&s->request, hex);
	hex[24] = 0;
	return path_join(&s->arena, s->config_dir, str_dupz(&s->arena, str_fmt(&s->arena, LIST_PREFIX "%s", hex)));
}

static bool is_list(struct str text)
{
	return str_has_prefix(text, STR(LIST_MAGIC));
}

/* The paths of a list that are not in `known`; they point into `text`. */
static void list_rest(struct str text, const struct map *known, StrVec *ret)
{
	struct str rest = str_drop(text, sizeof(LIST_MAGIC) - 1), line;
	while (is_list(text) && str_cut(&rest, '\n', &line))
		if (line.len && !map_has(known, line))
			vec_push(ret, line);
}

/* Takes from `gone` what the list in `file` has. */
static void spare_listed(const char *file, StrVec *gone)
{
	struct buf text = {0};
	struct map listed = {0};
	StrVec lines = {0};
	size_t kept = 0;
	if (fs_read(file, &text, NULL))
		list_rest(buf_str(&text), &listed, &lines);
	for (size_t i = 0; i < lines.len; i++)
		map_put(&listed, lines.ptr[i], 0);
	for (size_t i = 0; i < gone->len; i++)
		if (!map_has(&listed, gone->ptr[i]))
			gone->ptr[kept++] = gone->ptr[i];
	gone->len = kept;
	vec_release(&lines);
	map_release(&listed);
	buf_release(&text);
}

/* True if the request that left the list has nothing to do. Else it will look at everything anyway when it comes again,
 * and an output that it needs after all is linked from the store. */
static bool is_right_still(struct session *s, struct str list)
{
	struct str hash = str_drop(list, sizeof(LIST_PREFIX) - 1);
	struct buf text = {0};
	size_t n;
	char *last = path_join(&s->arena, s->config_dir,
	                       str_dupz(&s->arena, str_fmt(&s->arena, "last-%.*s", STR_ARG(hash))));
	bool same = lastbuild_unchanged(last, NULL, &text, &n);
	buf_release(&text);
	return same;
}

static bool spare_others(struct session *s, const char *own, StrVec *gone, struct err *err)
{
	StrVec names = {0};
	bool ok = fs_list(&s->arena, s->config_dir, &names, err);
	for (size_t i = 0; ok && gone->len && i < names.len; i++)
		if (str_has_prefix(names.ptr[i], STR(LIST_PREFIX)) && !str_eq(names.ptr[i], path_base(str_from(own))) &&
		    is_right_still(s, names.ptr[i]))
			spare_listed(path_join(&s->arena, s->config_dir, str_dupz(&s->arena, names.ptr[i])), gone);
	vec_release(&names);
	return ok;
}

/* A list is a file that anybody may have damaged: nothing outside of the folder is touched. */
static bool stays_inside(struct str rel)
{
	struct str rest = rel, part;
	if (!rel.len || rel.ptr[0] == '/')
		return false;
	while (str_cut(&rest, '/', &part))
		if (!part.len || str_eqc(part, ".") || str_eqc(part, ".."))
			return false;
	return true;
}

static bool remove_output(struct session *s, struct str rel, struct err *err)
{
	char *path = session_out_path(s, &s->arena, rel);
	if (!stays_inside(rel))
		return true;
	if (!fs_remove(path, err))
		return false;
	/* Folders that are empty now. */
	for (struct str dir = path_dir(rel); !str_eqc(dir, "."); dir = path_dir(dir))
		if (rmdir(session_out_path(s, &s->arena, dir)) != 0)
			break;
	return true;
}

bool outputs_settle(struct session *s, const StrVec *outputs, struct err *err)
{
	char *path = list_path(s);
	struct buf old = {0}, text = {0};
	struct map now = {0};
	StrVec gone = {0};
	bool ok = true;
	buf_addz(&text, LIST_MAGIC);
	for (size_t i = 0; i < outputs->len; i++) {
		map_put(&now, outputs->ptr[i], 0);
		buf_addf(&text, "%.*s\n", STR_ARG(outputs->ptr[i]));
	}
	if (fs_read(path, &old, NULL))
		list_rest(buf_str(&old), &now, &gone);
	if (gone.len)
		ok = spare_others(s, path, &gone, err);
	for (size_t i = 0; ok && i < gone.len; i++)
		ok = remove_output(s, gone.ptr[i], err);
	if (ok && gone.len)
		session_note(s, NOTE_DEBUG, "%zu outputs removed that nothing makes any more", gone.len);
	/* Last: a build that is killed before this finds what is left again. */
	if (ok && !str_eq(buf_str(&old), buf_str(&text)))
		ok = fs_write_atomic(path, buf_str(&text), 0644, false, err);
	vec_release(&gone);
	map_release(&now);
	buf_release(&old);
	buf_release(&text);
	return ok;
}
