#include "rules/target_action.h"

#include <stdlib.h>

static bool is_absolute(struct str path)
{
	return path.len && path.ptr[0] == '/';
}

struct str target_root_path(struct arena *a, const struct target_file_ref *f)
{
	if (is_absolute(f->path))
		return f->path;
	return str_fmt(a, "%s/%.*s", f->producer == NO_ID ? "src" : "gen", STR_ARG(f->path));
}

/* A path below ROOT as seen from `cwd`: what both begin with is left out. */
static struct str seen_from(struct arena *a, struct str cwd, struct str path)
{
	struct buf b = {0};
	struct str here = cwd, there = path, step, part;
	for (;;) {
		struct str here_rest = here, there_rest = there;
		if (!str_cut(&here_rest, '/', &step) || !str_cut(&there_rest, '/', &part) || !str_eq(step, part) ||
		    !there_rest.len)
			break;
		here = here_rest;
		there = there_rest;
	}
	while (str_cut(&here, '/', &step))
		if (step.len)
			buf_addz(&b, "../");
	buf_adds(&b, there);
	struct str ret = str_dup(a, buf_str(&b));
	buf_release(&b);
	return ret;
}

struct str target_exec_path(struct arena *a, struct str cwd, const struct target_file_ref *f)
{
	struct str path = target_root_path(a, f);
	return is_absolute(path) ? path : seen_from(a, cwd, path);
}

struct str target_out_path(struct arena *a, struct str cwd, struct str output)
{
	return seen_from(a, cwd, str_fmt(a, "out/%.*s", STR_ARG(output)));
}

void target_add_input(struct target_action *t, struct target_file_ref f)
{
	for (size_t i = 0; i < t->inputs.len; i++)
		if (t->inputs.ptr[i].producer == f.producer && str_eq(t->inputs.ptr[i].path, f.path))
			return;
	vec_push(&t->inputs, f);
}

void target_command_release(struct target_command *c)
{
	vec_release(&c->words);
	vec_release(&c->env);
	vec_release(&c->files);
}

struct str target_command_file(struct arena *a, struct target_command *c, struct target_file_ref f)
{
	vec_push(&c->files, f);
	return str_fmt(a, "\1%zu\1", c->files.len - 1);
}

struct str target_command_word(struct arena *a, const struct target_command *c, struct str word,
                               struct str (*name)(void *ctx, struct arena *a, const struct target_file_ref *f),
                               void *ctx)
{
	struct buf b = {0};
	struct str part;
	uint64_t index;
	/* Every second part is a number. */
	for (bool is_file = false; str_cut(&word, '\1', &part); is_file = !is_file) {
		if (!is_file)
			buf_adds(&b, part);
		else if (str_to_u64(part, &index) && index < c->files.len)
			buf_adds(&b, name(ctx, a, &c->files.ptr[index]));
		else
			BUG("a word names a file that its command does not have");
	}
	struct str ret = str_dup(a, buf_str(&b));
	buf_release(&b);
	return ret;
}

void target_action_release(struct target_action *t)
{
	vec_release(&t->inputs);
	vec_release(&t->outputs);
	vec_release(&t->argv);
	vec_release(&t->env);
	vec_release(&t->after);
}

struct hasher *target_action_hasher(const struct target_action *t)
{
	struct hasher *h = hasher_new(STR("tenon-target-action-1"));
	hasher_str(h, "mnemonic", str_from(t->mnemonic));
	hasher_str(h, "executor", str_from(t->executor));
	hasher_digest(h, "toolchain", &t->toolchain);
	hasher_str(h, "cwd", t->cwd);
	for (size_t i = 0; i < t->argv.len; i++)
		hasher_str(h, "argv", t->argv.ptr[i]);
	for (size_t i = 0; i < t->env.len; i++)
		hasher_str(h, "env", t->env.ptr[i]);
	for (size_t i = 0; t->worker && i < t->worker->words.len; i++)
		hasher_str(h, "worker", t->worker->words.ptr[i]);
	for (size_t i = 0; t->worker && i < t->worker->env.len; i++)
		hasher_str(h, "worker-env", t->worker->env.ptr[i]);
	for (size_t i = 0; i < t->outputs.len; i++) {
		hasher_str(h, t->outputs.ptr[i].tree ? "output-tree" : "output", t->outputs.ptr[i].path);
		hasher_u64(h, "executable", t->outputs.ptr[i].executable);
	}
	return h;
}
