/* pom.xml: its coordinates and folders. The rest is the resolver's, which reads the file itself. */
#include <expat.h>

#include "front/deps_impl.h"

struct parsing {
	struct deps_project *d;
	XML_Parser parser;
	struct buf path; /* "/project/build/sourceDirectory" */
	struct buf text;
	struct str parent_group, parent_version;
};

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attrs)
{
	struct parsing *p = ctx;
	const char *colon = strrchr(name, ':');
	(void)attrs;
	buf_addf(&p->path, "/%s", colon ? colon + 1 : name);
	buf_clear(&p->text);
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int len)
{
	struct parsing *p = ctx;
	buf_add(&p->text, s, (size_t)len);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
	struct parsing *p = ctx;
	struct deps_project *d = p->d;
	struct str path = buf_str(&p->path), text = str_trim(buf_str(&p->text));
	static const struct {
		struct str path;
		size_t offset;
	} fields[] = {
	        {STR("/project/groupId"), offsetof(struct deps_project, group)},
	        {STR("/project/artifactId"), offsetof(struct deps_project, name)},
	        {STR("/project/version"), offsetof(struct deps_project, version)},
	};
	static const struct {
		struct str path;
		size_t offset;
	} lists[] = {
	        {STR("/project/build/sourceDirectory"), offsetof(struct deps_project, sources)},
	        {STR("/project/build/testSourceDirectory"), offsetof(struct deps_project, tests)},
	        {STR("/project/build/resources/resource/directory"), offsetof(struct deps_project, resources)},
	        /* clojure-maven-plugin */
	        {STR("/project/build/plugins/plugin/configuration/sourceDirectories/sourceDirectory"),
	         offsetof(struct deps_project, sources)},
	        {STR("/project/build/plugins/plugin/configuration/testSourceDirectories/testSourceDirectory"),
	         offsetof(struct deps_project, tests)},
	};
	(void)name;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(path, fields[i].path))
			*(struct str *)(void *)((char *)d + fields[i].offset) = str_dup(&d->arena, text);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (str_eq(path, lists[i].path) && text.len) {
			StrVec *v = (StrVec *)(void *)((char *)d + lists[i].offset);
			if (str_search(text, STR("${")) < text.len)
				deps_note(d, "the folder \"%.*s\" depends on a property: left out", STR_ARG(text));
			else
				vec_push(v, str_dup(&d->arena, text));
		}
	if (str_eqc(path, "/project/parent/groupId"))
		p->parent_group = str_dup(&d->arena, text);
	if (str_eqc(path, "/project/parent/version"))
		p->parent_version = str_dup(&d->arena, text);
	p->path.len = str_rfind(path, '/');
	p->path.ptr[p->path.len] = 0;
	buf_clear(&p->text);
}

/* Entities make a small file large, and no pom.xml has a document type. */
static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has)
{
	struct parsing *p = ctx;
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has;
	XML_StopParser(p->parser, XML_FALSE);
}

bool deps_read_pom(struct deps_project *d, struct err *err)
{
	struct parsing p = {.d = d, .parser = XML_ParserCreate(NULL)};
	if (d->text.len > INT32_MAX)
		return err_set(err, ERR_USER, "%.*s is too large", STR_ARG(d->file));
	CHECK(p.parser);
	XML_SetUserData(p.parser, &p);
	XML_SetElementHandler(p.parser, on_start, on_end);
	XML_SetCharacterDataHandler(p.parser, on_text);
	XML_SetStartDoctypeDeclHandler(p.parser, on_doctype);
	bool ok = XML_Parse(p.parser, d->text.ptr ? d->text.ptr : "", (int)d->text.len, 1) == XML_STATUS_OK;
	if (!ok) {
		enum XML_Error code = XML_GetErrorCode(p.parser);
		struct clj at = {.offset = (uint32_t)MAX(XML_GetCurrentByteIndex(p.parser), 0)};
		deps_fail(d, &at, err, "%s",
		          code == XML_ERROR_ABORTED ? "a document type has no place in pom.xml"
		                                    : XML_ErrorString(code));
	}
	XML_ParserFree(p.parser);
	buf_release(&p.path);
	buf_release(&p.text);
	if (!ok)
		return false;
	if (!d->name.len)
		return err_set(err, ERR_USER, "%.*s: the project has no artifactId", STR_ARG(d->file));
	if (!d->group.len)
		d->group = p.parent_group;
	if (!d->version.len)
		d->version = p.parent_version;
	/* Maven's folders; those that are not there are nothing. */
	vec_push(&d->sources, STR("src/main/clojure"));
	vec_push(&d->tests, STR("src/test/clojure"));
	vec_push(&d->java, STR("src/main/java"));
	vec_push(&d->resources, STR("src/main/resources"));
	return true;
}
