/* Rules for Java: jars that are there, libraries, programs. */
#include <stdlib.h>

#include "lang/glob.h"
#include "os/fs.h"
#include "rules/target_impl.h"

bool rule_jar(struct rule_context *c, struct err *err)
{
	const struct attr *jar = target_attr(c->target, "jar");
	FileRefVec files = {0};
	rule_files(c, jar, &files);
	bool ok = files.len == 1;
	if (ok) {
		rule_add_files(&c->products->files, &files);
		rule_add_files(&c->products->classpath, &files);
		rule_add_classpath(c, "deps", &c->products->classpath);
		rule_add_files(&c->products->runtime, &files);
		rule_add_runtime(c, "deps", &c->products->runtime);
	} else {
		rule_err(c, jar, err, "\"%.*s\" stands for %zu files, a jar is one", STR_ARG(c->target->label),
		         files.len);
	}
	vec_release(&files);
	return ok;
}

void rule_add_classpath(const struct rule_context *c, const char *attr, FileRefVec *out)
{
	const struct attr *deps = target_attr(c->target, attr);
	for (uint32_t i = 0; deps && i < deps->len; i++)
		rule_add_files(out, &rule_products(c, deps->labels[i])->classpath);
}

void rule_add_runtime(const struct rule_context *c, const char *attr, FileRefVec *out)
{
	const struct attr *deps = target_attr(c->target, attr);
	for (uint32_t i = 0; deps && i < deps->len; i++)
		rule_add_files(out, &rule_products(c, deps->labels[i])->runtime);
}

struct str rule_classpath_text(struct rule_context *c, action_id id, const FileRefVec *classpath)
{
	struct target_action *t = rule_action_get(c, id);
	struct buf b = {0};
	for (size_t i = 0; i < classpath->len; i++) {
		target_add_input(t, classpath->ptr[i]);
		buf_addf(&b, "%s%.*s", i ? ":" : "", STR_ARG(target_exec_path(c->arena, t->cwd, &classpath->ptr[i])));
	}
	struct str ret = str_dup(c->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

/* "jbx/lib.jar" gives "jbx/lib.classes"; where Clojure's are in folders below that, "jbx/lib.java-classes". */
static struct str classes_of(const struct rule_context *c)
{
	struct str jar = rule_out(c, 0);
	if (str_has_suffix(jar, STR(".jar")))
		jar = str_slice(jar, 0, jar.len - 4);
	bool clojure = str_has_prefix(c->target->rule, STR("clj-"));
	return str_fmt(c->arena, "%.*s.%sclasses", STR_ARG(jar), clojure ? "java-" : "");
}

bool rule_find_jdk(struct rule_context *c, struct err *err)
{
	struct err why = {0};
	if (c->an->tools->find_jdk(c->an->tools, &why))
		return true;
	err_move(err, &why);
	err_note(err, "\"%.*s\" needs it", STR_ARG(c->target->label));
	return false;
}

/* The compiler on Java sources; the folder of classes in *ret. */
bool rule_javac(struct rule_context *c, const char *srcs_attr, struct target_file_ref *ret, struct err *err)
{
	/* A compiler that runs for a second needs no optimising compiler and no parallel collector. */
	static const char *const options[] = {"-J-XX:TieredStopAtLevel=1",
	                                      "-J-XX:+UseSerialGC",
	                                      "-encoding",
	                                      "UTF-8",
	                                      "-implicit:none",
	                                      "-sourcepath",
	                                      "",
	                                      NULL};
	FileRefVec srcs = {0}, classpath = {0};
	if (!rule_find_jdk(c, err))
		return false;
	action_id id = rule_action_new(c, "javac", "command", "javac");
	struct target_action *t = rule_action_get(c, id);
	t->toolchain = c->an->tools->jdk;
	t->cwd = STR("src");
	t->output_is_warning = true;
	rule_environment(t);
	vec_push(&t->argv, c->an->tools->javac);
	rule_words(t, options);
	struct str classes = classes_of(c);
	rule_output(c, id, classes, true);
	vec_push(&t->argv, STR("-d"));
	vec_push(&t->argv, target_out_path(c->arena, t->cwd, classes));
	rule_add_classpath(c, "deps", &classpath);
	rule_add_classpath(c, "provided-deps", &classpath);
	vec_push(&t->argv, STR("-classpath"));
	vec_push(&t->argv, rule_classpath_text(c, id, &classpath));
	int64_t release = target_int(c->target, "release", 0);
	if (release) {
		vec_push(&t->argv, STR("--release"));
		vec_push(&t->argv, str_fmt(c->arena, "%lld", (long long)release));
	}
	const struct attr *processors = target_attr(c->target, "processors");
	vec_push(&t->argv, processors ? STR("-processor") : STR("-proc:none"));
	for (uint32_t i = 0; processors && i < processors->len; i++)
		vec_push(&t->argv, processors->strings[i]);
	const struct attr *more = target_attr(c->target, "javac-options");
	for (uint32_t i = 0; more && i < more->len; i++)
		vec_push(&t->argv, more->strings[i]);
	rule_files(c, target_attr(c->target, srcs_attr), &srcs);
	for (size_t i = 0; i < srcs.len; i++) {
		target_add_input(t, srcs.ptr[i]);
		vec_push(&t->argv, target_exec_path(c->arena, t->cwd, &srcs.ptr[i]));
	}
	vec_release(&srcs);
	vec_release(&classpath);
	*ret = (struct target_file_ref){.path = classes, .producer = id, .tree = true};
	return true;
}

/* -- jars -- */

action_id rule_jar_begin(struct rule_context *c, const char *step)
{
	action_id id = rule_action_new(c, "jar", "command", step);
	struct target_action *t = rule_action_get(c, id);
	rule_tool(t, "jar");
	vec_push(&t->argv, target_out_path(c->arena, t->cwd, rule_out(c, 0)));
	vec_push(&t->argv, str_from(c->an->tools->packer));
	t->output_is_warning = true;
	/* Ten thousand classes take longer to lay out than to pack. */
	t->in_place = true;
	t->reads_anywhere = true;
	rule_environment(t);
	rule_output(c, id, rule_out(c, 0), false);
	return id;
}

void rule_jar_add(struct rule_context *c, action_id id, const struct target_file_ref *f)
{
	struct target_action *t = rule_action_get(c, id);
	/* What an action of ours packed need not be read to be believed. */
	bool trusted = f->producer != NO_ID && str_eqc(str_from(c->an->actions.ptr[f->producer].mnemonic), "jar");
	target_add_input(t, *f);
	vec_push(&t->argv, f->tree ? STR("--dir") : trusted ? STR("--trusted") : STR("--jar"));
	vec_push(&t->argv, f->path);
	vec_push(&t->argv, target_exec_path(c->arena, t->cwd, f));
}

void rule_jar_add_libraries(struct rule_context *c, action_id id)
{
	FileRefVec classpath = {0};
	rule_add_classpath(c, "deps", &classpath);
	for (size_t i = 0; i < classpath.len; i++)
		rule_jar_add(c, id, &classpath.ptr[i]);
	vec_release(&classpath);
}

/* Where the class path begins that a resource lies on: a declared root, the usual folders, or the package. */
static struct str resource_root(const struct rule_context *c, struct str path)
{
	static const struct str usual[] = {{"src/main/resources", 18}, {"src/test/resources", 18}, {"resources", 9}};
	const struct attr *roots = target_attr(c->target, "source-roots");
	struct str dir = target_dir(c->an->table, c->id);
	for (uint32_t i = 0; i < (roots ? roots->len : 0) + ARRAY_LEN(usual); i++) {
		uint32_t n = roots ? roots->len : 0;
		struct str root = i < n ? roots->strings[i] : usual[i - n];
		if (dir.len)
			root = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(dir), STR_ARG(root));
		if (!str_eq(path_below(path, root), path))
			return root;
	}
	return dir;
}

static void add_resources(struct rule_context *c, action_id id, bool made_only)
{
	struct target_action *t = rule_action_get(c, id);
	FileRefVec files = {0};
	rule_files(c, target_attr(c->target, "resources"), &files);
	for (size_t i = 0; i < files.len; i++) {
		const struct target_file_ref *f = &files.ptr[i];
		if (made_only && f->producer == NO_ID)
			continue;
		struct str root = resource_root(c, f->path);
		struct target_file_ref folder = {.path = root, .producer = f->producer};
		struct str seen = root.len ? target_exec_path(c->arena, t->cwd, &folder)
		                           : (f->producer == NO_ID ? STR("src") : STR("gen"));
		target_add_input(t, *f);
		vec_push(&t->argv, STR("--one"));
		vec_push(&t->argv, seen);
		vec_push(&t->argv, root.len ? path_below(f->path, root) : f->path);
	}
	vec_release(&files);
}

void rule_jar_add_resources(struct rule_context *c, action_id id)
{
	add_resources(c, id, false);
}

void rule_jar_add_made_resources(struct rule_context *c, action_id id)
{
	add_resources(c, id, true);
}

struct target_file_ref rule_jar_product(struct rule_context *c, action_id id)
{
	return (struct target_file_ref){.path = rule_out(c, 0), .producer = id};
}

bool rule_java_library(struct rule_context *c, struct err *err)
{
	struct target_file_ref classes;
	if (!rule_javac(c, "srcs", &classes, err))
		return false;
	action_id id = rule_jar_begin(c, "");
	rule_jar_add(c, id, &classes);
	rule_jar_add_resources(c, id);
	rule_add_file(&c->products->files, rule_jar_product(c, id));
	rule_add_file(&c->products->classpath, rule_jar_product(c, id));
	rule_add_classpath(c, "deps", &c->products->classpath);
	rule_add_file(&c->products->runtime, rule_jar_product(c, id));
	rule_add_runtime(c, "deps", &c->products->runtime);
	return true;
}

static bool add_excludes(struct rule_context *c, action_id id, struct err *err)
{
	const struct attr *exclude = target_attr(c->target, "exclude");
	struct target_action *t = rule_action_get(c, id);
	StrVec patterns = {0};
	struct err why = {0};
	for (uint32_t i = 0; exclude && i < exclude->len; i++)
		if (!glob_expand(c->arena, exclude->strings[i], &patterns, &why)) {
			rule_err(c, exclude, err, "\"%.*s\": %.*s", STR_ARG(exclude->strings[i]),
			         STR_ARG(buf_str(&why.message)));
			err_clear(&why);
			vec_release(&patterns);
			return false;
		}
	for (size_t i = 0; i < patterns.len; i++) {
		vec_push(&t->argv, STR("--exclude"));
		vec_push(&t->argv, patterns.ptr[i]);
	}
	vec_release(&patterns);
	return true;
}

bool rule_jar_main(struct rule_context *c, action_id id, struct str main, bool launcher, struct err *err)
{
	struct target_action *t = rule_action_get(c, id);
	const struct attr *entries = target_attr(c->target, "manifest");
	if (main.len) {
		vec_push(&t->argv, launcher ? STR("--launcher") : STR("--main"));
		vec_push(&t->argv, main);
	}
	for (uint32_t i = 0; entries && i < entries->len; i++) {
		vec_push(&t->argv, STR("--entry"));
		vec_push(&t->argv, entries->pairs[i].key);
		vec_push(&t->argv, entries->pairs[i].value);
	}
	return add_excludes(c, id, err);
}

void rule_run_jar(struct rule_context *c, action_id id)
{
	struct target_command *run = &c->products->run;
	const struct attr *options = target_attr(c->target, "jvm-options");
	vec_push(&run->words, c->an->tools->java);
	for (uint32_t i = 0; options && i < options->len; i++)
		vec_push(&run->words, options->strings[i]);
	vec_push(&run->words, STR("-jar"));
	vec_push(&run->words, target_command_file(c->arena, run, rule_jar_product(c, id)));
}

bool rule_java_binary(struct rule_context *c, struct err *err)
{
	struct target_file_ref classes;
	bool own = target_attr(c->target, "srcs") != NULL;
	if (!rule_find_jdk(c, err) || (own && !rule_javac(c, "srcs", &classes, err)))
		return false;
	action_id id = rule_jar_begin(c, "");
	if (!rule_jar_main(c, id, target_string(c->target, "main", (struct str){0}), false, err))
		return false;
	if (own)
		rule_jar_add(c, id, &classes);
	rule_jar_add_resources(c, id);
	rule_jar_add_libraries(c, id);
	rule_add_file(&c->products->files, rule_jar_product(c, id));
	rule_run_jar(c, id);
	return true;
}
