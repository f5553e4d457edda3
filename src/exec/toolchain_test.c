/* Programs that are no SBCL, or not one that will do: what people are told. The real one is tried by t/. */
#include "exec/toolchain.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fs.h"

static struct arena arena;
static struct store *store;
static struct filecache *files;
static char *folder;

/* Looks for the program that `script` makes (NULL: none is made); returns what is said, empty where it is accepted. */
static struct str verdict(const char *name, const char *script, bool named, bool accepted)
{
	struct err err = {0};
	struct toolchain tc;
	char *dir = path_join(&arena, folder, name), *path = path_join(&arena, dir, "sbcl");
	CHECK(fs_mkdirs(dir, NULL));
	if (script) {
		CHECK(fs_write_atomic(path, str_fmt(&arena, "#!/bin/sh\n%s\n", script), 0755, false, NULL));
		CHECK(chmod(path, 0755) == 0);
	}
	struct toolchain_spec spec = {.lisp = named ? path : NULL, .search = dir, .store = store, .files = files};
	bool ok = toolchain_find(&tc, &arena, &spec, &err);
	struct buf text = {0};
	if (!ok)
		err_format(&err, &text);
	struct str said = str_dup(&arena, buf_str(&text));
	if (accepted)
		tap_ok(ok && str_eqc(tc.version, "2.10.0"), "%s: it is accepted as what it says it is", name);
	else
		tap_ok(!ok && err.kind == ERR_ENVIRONMENT, "%s: the environment is at fault", name);
	toolchain_release(&tc);
	buf_release(&text);
	err_clear(&err);
	return said;
}

static void says(const char *name, const char *script, bool named, const char *want)
{
	struct str said = verdict(name, script, named, false);
	if (!tap_ok(str_search(said, str_from(want)) < said.len, "%s: \"%s\"", name, want))
		printf("#   said: %.*s\n", STR_ARG(said));
}

static const char good[] = "echo banner; echo 'tenon|2.10.0|/bin/sh|/bin/sh|/'; echo asked >>\"$0.asked\"";

static size_t times_asked(const char *name)
{
	struct buf text = {0};
	fs_read(path_join(&arena, path_join(&arena, folder, name), "sbcl.asked"), &text, NULL);
	size_t n = text.len / 6;
	buf_release(&text);
	return n;
}

/* The answer is kept; one that was spoilt is asked for again. */
static void test_kept(const char *name)
{
	static const char *const spoilt[] = {"", "rubbish", "2.10.0|/bin/sh", "2.10.0|bin/sh|/bin/sh|/"};
	verdict(name, good, true, true);
	verdict(name, NULL, true, true);
	tap_eq_int((long)times_asked(name), 1, "an answer is asked for once");
	char *path = path_join(&arena, path_join(&arena, folder, name), "sbcl");
	struct digest program;
	bool exists;
	CHECK(filecache_digest(files, path, &program, NULL, &exists, NULL) && exists);
	struct hasher *h = hasher_new(STR("tenon-toolchain-probe-1"));
	hasher_str(h, "program", str_from(path));
	hasher_digest(h, "digest", &program);
	struct digest key = hasher_end(h);
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		CHECK(store_put_text(store, &key, str_from(spoilt[i]), NULL));
		verdict(name, NULL, true, true);
		tap_eq_int((long)times_asked(name), (long)i + 2, "\"%s\" in the store is no answer", spoilt[i]);
	}
}

int main(void)
{
	char template[] = "/tmp/tenon-toolchain-XXXXXX";
	CHECK(mkdtemp(template));
	folder = template;
	CHECK(store_open(path_join(&arena, folder, "store"), &store, NULL));
	files = filecache_load(path_join(&arena, folder, "files"));
	says("missing", NULL, false, "sbcl");
	says("named-missing", NULL, true, "named-missing/sbcl");
	says("too-old", "echo 'tenon|1.4.16|/bin/sh|/bin/sh|/'", true, "is SBCL 1.4.16, which is too old");
	says("just-too-old", "echo 'tenon|2.2.5.debian|/bin/sh|/bin/sh|/'", false, "is too old");
	says("garbage", "echo hello", true, "it printed: hello");
	says("fails", "echo 'tenon|9.9.9|/bin/sh|/bin/sh|/'; exit 3", true, "exit code 3");
	says("no-version", "echo 'tenon|'", true, "does not say what it is");
	says("letters", "echo 'tenon|new|/bin/sh|/bin/sh|/'", true, "too old");
	says("no-core", "echo 'tenon|2.10.0|/bin/sh||/'", true, "does not say what it is");
	says("too-much", "echo 'tenon|2.10.0|/bin/sh|/bin/sh|/|/'", true, "does not say what it is");
	tap_eq_int((long)verdict("banner", good, false, true).len, 0,
	           "a newer one is accepted, whatever is printed before");
	test_kept("kept");
	filecache_free(files);
	store_close(store);
	CHECK(fs_remove_tree(folder, NULL));
	arena_release(&arena);
	return tap_done();
}
