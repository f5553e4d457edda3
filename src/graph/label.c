#include "graph/target.h"

/* A folder's path below the root: no empty parts, no "." and "..", no slash at the ends. */
static bool check_package(struct str text, struct str package, struct err *err)
{
	struct str rest = package, part;
	if (!package.len)
		return true;
	if (package.ptr[package.len - 1] == '/')
		return err_set(err, ERR_USER, "\"%.*s\" has a slash at the end of its folder", STR_ARG(text));
	while (str_cut(&rest, '/', &part)) {
		if (!part.len)
			return err_set(err, ERR_USER, "\"%.*s\" has an empty folder in it", STR_ARG(text));
		if (str_eqc(part, ".") || str_eqc(part, "..") || str_eqc(part, "..."))
			return err_set(err, ERR_USER, "\"%.*s\" can't have \"%.*s\" in it", STR_ARG(text),
			               STR_ARG(part));
	}
	return true;
}

/* Names may be paths ("src/a.txt"), but stay below their package. */
static bool check_name(struct str text, struct str name, struct err *err)
{
	struct str rest = name, part;
	if (!name.len)
		return err_set(err, ERR_USER, "\"%.*s\" has no name behind the colon", STR_ARG(text));
	if (name.ptr[0] == '/' || name.ptr[name.len - 1] == '/')
		return err_set(err, ERR_USER, "\"%.*s\" has a name that begins or ends with a slash", STR_ARG(text));
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == ':' || name.ptr[i] == '"' ||
		    name.ptr[i] == '\\' || name.ptr[i] == '*')
			return err_set(err, ERR_USER, "the name of a target can't have '%c' in it: \"%.*s\"",
			               (unsigned char)name.ptr[i] < ' ' ? '?' : name.ptr[i], STR_ARG(text));
	while (str_cut(&rest, '/', &part))
		if (!part.len || str_eqc(part, ".") || str_eqc(part, "..") || str_eqc(part, "..."))
			return err_set(err, ERR_USER, "\"%.*s\" has a name that is no path below its package",
			               STR_ARG(text));
	return true;
}

bool label_looks_like(struct str text)
{
	return text.len && (text.ptr[0] == ':' || str_has_prefix(text, STR("//")));
}

bool label_parse(struct str text, struct str here, struct label *ret, struct err *err)
{
	struct label l = {.package = here};
	if (!label_looks_like(text)) {
		err_set(err, ERR_USER, "\"%.*s\" is no label", STR_ARG(text));
		if (err)
			err_note(err, "labels are written \"//dir:name\", or \":name\" in the same package");
		return false;
	}
	size_t colon = str_find(text, ':');
	if (colon < text.len) {
		l.name = str_drop(text, colon + 1);
		if (colon)
			l.package = str_slice(text, 2, colon);
	} else {
		l.package = str_drop(text, 2);
		l.name = str_drop(l.package,
		                  str_rfind(l.package, '/') < l.package.len ? str_rfind(l.package, '/') + 1 : 0);
		if (!l.package.len)
			return err_set(err, ERR_USER, "\"//\" names no target: write \"//:name\"");
	}
	if (!check_package(text, l.package, err) || !check_name(text, l.name, err))
		return false;
	*ret = l;
	return true;
}

struct str label_str(struct arena *a, struct label l)
{
	return str_fmt(a, "//%.*s:%.*s", STR_ARG(l.package), STR_ARG(l.name));
}

bool target_pattern_looks_like(struct str text)
{
	return str_search(text, STR("//")) < text.len || str_find(text, ':') < text.len ||
	       str_has_suffix(text, STR("..."));
}

static struct str join(struct arena *a, struct str here, struct str dir)
{
	if (!here.len || !dir.len)
		return here.len ? here : dir;
	return str_fmt(a, "%.*s/%.*s", STR_ARG(here), STR_ARG(dir));
}

bool target_pattern_parse(struct arena *a, struct str text, struct str here, struct target_pattern *ret,
                          struct err *err)
{
	bool absolute = str_has_prefix(text, STR("//"));
	struct str rest = absolute ? str_drop(text, 2) : text;
	struct target_pattern p = {.kind = PATTERN_TARGET};
	if (str_eqc(rest, "...") || str_has_suffix(rest, STR("/..."))) {
		p.kind = PATTERN_BELOW;
		rest = str_slice(rest, 0, rest.len - MIN(rest.len, 4));
	} else if (str_has_suffix(rest, STR(":all"))) {
		p.kind = PATTERN_PACKAGE;
		rest = str_slice(rest, 0, rest.len - 4);
	}
	if (p.kind != PATTERN_TARGET) {
		if (!check_package(text, rest, err))
			return false;
		p.label.package = absolute ? rest : join(a, here, rest);
	} else if (label_looks_like(text)) {
		if (!label_parse(text, here, &p.label, err))
			return false;
	} else {
		size_t colon = str_find(text, ':');
		if (colon == text.len) {
			label_parse(text, here, &p.label, err);
			return false;
		}
		p.label.name = str_drop(text, colon + 1);
		if (!check_package(text, str_slice(text, 0, colon), err) || !check_name(text, p.label.name, err))
			return false;
		p.label.package = join(a, here, str_slice(text, 0, colon));
	}
	*ret = p;
	return true;
}

bool target_pattern_matches(const struct target_pattern *p, struct label l)
{
	struct str dir = p->label.package;
	switch (p->kind) {
	case PATTERN_TARGET:
		return str_eq(dir, l.package) && str_eq(p->label.name, l.name);
	case PATTERN_PACKAGE:
		return str_eq(dir, l.package);
	case PATTERN_BELOW:
		return !dir.len ||
		       (str_has_prefix(l.package, dir) && (l.package.len == dir.len || l.package.ptr[dir.len] == '/'));
	}
	return false;
}
