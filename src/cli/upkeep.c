/* doctor, clean, cache. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/version.h"
#include "os/fs.h"
#include "os/landlock.h"

#define SECONDS_PER_DAY 86400

static void print_bytes(const char *what, uint64_t count, uint64_t bytes)
{
	printf("%s: %llu, %.1f MiB\n", what, (unsigned long long)count, (double)bytes / 1048576);
}

static bool open_store(struct cli *cli, struct session *s, struct err *err)
{
	if (!session_init(s, &cli->build, &cli->events.sink, err))
		return false;
	return store_open(s->store_dir, &s->store, err);
}

/* -- cache -- */

static bool cache_stat(struct session *s, struct err *err)
{
	struct store_stats st;
	if (!store_stat(s->store, &st, err))
		return false;
	printf("store: %s\n", store_root(s->store));
	print_bytes("files", st.blobs, st.blob_bytes);
	print_bytes("actions", st.actions, st.action_bytes);
	if (st.tmp_files)
		printf("unfinished files: %llu\n", (unsigned long long)st.tmp_files);
	return true;
}

static bool cache_verify(struct cli *cli, struct session *s, int *ret_code, struct err *err)
{
	struct store_verify_report r = {0};
	if (!store_verify(s->store, &cli->arena, &r, err))
		return false;
	for (size_t i = 0; i < r.problems.len; i++)
		printf("%.*s\n", STR_ARG(r.problems.ptr[i]));
	printf("%llu entries, %.1f MiB checked: %llu corrupt (removed), %llu dangling\n", (unsigned long long)r.checked,
	       (double)r.bytes / 1048576, (unsigned long long)r.corrupt, (unsigned long long)r.dangling);
	*ret_code = r.corrupt ? err_exit_code(ERR_ENVIRONMENT) : 0;
	vec_release(&r.problems);
	return true;
}

static bool cache_gc(struct cli *cli, struct session *s, struct err *err)
{
	const struct options *o = &cli->options;
	struct store_stats removed = {0};
	uint64_t max_bytes = o->max_size ? o->max_size : (uint64_t)10 << 30;
	unsigned days = (unsigned)((o->max_age_s + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY);
	if (!store_gc(s->store, max_bytes, days, &removed, err))
		return false;
	print_bytes("removed files", removed.blobs, removed.blob_bytes);
	print_bytes("removed actions", removed.actions, removed.action_bytes);
	return true;
}

int command_cache(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct err err = {0};
	int code = 0;
	struct str what = cli->options.args.len ? cli->options.args.ptr[0] : (struct str){0};
	bool ok = open_store(cli, &s, &err);
	if (ok && str_eqc(what, "stat"))
		ok = cache_stat(&s, &err);
	else if (ok && str_eqc(what, "verify"))
		ok = cache_verify(cli, &s, &code, &err);
	else if (ok && str_eqc(what, "gc"))
		ok = cache_gc(cli, &s, &err);
	else if (ok) {
		ok = err_set(&err, ERR_USER, "cache takes stat, verify or gc, not \"%.*s\"", STR_ARG(what));
		err_note(&err, "`tenon help cache` says what they do");
	}
	if (!ok)
		code = cli_fail(cli, &err);
	session_close(&s);
	return code;
}

/* -- clean -- */

int command_clean(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct err err = {0};
	int lock = -1, code = 0;
	bool ok = session_init(&s, &cli->build, &cli->events.sink, &err) &&
	          fs_lock(path_join(&cli->arena, s.state_dir, "lock"), true, &lock, &err) &&
	          fs_remove_tree(s.state_dir, &err);
	if (!ok)
		code = cli_fail(cli, &err);
	fs_unlock(lock);
	session_close(&s);
	return code;
}

/* -- doctor -- */

static void doctor_lisp(const struct session *s)
{
	printf("lisp: SBCL %.*s, %s\n", STR_ARG(s->toolchain.version), s->toolchain.program);
	printf("  core: %s\n  home: %s\n", s->toolchain.core, s->toolchain.home);
}

static void doctor_asdf(struct session *s, struct err *err)
{
	struct buf version = {0};
	if (session_pool(s, err) && session_asdf_version(s, &version, err))
		printf("asdf: %.*s\n", (int)version.len, version.ptr);
	buf_release(&version);
}

static void doctor_places(const struct session *s)
{
	printf("systems are looked for in:\n");
	for (size_t i = 0; i < s->registry.described.len; i++)
		printf("  %.*s\n", STR_ARG(s->registry.described.ptr[i]));
	printf("  CL_SOURCE_REGISTRY, ASDF's configuration files, ~/common-lisp, /usr/share/common-lisp\n");
}

int command_doctor(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct err err = {0};
	int abi = landlock_abi();
	printf("tenon: %s\n", TENON_VERSION);
	bool ok = session_init(&s, &cli->build, &cli->events.sink, &err) && session_open(&s, &err);
	if (ok) {
		printf("workspace: %s\nstate: %s\nstore: %s\n", cli->directory, s.state_dir, s.store_dir);
		printf("jobs: %u\nimage memory: %llu MiB\n", cli->build.jobs,
		       (unsigned long long)(cli->build.image_memory >> 20));
		if (abi)
			printf("sandbox: Landlock, version %d: actions write only to their own outputs\n", abi);
		else
			printf("sandbox: none: this kernel has no Landlock; actions run UNSANDBOXED\n");
		ok = session_toolchain(&s, &err);
	}
	if (ok) {
		doctor_lisp(&s);
		doctor_asdf(&s, &err);
		ok = err.kind == ERR_NONE;
		doctor_places(&s);
	}
	fflush(stdout);
	int code = ok ? 0 : cli_fail(cli, &err);
	session_close(&s);
	return code;
}
