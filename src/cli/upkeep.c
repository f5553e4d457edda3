/* doctor and clean. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/version.h"
#include "os/fs.h"
#include "os/landlock.h"

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
