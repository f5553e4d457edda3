/* build, test, run, targets and query where there is a workspace of targets. */
#include "cli/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/query_lang.h"
#include "cli/reporter.h"
#include "front/clojure.h"
#include "os/fs.h"
#include "wire/json.h"

static const struct str everything = {"//...", 5};

/* Where the targets are: in a workspace, or in a Clojure project that has no BUILD files. */
static bool find_root(struct cli *cli, struct targets_request *q, struct str *ret_root)
{
	if (buildfile_find_root(&cli->arena, cli->directory, ret_root, &q->here))
		return true;
	*ret_root = str_from(cli->directory);
	q->is_project = project_find(cli->directory, &q->project_kind);
	return q->is_project;
}

/* Systems that ASDF describes come first where nothing else was said. */
static bool has_systems(struct cli *cli)
{
	StrVec names = {0};
	bool found = false;
	if (fs_list(&cli->arena, cli->directory, &names, NULL))
		for (size_t i = 0; i < names.len && !found; i++)
			found = str_has_suffix(names.ptr[i], STR(".asd"));
	vec_release(&names);
	return found;
}

bool cli_is_among_targets(struct cli *cli)
{
	struct str root;
	struct targets_request q = {0};
	return find_root(cli, &q, &root) && !has_systems(cli);
}

bool cli_means_targets(struct cli *cli, size_t from)
{
	const StrVec *args = &cli->options.args;
	struct str root;
	struct targets_request q = {0};
	for (size_t i = from; i < args->len; i++)
		if (target_pattern_looks_like(args->ptr[i]))
			return true;
	return args->len <= from && find_root(cli, &q, &root) && (!q.is_project || !has_systems(cli));
}

/* What makes one request another than the last: filters and aliases too. */
static const char *request_verb(struct cli *cli, const char *verb)
{
	struct buf b = {0};
	buf_addz(&b, verb);
	for (size_t i = 0; i < cli->options.only.len; i++)
		buf_addf(&b, " %.*s", STR_ARG(cli->options.only.ptr[i]));
	for (size_t i = 0; i < cli->options.selectors.len; i++)
		buf_addf(&b, " select %.*s", STR_ARG(cli->options.selectors.ptr[i]));
	for (size_t i = 0; i < cli->chosen.len; i++)
		buf_addf(&b, " :%.*s", STR_ARG(cli->chosen.ptr[i]));
	const char *ret = str_dupz(&cli->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

bool cli_open_targets(struct cli *cli, struct targets *t, const StrVec *patterns, const char *verb, struct err *err)
{
	struct str root;
	struct targets_request q = {.options = cli->build, .verb = verb, .offline = cli->options.offline};
	q.only_tests = cli->options.only;
	q.selectors = cli->options.selectors;
	q.chosen = cli->chosen;
	q.tests_are_main = str_eqc(str_from(verb), "repl") || str_eqc(str_from(verb), "run");
	q.verb = request_verb(cli, verb);
	if (!find_root(cli, &q, &root)) {
		err_set(err, ERR_USER,
		        "there is no workspace here, and no deps.edn, project.clj or pom.xml of Clojure");
		if (has_systems(cli))
			err_note(err, "for the systems of this folder: tenon build, tenon eval --module SYSTEM FORM, "
			              "tenon repl SYSTEM");
		else
			err_note(err, "make a file WORKSPACE in its root, and a BUILD in each folder that has targets");
		return false;
	}
	if (cli->chosen.len && !q.is_project) {
		err_set(err, ERR_USER, "there are BUILD files here: aliases and profiles are not theirs");
		err_note(err, "`tenon import` writes what the project is with an alias: tenon import deps --alias %.*s",
		         STR_ARG(cli->chosen.ptr[0]));
		return false;
	}
	for (size_t i = 0; i < patterns->len; i++)
		vec_push(&cli->targets, patterns->ptr[i]);
	if (!cli->targets.len)
		vec_push(&cli->targets, everything);
	q.options.directory = str_dupz(&cli->arena, root);
	q.options.targets = cli->targets.ptr;
	q.options.ntargets = cli->targets.len;
	if (!targets_init(t, &q, &cli->events.sink, err))
		return false;
	return true;
}

/* The first line of a record, "(ACTIONS FAILED KEPT-GOING)": how many actions failed. False: other actions were not
 * tried then, and would be now. */
static bool read_failures(const struct cli *cli, struct str text, uint64_t *ret)
{
	struct str line, number;
	*ret = 0;
	if (!str_cut(&text, '\n', &line) || !str_cut(&line, ' ', &number) || !str_cut(&line, ' ', &number) ||
	    !str_to_u64(number, ret))
		return true;
	return !*ret || !cli->build.keep_going || str_eqc(line, "1)");
}

/* The quick way: nothing to do, or nothing that would end otherwise than the last time. */
static bool unchanged(struct cli *cli, struct targets *t, int *ret_code)
{
	struct buf text = {0};
	size_t files;
	uint64_t failed;
	bool same = session_unchanged(&t->session, &text, &files) && read_failures(cli, buf_str(&text), &failed);
	if (same) {
		struct reporter reporter = {0};
		reporter_open(&reporter, cli, t->session.state_dir);
		cli_emit_build(cli, EVENT_BUILD_START, OUTCOME_CURRENT, 0);
		uint64_t total = cli_tell_unchanged(cli, buf_str(&text));
		if (failed)
			session_note(&t->session, NOTE_INFO, "nothing has changed since this failed");
		cli_emit_build(cli, EVENT_BUILD_FINISH, failed ? OUTCOME_FAILED : OUTCOME_CURRENT, total);
		reporter_close(&reporter, cli);
		*ret_code = failed ? 1 : 0;
	}
	buf_release(&text);
	return same;
}

static bool build_all(struct cli *cli, struct targets *t, enum targets_purpose purpose, struct err *err)
{
	const struct targets_how how = {.strategy = (enum sched_strategy)cli->options.strategy,
	                                .rerun_tests = cli->options.rerun,
	                                .audit = cli->options.audit};
	return targets_load(t, err) && targets_analyse(t, purpose, err) && targets_build(t, &how, err);
}

/* Builds with progress; the exit code. */
static int build_reported(struct cli *cli, struct targets *t, enum targets_purpose purpose)
{
	struct reporter reporter = {0};
	struct err err = {0};
	reporter_open(&reporter, cli, t->session.state_dir);
	reporter_tick(&reporter, &t->session.options);
	cli_emit_build(cli, EVENT_BUILD_START, OUTCOME_RAN, 0);
	session_tell_change(&t->session);
	bool ok = build_all(cli, t, purpose, &err);
	ok = ok && (purpose != TARGETS_TEST || targets_report_tests(t, cli->options.junit, &err));
	bool good = ok && target_build_succeeded(&t->build);
	cli_emit_build(cli, EVENT_BUILD_FINISH, good ? OUTCOME_RAN : OUTCOME_FAILED, 0);
	progress_hide(reporter.progress);
	int code = good ? 0 : 1;
	if (!ok)
		code = cli_fail(cli, &err);
	err_clear(&err);
	reporter_close(&reporter, cli);
	return code;
}

int cli_build_targets(struct cli *cli)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	bool ok = cli_open_targets(cli, &t, &cli->options.args, "build", &err);
	int code = 0;
	if (!ok)
		code = cli_fail(cli, &err);
	else if (cli->options.audit || !unchanged(cli, &t, &code))
		code = build_reported(cli, &t, TARGETS_BUILD);
	targets_close(&t);
	return code;
}

int command_test(struct cli *cli)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	bool ok = cli_open_targets(cli, &t, &cli->options.args, "test", &err);
	int code = 0;
	if (!ok)
		code = cli_fail(cli, &err);
	else if (cli->options.rerun || cli->options.junit || !unchanged(cli, &t, &code))
		code = build_reported(cli, &t, TARGETS_TEST);
	targets_close(&t);
	return code;
}

/* -- run -- */

/* Replaces this process by the program: terminal, folder and signals are the user's. */
static int become(struct cli *cli, struct targets *t, const char *const *argv, const char *const *env,
                  const StrVec *more)
{
	struct err err = {0};
	size_t n = 0;
	while (argv[n])
		n++;
	const char **all = arena_new_n(&cli->arena, const char *, n + more->len + 1);
	for (size_t i = 0; i < n; i++)
		all[i] = str_dupz(&cli->arena, str_from(argv[i]));
	for (size_t i = 0; i < more->len; i++)
		all[n++] = more->ptr[i].ptr;
	for (size_t i = 0; env && env[i]; i++)
		putenv(str_dupz(&cli->arena, str_from(env[i])));
	targets_close(t);
	execvp(all[0], (char *const *)(uintptr_t)all);
	err_sys(&err, ERR_ENVIRONMENT, "\"%s\" cannot be started", all[0]);
	return cli_fail(cli, &err);
}

/* Does the word mean this program: its name, or the namespace or class that it starts? */
static bool is_meant(const struct build_target *b, struct str word)
{
	return str_eq(b->name, word) || str_eq(target_string(b, "main", (struct str){0}), word);
}

static bool fail_program(size_t n, struct str word, struct nearest *nearest, struct buf *names, struct err *err)
{
	if (word.len)
		err_set(err, ERR_USER, n ? "\"%.*s\" may be any of %zu programs" : "there is no program \"%.*s\"",
		        STR_ARG(word), n);
	else
		err_set(err, ERR_USER, n ? "which program? There are %zu" : "there is no program to run", n);
	if (word.len && !n)
		nearest_note(nearest, err);
	if (names->len)
		err_note(err, "name one of them: %s", buf_cstr(names));
	else
		err_note(err, "a program is a target such as clj-binary, java-binary or lisp-binary; a Clojure project "
		              "gets one for each namespace with a -main");
	return false;
}

/* The program that is meant: the only one, or where `word` is not empty the one of that name or :main. */
static bool find_program(struct cli *cli, struct str word, struct str *ret, struct err *err)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct buf names = {0};
	const StrVec nothing = {0};
	struct nearest nearest;
	size_t n = 0, aliases = 0;
	nearest_init(&nearest, word);
	bool ok = cli_open_targets(cli, &t, &nothing, "targets", err) && targets_load(&t, err);
	for (size_t i = 0; ok && i < t.table.requested.len; i++) {
		const struct build_target *b = target_get(&t.table, t.table.requested.ptr[i]);
		/* A genrule may be anything. */
		if (!b->schema || !b->schema->is_binary || str_eqc(b->rule, "genrule"))
			continue;
		buf_addf(&names, "%s%.*s", names.len ? ", " : "", STR_ARG(b->label));
		nearest_offer(&nearest, b->name);
		nearest_offer(&nearest, target_string(b, "main", (struct str){0}));
		if (word.len && !is_meant(b, word))
			continue;
		/* An alias is another way to start what is there. */
		bool alias = !word.len && str_eqc(b->rule, "command-alias");
		if (n == 0 || !alias)
			*ret = str_dup(&cli->arena, b->label);
		n += !alias;
		aliases += alias;
	}
	n = n ? n : aliases;
	ok = ok && (n == 1 || fail_program(n, word, &nearest, &names, err));
	buf_release(&names);
	vec_clear(&cli->targets);
	targets_close(&t);
	return ok;
}

/* -- aliases of deps.edn -- */

static bool has_source(struct cli *cli, const struct deps_project *d, struct str ns)
{
	struct arena *a = &cli->arena;
	struct str path = clojure_ns_path(a, ns);
	struct file_sig sig;
	for (size_t i = 0; i < d->sources.len; i++)
		for (int c = 0; c < 2; c++) {
			struct str file =
			        str_fmt(a, "%.*s/%.*s.clj%s", STR_ARG(d->sources.ptr[i]), STR_ARG(path), c ? "c" : "");
			if (fs_stat(path_join(a, cli->directory, file.ptr), &sig, NULL) && sig.mode)
				return true;
		}
	return false;
}

/* Is the word an alias that starts something, and something else than a program that is a target? One that changes the
 * class path becomes one of those that are chosen. What is wrong with the description is told when it is loaded. */
static bool is_alias(struct cli *cli, struct str word)
{
	struct targets_request q = {0};
	struct deps_project d = {0};
	struct str root;
	struct err why = {0};
	bool found = false;
	if (find_root(cli, &q, &root) && q.is_project && q.project_kind == DEPS_EDN &&
	    deps_read(&d, DEPS_EDN, cli->directory, &why))
		for (size_t i = 0; i < d.starts.len && !found; i++) {
			const struct deps_start *s = &d.starts.ptr[i];
			if (!str_eq(s->name, word) ||
			    (!s->has_extras && !s->jvm.len && s->ns.len && has_source(cli, &d, s->ns)))
				continue;
			found = true;
			if (s->has_extras)
				vec_push(&cli->chosen, word);
		}
	err_clear(&why);
	deps_project_release(&d);
	return found;
}

/* From the sources, as Clojure's own tool does. */
static int run_alias(struct cli *cli, struct str alias, const StrVec *rest)
{
	static const struct str library = STR("//:lib");
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	const StrVec patterns = {.ptr = (struct str *)(uintptr_t)&library, .len = 1};
	const char **argv;
	bool ok = cli_open_targets(cli, &t, &patterns, "run", &err);
	int code = ok ? build_reported(cli, &t, TARGETS_PROMPT) : cli_fail(cli, &err);
	if (ok && code == 0) {
		if (targets_alias_command(&t, alias, &argv, &err))
			return become(cli, &t, argv, NULL, rest);
		code = cli_fail(cli, &err);
	}
	targets_close(&t);
	return code;
}

int command_run(struct cli *cli)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	StrVec *args = &cli->options.args, rest = {0};
	const char **argv = NULL, **env = NULL;
	cli->options.quiet = !cli->options.verbose;
	bool named = args->len && !str_eqc(args->ptr[0], "--");
	/* "--" may part the target from the program's arguments. */
	for (size_t i = named; i < args->len; i++)
		if (i > named || !str_eqc(args->ptr[i], "--"))
			vec_push(&rest, args->ptr[i]);
	struct str word = named ? args->ptr[0] : STR(""), program = word;
	bool is_label = named && target_pattern_looks_like(word);
	if (named && !is_label && is_alias(cli, word)) {
		int code = run_alias(cli, word, &rest);
		vec_release(&rest);
		return code;
	}
	bool ok = is_label || find_program(cli, word, &program, &err);
	if (ok) {
		vec_clear(args);
		vec_push(args, program);
		ok = cli_open_targets(cli, &t, args, "run", &err);
	}
	int code = ok ? build_reported(cli, &t, TARGETS_BUILD) : cli_fail(cli, &err);
	ok = ok && code == 0;
	if (ok && t.table.requested.len != 1) {
		ok = err_set(&err, ERR_USER, "run takes one target, \"%.*s\" are %zu", STR_ARG(args->ptr[0]),
		             t.table.requested.len);
		code = cli_fail(cli, &err);
	} else if (ok && !targets_run_command(&t, t.table.requested.ptr[0], &argv, &env, &err)) {
		ok = false;
		code = cli_fail(cli, &err);
	}
	if (ok)
		return become(cli, &t, argv, env, &rest);
	vec_release(&rest);
	targets_close(&t);
	return code;
}

int cli_repl_targets(struct cli *cli)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	const struct targets_prompt p = {.headless = cli->options.headless, .port = cli->options.port};
	const char **argv;
	const StrVec nothing = {0};
	cli->options.quiet = !cli->options.verbose;
	bool ok = cli_open_targets(cli, &t, &cli->options.args, "repl", &err);
	int code = ok ? build_reported(cli, &t, TARGETS_PROMPT) : cli_fail(cli, &err);
	if (ok && code == 0) {
		if (targets_prompt_command(&t, &p, &argv, &err))
			return become(cli, &t, argv, NULL, &nothing);
		code = cli_fail(cli, &err);
	}
	targets_close(&t);
	return code;
}

/* -- targets, query -- */

static void targets_json(const struct targets *t, struct buf *out)
{
	struct json j = {.out = out};
	json_array(&j);
	for (size_t i = 0; i < t->table.requested.len; i++) {
		const struct build_target *b = target_get(&t->table, t->table.requested.ptr[i]);
		json_object(&j);
		json_key(&j, "label");
		json_str(&j, b->label);
		json_key(&j, "rule");
		json_str(&j, b->rule);
		json_key(&j, "deps");
		json_array(&j);
		for (uint32_t d = 0; d < b->ndeps; d++)
			json_str(&j, target_get(&t->table, b->deps[d])->label);
		json_end(&j);
		json_key(&j, "outs");
		json_array(&j);
		for (uint32_t o = 0; o < b->nouts; o++)
			json_str(&j, b->outs[o]);
		json_end(&j);
		json_end(&j);
	}
	json_end(&j);
	buf_addc(out, '\n');
}

static void targets_dot(const struct targets *t, struct buf *out)
{
	buf_addz(out, "digraph targets {\n");
	for (size_t i = 0; i < t->table.requested.len; i++) {
		const struct build_target *b = target_get(&t->table, t->table.requested.ptr[i]);
		buf_addf(out, "  \"%.*s\";\n", STR_ARG(b->label));
		for (uint32_t d = 0; d < b->ndeps; d++)
			buf_addf(out, "  \"%.*s\" -> \"%.*s\";\n", STR_ARG(b->label),
			         STR_ARG(target_get(&t->table, b->deps[d])->label));
	}
	buf_addz(out, "}\n");
}

int command_targets(struct cli *cli)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	struct buf out = {0};
	int code = 0;
	if (!cli_open_targets(cli, &t, &cli->options.args, "targets", &err) || !targets_load(&t, &err)) {
		code = cli_fail(cli, &err);
	} else if (cli->options.format == FORMAT_JSON) {
		targets_json(&t, &out);
	} else if (cli->options.format == FORMAT_DOT) {
		targets_dot(&t, &out);
	} else {
		for (size_t i = 0; i < t.table.requested.len; i++) {
			const struct build_target *b = target_get(&t.table, t.table.requested.ptr[i]);
			buf_addf(&out, "%-32.*s %.*s\n", STR_ARG(b->label), STR_ARG(b->rule));
		}
	}
	fwrite(buf_cstr(&out), 1, out.len, stdout);
	buf_release(&out);
	targets_close(&t);
	return code;
}

static struct str node_name(void *ctx, uint32_t node)
{
	return target_get(ctx, node)->label;
}

static struct str node_kind(void *ctx, uint32_t node)
{
	return target_get(ctx, node)->rule;
}

static const uint32_t *node_edges(void *ctx, uint32_t node, uint32_t *ret_n)
{
	const struct build_target *b = target_get(ctx, node);
	*ret_n = b->ndeps;
	return b->deps;
}

static void node_files(void *ctx, uint32_t node, StrVec *out)
{
	const struct target_table *t = ctx;
	const struct build_target *b = target_get(t, node);
	vec_push(out, t->files.ptr[b->place.file].path);
	for (uint32_t i = 0; i < b->nattrs; i++) {
		const struct attr *a = &b->attrs[i];
		for (uint32_t k = 0; (a->type == ATTR_SOURCE || a->type == ATTR_SOURCES) && k < a->len; k++)
			if (a->sources[k].target == NO_TARGET)
				vec_push(out, a->sources[k].path);
	}
}

/* The dots of a pattern of targets are a star in the language of queries. */
static struct str with_stars(struct cli *cli, struct str text)
{
	struct buf b = {0};
	for (size_t i = 0; i < text.len; i++) {
		bool dots = str_has_prefix(str_drop(text, i), STR("..."));
		buf_addc(&b, dots ? '*' : text.ptr[i]);
		i += dots ? 2 : 0;
	}
	struct str ret = str_dup(&cli->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

int cli_query_targets(struct cli *cli)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	struct buf out = {0};
	struct query_result r = {0};
	const StrVec rest = {.ptr = cli->options.args.ptr + 1, .len = cli->options.args.len - 1};
	bool ok = cli_open_targets(cli, &t, &rest, "query", &err) && targets_load(&t, &err);
	struct query_graph g = {.ctx = &t.table,
	                        .count = (uint32_t)t.table.targets.len,
	                        .name = node_name,
	                        .kind = node_kind,
	                        .edges = node_edges,
	                        .files = node_files};
	ok = ok && query_run(&g, with_stars(cli, cli->options.args.ptr[0]), &r, &err);
	if (ok)
		query_print(&g, &r, (enum query_format)cli->options.format, &out);
	fwrite(buf_cstr(&out), 1, out.len, stdout);
	int code = ok ? 0 : cli_fail(cli, &err);
	query_release(&r);
	buf_release(&out);
	targets_close(&t);
	return code;
}
