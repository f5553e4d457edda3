#include "rules/jar_plan.h"

#include <stdlib.h>
#include <strings.h>

#include "lang/glob.h"
#include "os/fs.h"
#include "rules/jar_launcher.h"

#define META     STR("META-INF/")
#define MANIFEST STR("META-INF/MANIFEST.MF")
#define VERSIONS STR("META-INF/versions/")
#define SERVICES STR("META-INF/services/")
#define INIT     STR("__init.class")

static void note(struct jar_plan *p, enum jar_note_kind kind, struct str name, struct str other, struct str kept,
                 struct str lost)
{
	struct jar_note n = {kind, name, other, kept, lost};
	vec_push(&p->report->notes, n);
}

static struct str label_of(const struct jar_plan *p, const struct jar_member *m)
{
	return p->sources.ptr[m->input].label;
}

static struct str lower(struct arena *a, struct str s)
{
	char *copy = str_dupz(a, s);
	for (size_t i = 0; i < s.len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	return str_n(copy, s.len);
}

static bool ends_with(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);
	return s.len >= n && strncasecmp(s.ptr + s.len - n, suffix, n) == 0;
}

static bool is_service(struct str name)
{
	return str_has_prefix(name, SERVICES) && str_find(str_drop(name, SERVICES.len), '/') == name.len - SERVICES.len;
}

static bool is_readers(struct str name)
{
	return str_eqc(name, "data_readers.clj") || str_eqc(name, "data_readers.cljc");
}

/* Licences at the top or in META-INF. */
static bool is_licence(struct str name)
{
	static const char *const begins[] = {"license", "licence", "notice", "copying", "copyright"};
	static const char *const endings[] = {"", "txt", "md", "html", "adoc"};
	struct str base = str_has_prefix(name, META) ? str_drop(name, META.len) : name, ext = path_ext(base);
	bool begin = false, end = false;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		begin = begin ||
		        (base.len >= strlen(begins[i]) && strncasecmp(base.ptr, begins[i], strlen(begins[i])) == 0);
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		end = end || (ext.len == strlen(endings[i]) && strncasecmp(ext.ptr, endings[i], ext.len) == 0);
	return begin && end && str_find(base, '/') == base.len;
}

/* What would be wrong in another jar than its own. */
static bool is_left_out(const struct jar_source *s, struct str name)
{
	static const char *const signatures[] = {".sf", ".rsa", ".dsa", ".ec"};
	struct str base = path_base(name);
	if (str_has_prefix(name, META) && name.len == META.len + base.len) {
		for (size_t i = 0; i < ARRAY_LEN(signatures); i++)
			if (ends_with(base, signatures[i]))
				return true;
		if ((base.len >= 4 && strncasecmp(base.ptr, "SIG-", 4) == 0) || str_eqc(base, "INDEX.LIST") ||
		    (name.len == MANIFEST.len && ends_with(name, MANIFEST.ptr)))
			return true;
	}
	if (!s->input->archive)
		return false;
	bool version = str_has_prefix(name, VERSIONS);
	return (version && !s->multi_release) ||
	       (str_eqc(base, "module-info.class") && (version || name.len == base.len));
}

bool jar_member_read(const struct jar_plan *p, const struct jar_member *m, struct buf *out, struct err *err)
{
	if (m->entry)
		return zip_read(&p->sources.ptr[m->input].zip, m->entry, out, err);
	if (m->path)
		return fs_read(m->path, out, err);
	buf_adds(out, m->text);
	return true;
}

static bool same(const struct jar_plan *p, const struct jar_member *a, const struct jar_member *b, bool *ret,
                 struct err *err)
{
	if (a->entry && b->entry && (a->entry->size != b->entry->size || a->entry->crc != b->entry->crc)) {
		*ret = false;
		return true;
	}
	struct buf x = {0}, y = {0};
	bool ok = jar_member_read(p, a, &x, err) && jar_member_read(p, b, &y, err);
	*ret = ok && str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return ok;
}

static bool is_excluded(const struct jar_plan *p, struct str name)
{
	const StrVec *patterns = p->request->exclude;
	for (size_t i = 0; patterns && i < patterns->len; i++)
		if (glob_matches(patterns->ptr[i], name))
			return true;
	return false;
}

static bool add(struct jar_plan *p, struct jar_member m, struct err *err)
{
	const char *why = zip_bad_name(m.name);
	if (why)
		return err_set(err, ERR_USER, "\"%.*s\" of \"%.*s\" can't be put into a jar: %s", STR_ARG(m.name),
		               STR_ARG(label_of(p, &m)), why);
	if (is_left_out(&p->sources.ptr[m.input], m.name) || m.name.ptr[m.name.len - 1] == '/' ||
	    is_excluded(p, m.name))
		return true;
	bool licence = is_licence(m.name);
	struct str key = licence ? lower(p->arena, m.name) : m.name;
	uint64_t at;
	if (map_add(&p->by_name, key, p->members.len, &at)) {
		vec_push(&p->members, m);
		if (licence || is_service(m.name) || is_readers(m.name))
			vec_push(&p->merged, m);
		return true;
	}
	struct jar_member *old = &p->members.ptr[at];
	if (licence || is_service(m.name) || is_readers(m.name)) {
		m.name = old->name;
		vec_push(&p->merged, m);
		return true;
	}
	bool equal;
	if (!same(p, old, &m, &equal, err))
		return false;
	if (equal)
		return true;
	note(p, JAR_CONFLICT, m.name, (struct str){0}, label_of(p, old), label_of(p, &m));
	/* Twice in one archive: Java would find the later one. */
	if (old->input == m.input)
		*old = m;
	return true;
}

/* -- collecting -- */

static bool open_archive(struct jar_plan *p, struct jar_source *s, struct err *err)
{
	if (!fs_map(s->input->path, &s->map, err) || !zip_open(s->label, s->map, &s->zip, err))
		return false;
	const struct zip_entry *e = zip_find(&s->zip, MANIFEST);
	struct buf text = {0};
	if (e && !zip_read(&s->zip, e, &text, err))
		return false;
	struct str classpath = manifest_get(p->arena, buf_str(&text), STR("Class-Path"));
	if (classpath.len)
		note(p, JAR_CLASSPATH, MANIFEST, classpath, (struct str){0}, s->label);
	struct str multi = manifest_get(p->arena, buf_str(&text), STR("Multi-Release"));
	s->multi_release = multi.len == 4 && strncasecmp(multi.ptr, "true", 4) == 0;
	buf_release(&text);
	return true;
}

struct walk {
	struct jar_plan *p;
	uint32_t input;
};

static bool add_file(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct walk *w = ctx;
	struct jar_plan *p = w->p;
	const struct jar_input *input = p->sources.ptr[w->input].input;
	(void)sig;
	struct jar_member m = {.input = w->input, .path = path_join(p->arena, input->path, rel)};
	m.name = str_fmt(p->arena, "%.*s%s", STR_ARG(input->prefix), rel);
	return add(p, m, err);
}

static bool collect(struct jar_plan *p, uint32_t i, struct err *err)
{
	struct jar_source *s = &p->sources.ptr[i];
	const struct jar_input *input = s->input;
	struct walk w = {p, i};
	bool ok = true;
	if (input->archive) {
		if (!open_archive(p, s, err))
			return false;
		for (size_t k = 0; ok && k < s->zip.entries.len; k++) {
			const struct zip_entry *e = &s->zip.entries.ptr[k];
			ok = add(p, (struct jar_member){.name = e->name, .input = i, .entry = e}, err);
		}
	} else if (input->files) {
		for (size_t k = 0; ok && k < input->files->len; k++)
			ok = add_file(&w, str_dupz(p->arena, input->files->ptr[k]), NULL, err);
	} else {
		ok = fs_walk(input->path, add_file, &w, err);
	}
	return ok;
}

/* -- merging -- */

static bool merge_one(struct jar_plan *p, struct jar_member *m, bool licence, struct err *err)
{
	Vec(struct jar_part) parts = {0};
	struct buf out = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < p->merged.len; i++) {
		const struct jar_member *from = &p->merged.ptr[i];
		if (!str_eq(from->name, m->name))
			continue;
		struct buf text = {0};
		ok = jar_member_read(p, from, &text, err);
		vec_push(&parts, (struct jar_part){label_of(p, from), str_dup(p->arena, buf_str(&text))});
		buf_release(&text);
	}
	if (ok && (parts.len > 1 || is_readers(m->name))) {
		if (licence)
			jar_join_texts(parts.ptr, parts.len, &out);
		else if (is_service(m->name))
			jar_join_services(parts.ptr, parts.len, &out);
		else
			ok = jar_join_readers(p->arena, parts.ptr, parts.len, &out, err);
		if (parts.len > 1)
			*m = (struct jar_member){
			        .name = m->name, .input = m->input, .text = str_dup(p->arena, buf_str(&out))};
	}
	vec_release(&parts);
	buf_release(&out);
	return ok;
}

/* The member of that very name, or NULL. */
static const struct jar_member *member(const struct jar_plan *p, struct str name)
{
	uint64_t at;
	return map_get(&p->by_name, name, &at) ? &p->members.ptr[at] : NULL;
}

/* True if `m`'s archive has a different `name` than the one that won. */
static const struct jar_member *lost_to(const struct jar_plan *p, const struct jar_member *m, struct str name)
{
	const struct jar_member *won = member(p, name);
	const struct zip_entry *own = m->entry ? zip_find(&p->sources.ptr[m->input].zip, name) : NULL;
	if (!won || !own || won->input == m->input)
		return NULL;
	struct jar_member mine = {.name = name, .input = m->input, .entry = own};
	bool equal = true;
	return same(p, won, &mine, &equal, NULL) && !equal ? won : NULL;
}

static void drop_stale(struct jar_plan *p, struct jar_member *m)
{
	static const char *const sources[] = {".clj", ".cljc"};
	const struct jar_member *won = NULL;
	enum jar_note_kind kind = JAR_STALE;
	if (str_has_prefix(m->name, VERSIONS)) {
		struct str rest = str_drop(m->name, VERSIONS.len);
		kind = JAR_VERSION;
		won = lost_to(p, m, str_drop(rest, MIN(rest.len, str_find(rest, '/') + 1)));
	} else if (str_has_suffix(m->name, INIT)) {
		for (size_t i = 0; i < ARRAY_LEN(sources) && !won; i++)
			won = lost_to(
			        p, m,
			        str_fmt(p->arena, "%.*s%s", (int)(m->name.len - INIT.len), m->name.ptr, sources[i]));
	}
	if (!won)
		return;
	m->dropped = true;
	note(p, kind, m->name, (struct str){0}, label_of(p, won), label_of(p, m));
}

/* -- names that collide, folders -- */

static bool check_case(struct jar_plan *p, const struct jar_member *a, const struct jar_member *b, struct err *err)
{
	note(p, JAR_CASE, a->name, b->name, label_of(p, a), label_of(p, b));
	/* Fine as a jar, and then also as one input among others. */
	if (p->request->allow_case || a->input == b->input)
		return true;
	err_set(err, ERR_USER, "\"%.*s\" of \"%.*s\" and \"%.*s\" of \"%.*s\" differ in case only", STR_ARG(a->name),
	        STR_ARG(label_of(p, a)), STR_ARG(b->name), STR_ARG(label_of(p, b)));
	err_note(err, "such a jar can't be unpacked everywhere; leave one of them out, or allow it");
	return false;
}

/* A licence that is in a folder's way gets a new name. */
static bool check_folder(struct jar_plan *p, struct jar_member *m, const struct map *folders, struct err *err)
{
	uint64_t other;
	if (!map_get(folders, lower(p->arena, m->name), &other))
		return true;
	const struct jar_member *below = &p->members.ptr[other];
	if (!is_licence(m->name))
		return err_set(err, ERR_USER, "\"%.*s\" is a file in \"%.*s\" and a folder in \"%.*s\"",
		               STR_ARG(m->name), STR_ARG(label_of(p, m)), STR_ARG(label_of(p, below)));
	struct str name = str_fmt(p->arena, "%.*s.txt", STR_ARG(m->name));
	for (unsigned n = 2; map_has(folders, lower(p->arena, name)) || map_has(&p->by_name, lower(p->arena, name));
	     n++)
		name = str_fmt(p->arena, "%.*s.%u.txt", STR_ARG(m->name), n);
	note(p, JAR_RENAMED, m->name, name, label_of(p, m), label_of(p, below));
	m->name = name;
	return true;
}

/* Adds an entry for every folder. */
static bool check_names(struct jar_plan *p, struct err *err)
{
	struct map folders = {0}, lowered = {0}, exact = {0};
	size_t n = p->members.len;
	bool ok = true;
	for (size_t i = 0; i < n; i++) {
		const struct jar_member m = p->members.ptr[i];
		for (size_t k = 0; !m.dropped && k < m.name.len; k++)
			if (m.name.ptr[k] == '/' && map_add(&exact, str_slice(m.name, 0, k + 1), 0, NULL)) {
				map_add(&folders, lower(p->arena, str_slice(m.name, 0, k)), i, NULL);
				vec_push(&p->members,
				         (struct jar_member){.name = str_slice(m.name, 0, k + 1), .input = m.input});
			}
	}
	for (size_t i = 0; ok && i < n; i++)
		ok = p->members.ptr[i].dropped || check_folder(p, &p->members.ptr[i], &folders, err);
	for (size_t i = 0; ok && i < n; i++) {
		uint64_t old;
		struct jar_member *m = &p->members.ptr[i];
		if (!m->dropped && !map_add(&lowered, lower(p->arena, m->name), i, &old))
			ok = check_case(p, &p->members.ptr[old], m, err);
	}
	map_release(&folders);
	map_release(&lowered);
	map_release(&exact);
	return ok;
}

/* JarInputStream finds the manifest only there: first, or second behind its folder. */
static int rank(struct str name)
{
	return str_eq(name, META) ? 0 : str_eq(name, MANIFEST) ? 1 : 2;
}

static int by_name(const void *a, const void *b)
{
	const struct jar_member *x = a, *y = b;
	int d = rank(x->name) - rank(y->name);
	return d ? d : str_cmp(x->name, y->name);
}

static int by_note(const void *a, const void *b)
{
	const struct jar_note *x = a, *y = b;
	int d = str_cmp(x->name, y->name);
	if (!d)
		d = str_cmp(x->lost, y->lost);
	return d ? d : (int)x->kind - (int)y->kind;
}

static void add_manifest(struct jar_plan *p)
{
	const struct jar_request *r = p->request;
	struct buf out = {0};
	bool multi_release = false;
	for (size_t i = 0; i < p->members.len; i++)
		multi_release = multi_release ||
		                (!p->members.ptr[i].dropped && str_has_prefix(p->members.ptr[i].name, VERSIONS));
	manifest_put(&out, STR("Manifest-Version"), STR("1.0"));
	if (r->main.len) {
		char *main = str_dupz(p->arena, r->main);
		for (char *c = main; *c; c++)
			*c = *c == '-' ? '_' : *c;
		manifest_put(&out, STR("Main-Class"), str_from(main));
	}
	if (multi_release)
		manifest_put(&out, STR("Multi-Release"), STR("true"));
	for (size_t i = 0; i < r->nattributes; i++)
		manifest_put(&out, r->attributes[i].name, r->attributes[i].value);
	buf_addz(&out, "\r\n");
	vec_push(&p->members, (struct jar_member){.name = MANIFEST, .text = str_dup(p->arena, buf_str(&out))});
	buf_release(&out);
}

/* It comes first, so that nothing else has its name. */
static void add_launcher(struct jar_plan *p)
{
	struct buf class = {0};
	struct jar_member m = {.name = jar_launcher(p->arena, p->request->main, &class)};
	m.text = str_dup(p->arena, buf_str(&class));
	map_put(&p->by_name, m.name, p->members.len);
	vec_push(&p->members, m);
	buf_release(&class);
}

static bool check_attributes(const struct jar_request *r, struct err *err)
{
	for (size_t i = 0; i < r->nattributes; i++) {
		struct str name = r->attributes[i].name, value = r->attributes[i].value;
		bool good = name.len > 0 && name.len <= 70 && *name.ptr != '-' && *name.ptr != '_';
		for (size_t k = 0; k < name.len; k++)
			good = good && (name.ptr[k] == '-' || name.ptr[k] == '_' ||
			                (name.ptr[k] >= '0' && name.ptr[k] <= '9') ||
			                ((name.ptr[k] | 32) >= 'a' && (name.ptr[k] | 32) <= 'z'));
		if (!good)
			return err_set(err, ERR_USER, "\"%.*s\" can't be the name of a manifest's attribute",
			               STR_ARG(name));
		if (str_find(value, '\n') < value.len || str_find(value, '\r') < value.len ||
		    str_find(value, 0) < value.len)
			return err_set(err, ERR_USER,
			               "the value of the manifest's attribute \"%.*s\" has several lines",
			               STR_ARG(name));
	}
	return true;
}

bool jar_plan(struct jar_plan *p, struct err *err)
{
	const struct jar_request *r = p->request;
	bool ok = check_attributes(r, err);
	for (size_t i = 0; i < r->ninputs; i++) {
		struct str label = r->inputs[i].label.len ? r->inputs[i].label : str_from(r->inputs[i].path);
		vec_push(&p->sources, (struct jar_source){.input = &r->inputs[i], .label = label});
	}
	if (ok && r->launcher)
		add_launcher(p);
	for (uint32_t i = 0; ok && i < r->ninputs; i++)
		ok = collect(p, i, err);
	for (size_t i = 0; ok && i < p->members.len; i++)
		drop_stale(p, &p->members.ptr[i]);
	for (size_t i = 0; ok && i < p->members.len; i++) {
		struct str name = p->members.ptr[i].name;
		bool licence = is_licence(name);
		if (licence || is_service(name) || is_readers(name))
			ok = merge_one(p, &p->members.ptr[i], licence, err);
	}
	if (!ok)
		return false;
	add_manifest(p);
	if (!check_names(p, err))
		return false;
	size_t kept = 0;
	for (size_t i = 0; i < p->members.len; i++)
		if (!p->members.ptr[i].dropped)
			p->members.ptr[kept++] = p->members.ptr[i];
	p->members.len = kept;
	qsort(p->members.ptr, kept, sizeof(*p->members.ptr), by_name);
	if (p->report->notes.len)
		qsort(p->report->notes.ptr, p->report->notes.len, sizeof(*p->report->notes.ptr), by_note);
	return true;
}

void jar_plan_release(struct jar_plan *p)
{
	for (size_t i = 0; i < p->sources.len; i++) {
		zip_close(&p->sources.ptr[i].zip);
		fs_unmap(p->sources.ptr[i].map);
	}
	vec_release(&p->sources);
	vec_release(&p->members);
	vec_release(&p->merged);
	map_release(&p->by_name);
}
