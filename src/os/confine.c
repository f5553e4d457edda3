#include "os/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/landlock.h"

/* Options of the hidden program: each is followed by a path; "--" ends them. */
#define OPT_WRITE "-w"
#define OPT_HIDE  "-h"
#define OPT_READ  "-r"

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |              \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                    \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                 \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)
/* Came with versions 2 and 3; older kernel headers have no names for them. */
#define RIGHT_REFER    (1ULL << 13)
#define RIGHT_TRUNCATE (1ULL << 14)
#define FILE_RIGHTS                                                                                                    \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty",
                                      "/dev/shm",  "/dev/ptmx", "/dev/pts"};

const char *const *confine_argv(struct arena *a, const struct confinement *c, const char *const *argv)
{
	size_t n = 0, i = 0;
	while (argv[n])
		n++;
	const char **ret = arena_new_n(a, const char *, n + 4 + 2 * (c->nwritable + c->nhidden + c->nreadable));
	ret[i++] = "/proc/self/exe";
	ret[i++] = CONFINE_ARG;
	for (size_t k = 0; k < c->nwritable; k++) {
		ret[i++] = OPT_WRITE;
		ret[i++] = c->writable[k];
	}
	for (size_t k = 0; k < c->nhidden; k++) {
		ret[i++] = OPT_HIDE;
		ret[i++] = c->hidden[k];
	}
	for (size_t k = 0; k < c->nreadable; k++) {
		ret[i++] = OPT_READ;
		ret[i++] = c->readable[k];
	}
	ret[i++] = "--";
	memcpy(ret + i, argv, (n + 1) * sizeof(*ret));
	return ret;
}

/* -- the hidden program -- */

struct ruleset {
	int fd;
	uint64_t handled;
	char *const *options; /* pairs: option, path */
	int noptions;
};

NORETURN static void give_up(const char *what)
{
	fprintf(stderr, "tenon: cannot confine the command: %s: %s\n", what, strerror(errno));
	_exit(126);
}

/* What is not there needs no rule. */
static void allow(const struct ruleset *r, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			rights &= FILE_RIGHTS;
		struct landlock_path_beneath_attr rule = {.allowed_access = rights & r->handled, .parent_fd = fd};
		if (syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
			give_up(path);
	}
	close(fd);
}

static void allow_all(const struct ruleset *r, const char *option, uint64_t rights)
{
	for (int i = 0; i < r->noptions; i += 2)
		if (strcmp(r->options[i], option) == 0)
			allow(r, r->options[i + 1], rights);
}

/* Whether `path` is `dir` or lies below it. */
static bool lies_in(const char *path, const char *dir)
{
	while (*dir && *path == *dir) {
		path++;
		dir++;
	}
	return !*dir && (!*path || *path == '/');
}

static bool holds_hidden(const struct ruleset *r, const char *path)
{
	for (int i = 0; i < r->noptions; i += 2)
		if (strcmp(r->options[i], OPT_HIDE) == 0 && lies_in(r->options[i + 1], path))
			return true;
	return false;
}

/* Lets read what lies in `dir`, but for what leads to a hidden folder. */
static void allow_beside(const struct ruleset *r, const char *dir)
{
	DIR *d = opendir(*dir ? dir : "/");
	struct dirent *e;
	char path[PATH_MAX];
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int n = snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (n > 0 && (size_t)n < sizeof(path) && !holds_hidden(r, path))
			allow(r, path, READ_RIGHTS);
	}
	if (d)
		closedir(d);
}

static bool is_hidden(const struct ruleset *r, const char *path)
{
	for (int i = 0; i < r->noptions; i += 2)
		if (strcmp(r->options[i], OPT_HIDE) == 0 && lies_in(path, r->options[i + 1]))
			return true;
	return false;
}

/* Every folder on the way to a hidden one, from the root on. */
static void allow_reading(const struct ruleset *r)
{
	char dir[PATH_MAX];
	bool hides = false;
	for (int i = 0; i < r->noptions; i += 2) {
		const char *hidden = r->options[i + 1];
		if (strcmp(r->options[i], OPT_HIDE) != 0)
			continue;
		hides = true;
		const char *p = hidden;
		do {
			if (snprintf(dir, sizeof(dir), "%.*s", (int)(p - hidden), hidden) >= (int)sizeof(dir))
				give_up(hidden);
			if (!is_hidden(r, dir))
				allow_beside(r, dir);
		} while ((p = strchr(p + 1, '/')));
	}
	if (!hides)
		allow(r, "/", READ_RIGHTS);
}

static void restrict_self(char *const *options, int noptions)
{
	int abi = landlock_abi();
	if (!abi)
		return;
	struct ruleset r = {.options = options, .noptions = noptions, .handled = READ_RIGHTS | WRITE_RIGHTS};
	if (abi >= 2)
		r.handled |= RIGHT_REFER;
	if (abi >= 3)
		r.handled |= RIGHT_TRUNCATE;
	struct landlock_ruleset_attr attr = {.handled_access_fs = r.handled};
	/* Size 8: the first member, which is all that version 1 had. */
	r.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, (size_t)8, 0);
	if (r.fd < 0)
		give_up("no set of rules");
	allow_reading(&r);
	allow_all(&r, OPT_READ, READ_RIGHTS);
	allow_all(&r, OPT_WRITE, r.handled);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		allow(&r, devices[i], r.handled);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, r.fd, 0) != 0)
		give_up("the rules");
	close(r.fd);
}

void confine_main(int argc, char **argv)
{
	int i = 2;
	while (i + 1 < argc && strcmp(argv[i], "--") != 0)
		i += 2;
	if (i + 1 >= argc) {
		errno = EINVAL;
		give_up("no command");
	}
	restrict_self(argv + 2, i - 2);
	execv(argv[i + 1], argv + i + 1);
	fprintf(stderr, "tenon: cannot execute \"%s\": %s\n", argv[i + 1], strerror(errno));
	_exit(127);
}
