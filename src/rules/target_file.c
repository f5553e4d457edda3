/* Rules that know nothing of a language: commands, files from here and elsewhere, archives, names for programs. */
#include <stdlib.h>

#include "graph/rule.h"
#include "os/fs.h"
#include "rules/target_impl.h"

/* -- words of commands -- */

/* What "$(location :x)" and the like in a command refer to. */
struct expander {
	struct rule_context *c;
	action_id action;
	const struct attr *attr; /* for errors */
	struct str cwd;
};

static struct str exec_name(void *ctx, struct arena *a, const struct target_file_ref *f)
{
	return target_exec_path(a, *(struct str *)ctx, f);
}

static bool named_target(struct expander *x, struct str text, target_id *ret, struct err *err)
{
	struct rule_context *c = x->c;
	struct label label;
	struct err why = {0};
	if (!label_parse(str_trim(text), target_dir(c->an->table, c->id), &label, &why)) {
		rule_err(c, x->attr, err, "%s", buf_cstr(&why.message));
		err_clear(&why);
		return false;
	}
	*ret = target_find(c->an->table, label_str(c->arena, label));
	for (uint32_t i = 0; *ret != NO_TARGET && i < c->target->ndeps; i++)
		if (c->target->deps[i] == *ret)
			return true;
	rule_err(c, x->attr, err, "the command names \"%.*s\", which is none of the target's tools, srcs or deps",
	         STR_ARG(str_trim(text)));
	err_note(err, "add it to :tools if it is run, to :srcs if it is read");
	return false;
}

static bool add_location(struct expander *x, target_id id, struct buf *out, struct err *err)
{
	const FileRefVec *files = &rule_products(x->c, id)->files;
	struct target_action *t = rule_action_get(x->c, x->action);
	if (!files->len)
		return rule_err(x->c, x->attr, err, "\"%.*s\" makes no file",
		                STR_ARG(target_get(x->c->an->table, id)->label));
	for (size_t i = 0; i < files->len; i++) {
		target_add_input(t, files->ptr[i]);
		buf_addf(out, "%s%.*s", i ? " " : "", STR_ARG(target_exec_path(x->c->arena, x->cwd, &files->ptr[i])));
	}
	return true;
}

static bool add_program(struct expander *x, target_id id, struct buf *out, struct err *err)
{
	const struct target_command *run = &rule_products(x->c, id)->run;
	struct target_action *t = rule_action_get(x->c, x->action);
	if (!run->words.len)
		return rule_err(x->c, x->attr, err, "\"%.*s\" is nothing that can be run",
		                STR_ARG(target_get(x->c->an->table, id)->label));
	for (size_t i = 0; i < run->files.len; i++)
		target_add_input(t, run->files.ptr[i]);
	for (size_t i = 0; i < run->env.len; i++)
		vec_push(&t->env, run->env.ptr[i]);
	for (size_t i = 0; i < run->words.len; i++)
		buf_addf(out, "%s%.*s", i ? " " : "",
		         STR_ARG(target_command_word(x->c->arena, run, run->words.ptr[i], exec_name, &x->cwd)));
	return true;
}

/* Replaces "$(location X)" and "$(exe X)"; any other "$(" is the shell's. */
static bool expand(struct expander *x, struct str text, struct str *ret, struct err *err)
{
	static const struct str macros[] = {{"$(location ", 11}, {"$(exe ", 6}};
	struct buf out = {0};
	bool ok = true;
	while (ok && text.len) {
		size_t m = 0;
		while (m < ARRAY_LEN(macros) && !str_has_prefix(text, macros[m]))
			m++;
		if (m == ARRAY_LEN(macros)) {
			buf_addc(&out, text.ptr[0]);
			text = str_drop(text, 1);
			continue;
		}
		size_t end = str_find(text, ')');
		target_id id;
		ok = named_target(x, str_slice(text, macros[m].len, end), &id, err);
		text = str_drop(text, MIN(end + 1, text.len));
		if (ok)
			ok = m == 0 ? add_location(x, id, &out, err) : add_program(x, id, &out, err);
	}
	if (ok)
		*ret = str_dup(x->c->arena, buf_str(&out));
	buf_release(&out);
	return ok;
}

static void add_quoted(struct buf *out, struct str word)
{
	buf_addc(out, '\'');
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '\'')
			buf_addz(out, "'\\''");
		else
			buf_addc(out, word.ptr[i]);
	}
	buf_addc(out, '\'');
}

/* -- commands -- */

/* Words of a request to a worker: parted by white space; '...' and "..." keep it. */
static void split_words(struct arena *a, struct str text, StrVec *out)
{
	struct buf word = {0};
	bool in_word = false;
	char quote = 0;
	for (size_t i = 0; i <= text.len; i++) {
		char ch = i < text.len ? text.ptr[i] : ' ';
		if (quote && ch == quote) {
			quote = 0;
		} else if (!quote && (ch == '\'' || ch == '"')) {
			quote = ch;
			in_word = true;
		} else if (!quote && (ch == ' ' || ch == '\t' || ch == '\n')) {
			if (in_word)
				vec_push(out, str_dup(a, buf_str(&word)));
			buf_clear(&word);
			in_word = false;
		} else {
			buf_addc(&word, ch);
			in_word = true;
		}
	}
	buf_release(&word);
}

/* Puts the variable's value for "$NAME". */
static void replace(struct arena *a, StrVec *words, const char *name, const StrVec *env)
{
	struct str wanted = str_fmt(a, "$%s", name), prefix = str_fmt(a, "%s=", name), value = {0};
	for (size_t i = 0; i < env->len; i++)
		if (str_has_prefix(env->ptr[i], prefix))
			value = str_drop(env->ptr[i], prefix.len);
	for (size_t i = 0; i < words->len; i++) {
		struct str w = words->ptr[i];
		size_t at = str_search(w, wanted);
		if (at < w.len)
			words->ptr[i] = str_fmt(a, "%.*s%.*s%.*s", (int)at, w.ptr, STR_ARG(value),
			                        STR_ARG(str_drop(w, at + wanted.len)));
	}
}

/* The action asks a worker instead of running a shell; the command is the request's arguments. */
static bool ask_worker(struct expander *x, const struct attr *worker, struct str text, struct err *err)
{
	struct target_action *t = rule_action_get(x->c, x->action);
	const struct target_products *p = rule_products(x->c, worker->labels[0]);
	t->worker_label = target_get(x->c->an->table, worker->labels[0])->label;
	if (!p->is_worker)
		return rule_err(x->c, worker, err, "\"%.*s\" is no worker-tool", STR_ARG(t->worker_label));
	t->executor = "worker";
	t->worker = &p->run;
	t->max_workers = p->max_workers;
	for (size_t i = 0; i < p->run.files.len; i++)
		target_add_input(t, p->run.files.ptr[i]);
	split_words(x->c->arena, text, &t->argv);
	static const char *const variables[] = {"OUTS", "OUT", "SRCS"};
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		replace(x->c->arena, &t->argv, variables[i], &t->env);
	return true;
}

static bool shell_text(struct expander *x, const struct attr *cmd, const struct attr *cmds, struct str *ret,
                       struct err *err)
{
	if (cmd) {
		x->attr = cmd;
		return expand(x, cmd->string, ret, err);
	}
	struct buf text = {0};
	bool ok = true;
	x->attr = cmds;
	for (uint32_t i = 0; ok && i < cmds->len; i++) {
		for (uint32_t w = 0; ok && w < cmds->commands[i].argc; w++) {
			struct str word = cmds->commands[i].argv[w], done;
			bool variable = str_eqc(word, "$OUT") || str_eqc(word, "$OUTS") || str_eqc(word, "$SRCS") ||
			                str_eqc(word, "$TMP");
			ok = expand(x, word, &done, err);
			buf_addz(&text, w ? " " : "");
			if (ok && (variable || str_has_prefix(word, STR("$(exe "))))
				buf_adds(&text, done);
			else if (ok)
				add_quoted(&text, done);
		}
		buf_addc(&text, '\n');
	}
	if (ok)
		*ret = str_dup(x->c->arena, buf_str(&text));
	buf_release(&text);
	return ok;
}

static struct str spaced(const struct rule_context *c, struct str cwd, const FileRefVec *files)
{
	struct buf b = {0};
	for (size_t i = 0; i < files->len; i++)
		buf_addf(&b, "%s%.*s", i ? " " : "", STR_ARG(target_exec_path(c->arena, cwd, &files->ptr[i])));
	struct str ret = str_dup(c->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

/* Variables of a command: where its files are, seen from its folder. */
static void command_environment(struct rule_context *c, action_id id, const FileRefVec *srcs, const StrVec *outs)
{
	struct target_action *t = rule_action_get(c, id);
	struct buf all = {0};
	rule_environment(t);
	vec_push(&t->env, str_fmt(c->arena, "SRCS=%.*s", STR_ARG(spaced(c, t->cwd, srcs))));
	for (size_t i = 0; i < outs->len; i++) {
		struct str path = target_out_path(c->arena, t->cwd, outs->ptr[i]);
		if (i == 0)
			vec_push(&t->env, str_fmt(c->arena, "OUT=%.*s", STR_ARG(path)));
		buf_addf(&all, "%s%.*s", i ? " " : "", STR_ARG(path));
	}
	vec_push(&t->env, str_fmt(c->arena, "OUTS=%s", buf_cstr(&all)));
	buf_release(&all);
}

/* One command action: of a genrule, or of a workspace's own rule. */
static bool make_command(struct rule_context *c, const struct attr *attrs, uint32_t n, const StrVec *outs,
                         const char *step, struct err *err)
{
	const struct attr *cmd = attr_find(attrs, n, "cmd"), *cmds = attr_find(attrs, n, "cmds");
	const struct attr *worker = attr_find(attrs, n, "worker"), *executable = attr_find(attrs, n, "executable");
	action_id id = rule_action_new(c, "genrule", "command", step);
	struct target_action *t = rule_action_get(c, id);
	struct str dir = target_dir(c->an->table, c->id);
	FileRefVec srcs = {0};
	rule_files(c, attr_find(attrs, n, "srcs"), &srcs);
	for (size_t i = 0; i < srcs.len; i++)
		target_add_input(t, srcs.ptr[i]);
	FileRefVec tools = {0};
	rule_files(c, attr_find(attrs, n, "tools"), &tools);
	for (size_t i = 0; i < tools.len; i++)
		target_add_input(t, tools.ptr[i]);
	vec_release(&tools);
	if (!worker)
		t->cwd = dir.len ? str_fmt(c->arena, "src/%.*s", STR_ARG(dir)) : STR("src");
	command_environment(c, id, &srcs, outs);
	vec_release(&srcs);
	rule_environment_attr(c->arena, &t->env, attr_find(attrs, n, "env"));
	for (size_t i = 0; i < outs->len; i++) {
		rule_output(c, id, outs->ptr[i], false);
		vec_last(&rule_action_get(c, id)->outputs).executable = executable && executable->boolean;
		rule_add_file(&c->products->files, (struct target_file_ref){.path = outs->ptr[i], .producer = id});
	}
	struct expander x = {.c = c, .action = id, .cwd = t->cwd};
	struct str text;
	if (!shell_text(&x, cmd, cmds, &text, err))
		return false;
	if (worker)
		return ask_worker(&x, worker, text, err);
	static const char *const shell[] = {"/bin/sh", "-e", "-c", NULL};
	rule_words(t, shell);
	vec_push(&t->argv, text);
	return true;
}

static void run_first_file(struct rule_context *c)
{
	struct target_products *p = c->products;
	if (p->files.len)
		vec_push(&p->run.words, target_command_file(c->arena, &p->run, p->files.ptr[0]));
}

bool rule_genrule(struct rule_context *c, struct err *err)
{
	StrVec outs = {0};
	for (uint32_t i = 0; i < c->target->nouts; i++)
		vec_push(&outs, c->target->outs[i]);
	bool ok = make_command(c, c->target->attrs, c->target->nattrs, &outs, "", err);
	vec_release(&outs);
	if (ok)
		run_first_file(c);
	return ok;
}

static struct str below_package(const struct rule_context *c, struct str path)
{
	struct str dir = target_dir(c->an->table, c->id);
	return dir.len ? str_fmt(c->arena, "%.*s/%.*s", STR_ARG(dir), STR_ARG(path)) : path;
}

/* A workspace's own rule: its function has returned actions. */
bool rule_own(struct rule_context *c, struct err *err)
{
	for (uint32_t i = 0; i < c->target->nactions; i++) {
		const struct rule_action *a = &c->target->actions[i];
		const struct attr *several = attr_find(a->attrs, a->nattrs, "outs");
		const struct attr *one = attr_find(a->attrs, a->nattrs, "out");
		StrVec outs = {0};
		for (uint32_t o = 0; several && o < several->len; o++)
			vec_push(&outs, below_package(c, several->strings[o]));
		if (one)
			vec_push(&outs, below_package(c, one->string));
		struct str step = c->target->nactions > 1 ? str_fmt(c->arena, "%u", i + 1) : (struct str){"", 0};
		bool ok = make_command(c, a->attrs, a->nattrs, &outs, step.ptr, err);
		vec_release(&outs);
		if (!ok)
			return false;
	}
	run_first_file(c);
	return true;
}

/* -- files -- */

static void sole_product(struct rule_context *c, action_id id)
{
	rule_output(c, id, rule_out(c, 0), false);
	rule_add_file(&c->products->files, (struct target_file_ref){.path = rule_out(c, 0), .producer = id});
}

bool rule_export_file(struct rule_context *c, struct err *err)
{
	const struct attr *src = target_attr(c->target, "src");
	FileRefVec files = {0};
	rule_files(c, src, &files);
	if (!src) {
		struct str path = below_package(c, c->target->name);
		vec_push(&files, (struct target_file_ref){.path = path, .producer = NO_ID});
	}
	bool ok = files.len == 1;
	if (ok) {
		action_id id = rule_action_new(c, "copy", "local", "");
		target_add_input(rule_action_get(c, id), files.ptr[0]);
		rule_words(rule_action_get(c, id), (const char *const[]){"copy", NULL});
		sole_product(c, id);
		run_first_file(c);
	} else {
		rule_err(c, src, err, "\"%.*s\" stands for %zu files, an export-file gives one",
		         STR_ARG(c->target->label), files.len);
	}
	vec_release(&files);
	return ok;
}

bool rule_remote_file(struct rule_context *c, struct err *err)
{
	struct str sum = target_string(c->target, "sha256", (struct str){0});
	struct digest d;
	if (!digest_parse(sum, &d))
		return rule_err(c, target_attr(c->target, "sha256"), err,
		                "\"%.*s\" is no SHA-256: 64 hexadecimal digits", STR_ARG(sum));
	action_id id = rule_action_new(c, "fetch", "command", "");
	struct target_action *t = rule_action_get(c, id);
	const struct attr *urls = target_attr(c->target, "urls");
	rule_tool(t, "fetch");
	vec_push(&t->argv, target_out_path(c->arena, t->cwd, rule_out(c, 0)));
	vec_push(&t->argv, sum);
	for (uint32_t i = 0; urls && i < urls->len; i++)
		vec_push(&t->argv, urls->strings[i]);
	if (!urls)
		vec_push(&t->argv, target_string(c->target, "url", (struct str){0}));
	rule_environment(t);
	t->reads_anywhere = true;
	sole_product(c, id);
	vec_last(&rule_action_get(c, id)->outputs).executable = target_bool(c->target, "executable", false);
	run_first_file(c);
	return true;
}

/* The name of a file in an archive: its path below the package, or below the folder of outputs. */
static struct str name_in_zip(const struct rule_context *c, struct str path)
{
	struct str strip = target_string(c->target, "strip-prefix", (struct str){0});
	struct str prefix = target_string(c->target, "prefix", (struct str){0});
	path = path_below(path, target_dir(c->an->table, c->id));
	path = path_below(path, strip);
	bool slash = prefix.len && prefix.ptr[prefix.len - 1] != '/';
	return prefix.len ? str_fmt(c->arena, "%.*s%s%.*s", STR_ARG(prefix), slash ? "/" : "", STR_ARG(path)) : path;
}

bool rule_zip_file(struct rule_context *c, struct err *err)
{
	(void)err;
	action_id id = rule_action_new(c, "zip", "command", "");
	struct target_action *t = rule_action_get(c, id);
	FileRefVec files = {0}, archives = {0};
	rule_files(c, target_attr(c->target, "srcs"), &files);
	rule_files(c, target_attr(c->target, "zip-srcs"), &archives);
	rule_tool(t, "zip");
	vec_push(&t->argv, target_out_path(c->arena, t->cwd, rule_out(c, 0)));
	vec_push(&t->argv, str_from(c->an->tools->packer));
	for (size_t i = 0; i < files.len + archives.len; i++) {
		bool archive = i >= files.len;
		const struct target_file_ref *f = archive ? &archives.ptr[i - files.len] : &files.ptr[i];
		target_add_input(t, *f);
		vec_push(&t->argv, archive ? STR("--archive") : STR("--file"));
		vec_push(&t->argv,
		         archive ? target_string(c->target, "prefix", (struct str){0}) : name_in_zip(c, f->path));
		vec_push(&t->argv, target_exec_path(c->arena, t->cwd, f));
	}
	vec_release(&files);
	vec_release(&archives);
	rule_environment(t);
	sole_product(c, id);
	return true;
}

/* -- names for programs -- */

static bool add_program_of(struct rule_context *c, struct err *err)
{
	const struct attr *exe = target_attr(c->target, "exe"), *args = target_attr(c->target, "args");
	const struct target_products *p = rule_products(c, exe->labels[0]);
	/* Programs are not made for a prompt. */
	if (!p->run.words.len && c->an->tools->want_sources)
		return true;
	if (!p->run.words.len)
		return rule_err(c, exe, err, "\"%.*s\" is nothing that can be run",
		                STR_ARG(target_get(c->an->table, exe->labels[0])->label));
	rule_add_command(&c->products->run, &p->run, c->arena);
	for (uint32_t i = 0; args && i < args->len; i++)
		vec_push(&c->products->run.words, args->strings[i]);
	rule_environment_attr(c->arena, &c->products->run.env, target_attr(c->target, "env"));
	return true;
}

bool rule_command_alias(struct rule_context *c, struct err *err)
{
	return add_program_of(c, err);
}

bool rule_worker_tool(struct rule_context *c, struct err *err)
{
	c->products->is_worker = true;
	c->products->max_workers = (unsigned)MAX(target_int(c->target, "max-workers", 1), 1);
	return add_program_of(c, err);
}
