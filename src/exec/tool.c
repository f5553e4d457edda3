#include "exec/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "exec/fetch.h"
#include "os/fs.h"
#include "rules/jar.h"
#include "wire/zip.h"

/* -- zip -- */

struct member {
	struct str name;
	const char *path;              /* a file; else */
	const struct zip_entry *entry; /* of an archive */
	const struct zip *from;
};

struct archive {
	struct arena arena;
	Vec(struct member) members;
	struct str name; /* of the folder being walked */
	const char *path;
};

static bool visit(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct archive *z = ctx;
	(void)sig;
	(void)err;
	vec_push(&z->members, (struct member){.name = str_fmt(&z->arena, "%.*s/%s", STR_ARG(z->name), rel),
	                                      .path = path_join(&z->arena, z->path, rel)});
	return true;
}

static bool add_member(struct archive *z, const char *name, const char *path, struct err *err)
{
	struct file_sig sig;
	if (!fs_stat(path, &sig, err))
		return false;
	z->name = str_from(name);
	z->path = path;
	if (fs_is_dir(&sig))
		return fs_walk(path, visit, z, err);
	vec_push(&z->members, (struct member){.name = str_from(name), .path = path});
	return true;
}

/* The archives stay open to the end of the program. */
static bool add_archive(struct archive *z, const char *prefix, const char *path, struct err *err)
{
	struct zip *from = arena_new(&z->arena, struct zip);
	struct str bytes, p = str_from(prefix);
	/* Sources of the workspace are named as their owner knows them. */
	struct str label = str_from(path);
	if (str_has_prefix(label, STR("src/")))
		label = str_drop(label, 4);
	if (!fs_map(path, &bytes, err) || !zip_open(label, bytes, from, err))
		return false;
	const char *slash = p.len && p.ptr[p.len - 1] != '/' ? "/" : "";
	for (size_t i = 0; i < from->entries.len; i++) {
		const struct zip_entry *e = &from->entries.ptr[i];
		if (e->name.len && e->name.ptr[e->name.len - 1] == '/')
			continue;
		struct str name = str_fmt(&z->arena, "%.*s%s%.*s", STR_ARG(p), slash, STR_ARG(e->name));
		vec_push(&z->members, (struct member){.name = name, .entry = e, .from = from});
	}
	return true;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static bool check_names(const struct archive *z, struct err *err)
{
	for (size_t i = 0; i < z->members.len; i++) {
		struct str name = z->members.ptr[i].name;
		const char *bad = zip_bad_name(name);
		if (bad)
			return err_set(err, ERR_USER, "\"%.*s\" cannot be a name in an archive: %s", STR_ARG(name),
			               bad);
		if (i && str_eq(name, z->members.ptr[i - 1].name))
			return err_set(err, ERR_USER, "two files would be \"%.*s\" in the archive", STR_ARG(name));
	}
	return true;
}

static bool put_members(const struct archive *z, struct buf *out, struct err *err)
{
	struct zip_writer w = {.sink = zip_sink_buf(out)};
	struct buf content = {0}, packed = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < z->members.len; i++) {
		struct zip_piece piece;
		buf_clear(&content);
		buf_clear(&packed);
		const struct member *m = &z->members.ptr[i];
		ok = m->entry ? zip_read(m->from, m->entry, &content, err) : fs_read(m->path, &content, err);
		if (ok) {
			zip_pack(buf_str(&content), ZIP_LEVEL, &packed, &piece);
			ok = zip_put(&w, m->name, &piece, err);
		}
	}
	ok = ok && zip_finish(&w, err);
	zip_writer_release(&w);
	buf_release(&content);
	buf_release(&packed);
	return ok;
}

static bool tool_zip(int argc, char **argv, struct err *err)
{
	struct archive z = {0};
	struct buf bytes = {0};
	bool ok = argc >= 2 && argc % 3 == 2;
	if (!ok)
		err_set(err, ERR_BUG, "zip: bad arguments");
	for (int i = 2; ok && i < argc; i += 3)
		ok = strcmp(argv[i], "--archive") == 0 ? add_archive(&z, argv[i + 1], argv[i + 2], err)
		                                       : add_member(&z, argv[i + 1], argv[i + 2], err);
	if (z.members.len)
		qsort(z.members.ptr, z.members.len, sizeof(*z.members.ptr), by_name);
	ok = ok && check_names(&z, err) && put_members(&z, &bytes, err) &&
	     fs_write_atomic(argv[0], buf_str(&bytes), 0644, false, err);
	buf_release(&bytes);
	vec_release(&z.members);
	arena_release(&z.arena);
	return ok;
}

/* -- jar -- */

#define MAX_THREADS 256

/* What the options of `jar` say, while they are read. */
struct jar_options {
	struct jar_request request;
	struct jar_input *inputs;
	struct jar_attribute *attributes;
	StrVec exclude;
	struct arena *arena;
};

static void add_jar_input(struct jar_options *o, const char *option, char **argv)
{
	struct jar_input in = {.label = str_from(argv[1]), .path = argv[2]};
	in.trusted = strcmp(option, "--trusted") == 0;
	in.archive = in.trusted || strcmp(option, "--jar") == 0;
	if (strcmp(option, "--one") == 0) {
		StrVec *files = arena_new(o->arena, StrVec);
		vec_push(files, str_from(argv[2]));
		in = (struct jar_input){.path = argv[1], .files = files};
	}
	o->inputs[o->request.ninputs++] = in;
}

static void release_inputs(struct jar_options *o)
{
	for (size_t i = 0; i < o->request.ninputs; i++)
		if (o->inputs[i].files)
			vec_release((StrVec *)(uintptr_t)o->inputs[i].files);
	vec_release(&o->exclude);
}

/* Takes one option with its values; returns how many words, 0 for none that there is. */
static int read_jar_option(struct jar_options *o, char **argv, int left)
{
	const char *option = argv[0];
	if (left >= 2 && (strcmp(option, "--main") == 0 || strcmp(option, "--launcher") == 0)) {
		o->request.main = str_from(argv[1]);
		o->request.launcher = strcmp(option, "--launcher") == 0;
		return 2;
	}
	if (left >= 2 && strcmp(option, "--exclude") == 0) {
		vec_push(&o->exclude, str_from(argv[1]));
		o->request.exclude = &o->exclude;
		return 2;
	}
	if (left >= 2 && strcmp(option, "--threads") == 0) {
		uint64_t n;
		if (!str_to_u64(str_from(argv[1]), &n) || n > MAX_THREADS)
			return 0;
		o->request.threads = (unsigned)n;
		return 2;
	}
	if (left >= 3 && strcmp(option, "--entry") == 0) {
		o->attributes[o->request.nattributes++] = (struct jar_attribute){str_from(argv[1]), str_from(argv[2])};
		return 3;
	}
	static const char *const inputs[] = {"--dir", "--jar", "--trusted", "--one"};
	for (size_t i = 0; left >= 3 && i < ARRAY_LEN(inputs); i++)
		if (strcmp(option, inputs[i]) == 0) {
			add_jar_input(o, option, argv);
			return 3;
		}
	return 0;
}

/* Most often the jar is the last thing to do: what the machine has is free. The bytes are the same. */
static unsigned packing_threads(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return (unsigned)MAX(1, MIN(cores, 8));
}

static bool tool_jar(int argc, char **argv, struct err *err)
{
	struct arena a = {0};
	struct jar_options o = {.arena = &a, .request = {.threads = packing_threads()}};
	o.request.inputs = o.inputs = arena_new_n(&a, struct jar_input, (size_t)argc + 1);
	o.request.attributes = o.attributes = arena_new_n(&a, struct jar_attribute, (size_t)argc + 1);
	struct jar_report report = {0};
	int taken = 1;
	for (int i = 2; i < argc && taken; i += taken)
		taken = read_jar_option(&o, argv + i, argc - i);
	bool ok = argc >= 2 && taken;
	if (!ok)
		err_set(err, ERR_BUG, "jar: bad arguments");
	ok = ok && jar_write(&a, &o.request, argv[0], &report, err);
	struct buf text = {0};
	for (size_t i = 0; ok && i < report.notes.len; i++) {
		jar_note_text(&report.notes.ptr[i], &text);
		if (text.len && text.ptr[text.len - 1] != '\n')
			buf_addc(&text, '\n');
	}
	fwrite(buf_cstr(&text), 1, text.len, stderr);
	buf_release(&text);
	jar_report_release(&report);
	release_inputs(&o);
	arena_release(&a);
	return ok;
}

static bool tool_fetch(int argc, char **argv, struct err *err)
{
	struct digest want;
	if (argc < 3 || !digest_parse(str_from(argv[1]), &want))
		return err_set(err, ERR_BUG, "fetch: bad arguments");
	for (int i = 2; i < argc; i++)
		if (fetch_file(argv[i], &want, argv[0], err))
			return true;
	return false;
}

int tool_main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*run)(int argc, char **argv, struct err *err);
	} tools[] = {{"fetch", tool_fetch}, {"zip", tool_zip}, {"jar", tool_jar}};
	struct err err = {0};
	bool ok = false, found = false;
	for (size_t i = 0; argc > 2 && i < ARRAY_LEN(tools); i++)
		if (strcmp(argv[2], tools[i].name) == 0) {
			found = true;
			ok = tools[i].run(argc - 3, argv + 3, &err);
		}
	if (!found)
		err_set(&err, ERR_BUG, "there is no such tool");
	if (ok)
		return 0;
	struct buf text = {0};
	err_format(&err, &text);
	fwrite(buf_cstr(&text), 1, text.len, stderr);
	int code = err_exit_code(err.kind);
	buf_release(&text);
	err_clear(&err);
	return code;
}
