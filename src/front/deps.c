#include "front/deps.h"

#include <stdarg.h>

#include "front/deps_impl.h"
#include "front/deps_members.h"
#include "os/fs.h"

const char *deps_file_name(enum deps_kind k)
{
	static const char *const names[] = {
	        [DEPS_EDN] = "deps.edn", [DEPS_LEIN] = "project.clj", [DEPS_POM] = "pom.xml"};
	return names[k];
}

void deps_project_release(struct deps_project *d)
{
	deps_members_release(d);
	for (size_t i = 0; i < d->deps.len; i++)
		vec_release(&d->deps.ptr[i].exclusions);
	for (size_t i = 0; i < d->managed.len; i++)
		vec_release(&d->managed.ptr[i].exclusions);
	vec_release(&d->managed);
	vec_release(&d->chosen);
	vec_release(&d->sources);
	vec_release(&d->tests);
	vec_release(&d->java);
	vec_release(&d->resources);
	vec_release(&d->deps);
	vec_release(&d->locals);
	vec_release(&d->gits);
	for (size_t i = 0; i < d->starts.len; i++) {
		vec_release(&d->starts.ptr[i].args);
		vec_release(&d->starts.ptr[i].jvm);
	}
	vec_release(&d->starts);
	vec_release(&d->jvm_options);
	vec_release(&d->test_jvm_options);
	vec_release(&d->repositories);
	vec_release(&d->selectors);
	vec_release(&d->aot);
	vec_release(&d->notes);
	arena_release(&d->arena);
	*d = (struct deps_project){0};
}

bool deps_fail(const struct deps_project *d, const struct clj *at, struct err *err, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	clj_err(at, d->file, d->text, err, "%s", buf_cstr(&b));
	buf_release(&b);
	return false;
}

void deps_note(struct deps_project *d, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	vec_push(&d->notes, str_dup(&d->arena, buf_str(&b)));
	buf_release(&b);
}

bool deps_lib(struct deps_project *d, const struct clj *c, struct deps_dep *ret, struct err *err)
{
	if (c->kind != CLJ_SYMBOL)
		return deps_fail(d, c, err, "the name of a library must be a symbol such as org.clojure/clojure");
	struct str text = c->text;
	size_t slash = str_find(text, '/'), dollar = str_find(text, '$');
	*ret = (struct deps_dep){.group = str_slice(text, 0, MIN(slash, dollar)),
	                         .artifact = slash < text.len ? str_slice(text, slash + 1, dollar)
	                                                      : str_slice(text, 0, dollar),
	                         .classifier = str_drop(text, MIN(dollar + 1, text.len))};
	clj_place(d->text, c->offset, &ret->line, &ret->col, NULL);
	return true;
}

bool deps_strings(struct deps_project *d, const struct clj *c, StrVec *ret, struct err *err)
{
	if (!c)
		return true;
	if (!clj_is_sequence(c) && c->kind != CLJ_SET)
		return deps_fail(d, c, err, "a list of strings must stand here");
	for (uint32_t i = 0; i < c->len; i++) {
		if (c->items[i]->kind != CLJ_STRING)
			return deps_fail(d, c->items[i], err, "a string must stand here");
		vec_push(ret, c->items[i]->text);
	}
	return true;
}

bool deps_read_text(struct deps_project *d, enum deps_kind kind, struct str path, struct str text, struct err *err)
{
	d->kind = kind;
	d->file = str_dup(&d->arena, path);
	d->text = str_dup(&d->arena, text);
	switch (kind) {
	case DEPS_EDN:
		return deps_read_edn(d, err);
	case DEPS_LEIN:
		return deps_read_lein(d, err);
	case DEPS_POM:
		return deps_read_pom(d, err);
	}
	BUG("unknown kind %d", (int)kind);
}

bool deps_read(struct deps_project *d, enum deps_kind kind, const char *dir, struct err *err)
{
	struct buf text = {0};
	char *path = path_join(&d->arena, dir, deps_file_name(kind));
	bool ok = fs_read(path, &text, err) && deps_read_text(d, kind, str_from(path), buf_str(&text), err);
	buf_release(&text);
	return ok;
}
