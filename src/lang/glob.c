#include "lang/glob.h"

bool glob_has_magic(struct str pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (pattern.ptr[i] == '*' || pattern.ptr[i] == '?' || pattern.ptr[i] == '{')
			return true;
	return false;
}

static bool check(struct str pattern, struct err *err)
{
	struct str rest = pattern, part;
	if (!pattern.len)
		return err_set(err, ERR_USER, "an empty pattern");
	if (pattern.ptr[0] == '/')
		return err_set(err, ERR_USER, "\"%.*s\" is absolute: paths are relative to the package",
		               STR_ARG(pattern));
	if (pattern.ptr[pattern.len - 1] == '/')
		return err_set(err, ERR_USER, "\"%.*s\" ends in a slash: only files are matched", STR_ARG(pattern));
	while (str_cut(&rest, '/', &part)) {
		if (str_eqc(part, "..") || str_eqc(part, ".") || !part.len)
			return err_set(err, ERR_USER, "\"%.*s\" has \"%.*s\" as a part of the path", STR_ARG(pattern),
			               STR_ARG(part));
		if (part.len > 2 && str_search(part, STR("**")) < part.len)
			return err_set(err, ERR_USER, "\"%.*s\": \"**\" stands for folders, alone between slashes",
			               STR_ARG(pattern));
	}
	return true;
}

/* The closing brace of the one at `open`, and whether it has a comma of its own; s.len if there is none. */
static size_t closing(struct str s, size_t open)
{
	size_t depth = 0;
	for (size_t i = open; i < s.len; i++) {
		if (s.ptr[i] == '{')
			depth++;
		else if (s.ptr[i] == '}' && --depth == 0)
			return i;
	}
	return s.len;
}

bool glob_expand(struct arena *a, struct str pattern, StrVec *out, struct err *err)
{
	StrVec todo = {0};
	size_t made = 0;
	bool ok = true;
	vec_push(&todo, pattern);
	while (todo.len && ok) {
		struct str p = vec_pop(&todo);
		size_t open = str_find(p, '{');
		if (open == p.len) {
			if (str_find(p, '}') < p.len)
				ok = err_set(err, ERR_USER, "\"%.*s\" has a '}' without its '{'", STR_ARG(pattern));
			else if ((ok = check(p, err)))
				vec_push(out, p);
			continue;
		}
		size_t close = closing(p, open), end = close, depth = 0;
		if (close == p.len) {
			ok = err_set(err, ERR_USER, "\"%.*s\" has a '{' without its '}'", STR_ARG(pattern));
			continue;
		}
		/* From the last alternative to the first, as they are taken from the end. */
		for (size_t i = close; i-- > open && ok;) {
			char c = p.ptr[i];
			depth += c == '}';
			if (i > open && (depth || c != ',')) {
				depth -= c == '{' && i > open;
				continue;
			}
			if (++made > GLOB_ALTERNATIVES)
				ok = err_set(err, ERR_USER, "\"%.*s\" has more than %d alternatives", STR_ARG(pattern),
				             GLOB_ALTERNATIVES);
			struct str between = str_slice(p, i + 1, end), behind = str_drop(p, close + 1);
			vec_push(&todo, str_fmt(a, "%.*s%.*s%.*s", STR_ARG(str_slice(p, 0, open)), STR_ARG(between),
			                        STR_ARG(behind)));
			end = i;
		}
	}
	vec_release(&todo);
	return ok;
}

/* Bytes of the next character; a byte that is no UTF-8 counts as one. */
static size_t character(struct str s)
{
	size_t n = str_utf8(s);
	return n ? n : 1;
}

/* The greedy way with one place to go back to: whatever a star before the last one could take, the last one can. */
bool glob_name_matches(struct str pattern, struct str name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;
	if (name.len && name.ptr[0] == '.' && !(pattern.len && pattern.ptr[0] == '.'))
		return false;
	while (n < name.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			star_n = n;
		} else if (p < pattern.len && pattern.ptr[p] == '?') {
			n += character(str_drop(name, n));
			p++;
		} else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = star_n += character(str_drop(name, star_n));
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

bool glob_matches(struct str pattern, struct str path)
{
	/* The same over parts: "**" is the star. */
	struct str after_star = {0}, path_star = {0}, part, name, p = pattern, n = path;
	bool starred = false;
	while (n.len) {
		struct str p_rest = p, n_rest = n;
		bool more = str_cut(&p_rest, '/', &part);
		str_cut(&n_rest, '/', &name);
		if (more && str_eqc(part, "**")) {
			starred = true;
			p = after_star = p_rest;
			path_star = n;
			continue;
		}
		if (more && glob_name_matches(part, name)) {
			p = p_rest;
			n = n_rest;
			continue;
		}
		if (!starred)
			return false;
		str_cut(&path_star, '/', &name);
		if (name.len && name.ptr[0] == '.')
			return false;
		p = after_star;
		n = path_star;
	}
	while (str_cut(&p, '/', &part))
		if (!str_eqc(part, "**"))
			return false;
	return true;
}
