#include <stdlib.h>
#include <unistd.h>

#include "os/fs.h"

char *path_join(struct arena *a, const char *dir, const char *rel)
{
	if (rel[0] == '/' || !dir[0])
		return str_dupz(a, str_from(rel));
	size_t n = strlen(dir);
	const char *slash = dir[n - 1] == '/' || !rel[0] ? "" : "/";
	return str_dupz(a, str_fmt(a, "%s%s%s", dir, slash, rel));
}

/* Appends the parts of `path` to an absolute path that ends without "/" ("" is the root). */
static void add_parts(struct buf *out, struct str path)
{
	struct str part;
	while (str_cut(&path, '/', &part)) {
		if (!part.len || str_eqc(part, "."))
			continue;
		if (str_eqc(part, "..")) {
			size_t up = str_rfind(buf_str(out), '/');
			out->len = up < out->len ? up : 0;
			continue;
		}
		buf_addc(out, '/');
		buf_adds(out, part);
	}
}

char *path_absolute(struct arena *a, const char *path)
{
	struct buf b = {0};
	if (path[0] != '/') {
		char *cwd = getcwd(NULL, 0);
		/* A removed working directory has no name; nothing relative to it can exist. */
		add_parts(&b, cwd ? str_from(cwd) : STR("/nonexistent"));
		free(cwd);
	}
	add_parts(&b, str_from(path));
	char *ret = str_dupz(a, b.len ? buf_str(&b) : STR("/"));
	buf_release(&b);
	return ret;
}

static struct str without_slashes(struct str path)
{
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	return path;
}

struct str path_dir(struct str path)
{
	path = without_slashes(path);
	size_t i = str_rfind(path, '/');
	if (i == path.len)
		return STR(".");
	return without_slashes(str_n(path.ptr, i ? i : 1));
}

struct str path_base(struct str path)
{
	path = without_slashes(path);
	size_t i = str_rfind(path, '/');
	return i == path.len || path.len == 1 ? path : str_drop(path, i + 1);
}

struct str path_ext(struct str path)
{
	struct str base = path_base(path);
	size_t i = str_rfind(base, '.');
	/* ".profile" is a name, not an extension. */
	return i == base.len || i == 0 ? STR("") : str_drop(base, i + 1);
}

struct str path_below(struct str path, struct str root)
{
	root = without_slashes(root);
	if (str_eqc(root, "/") && path.len > 1 && path.ptr[0] == '/')
		return str_drop(path, 1);
	if (path.len > root.len + 1 && str_has_prefix(path, root) && path.ptr[root.len] == '/')
		return str_drop(path, root.len + 1);
	return path;
}
