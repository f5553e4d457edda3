#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "front/buildfile.h"
#include "os/fs.h"

static void put(struct arena *a, const char *dir, const char *path, const char *text)
{
	struct err err = {0};
	const char *whole = path_join(a, dir, path);
	CHECK(fs_mkdirs_parent(whole, &err) && fs_write_atomic(whole, str_from(text), 0644, false, &err));
}

static void test_list(struct arena *a, const struct file_view *view)
{
	struct view_listing l;
	struct err err = {0};
	tap_ok(view->list(view->ctx, a, STR("p"), &l, &err) && !l.absent, "a folder is listed");
	tap_eq_int(l.n, 6, "without what is neither file nor folder, and links to nowhere");
	const char *names[] = {"BUILD", "a.clj", "link.clj", "link_dir", "loop", "src"};
	for (size_t i = 0; i < ARRAY_LEN(names) && i < l.n; i++)
		tap_eq_str(l.entries[i].name, str_from(names[i]), "in order of name");
	tap_ok(!l.entries[2].is_dir && l.entries[3].is_dir && l.entries[3].is_link, "links are what they lead to");
	tap_ok(view->list(view->ctx, a, STR("none"), &l, &err) && l.absent, "a folder that is not there");
	tap_ok(view->list(view->ctx, a, STR("p/a.clj"), &l, &err) && l.absent, "a file is no folder");
}

static void test_load(struct arena *a, const char *dir)
{
	struct file_view view;
	struct target_table t = {0};
	struct buildfile_inputs in = {0};
	struct err err = {0};
	struct str all = STR("...");
	struct buildfile_request q = {.here = STR("p"), .patterns = &all, .npatterns = 1};
	buildfile_disk_view(dir, NULL, 0, &view);
	test_list(a, &view);
	bool ok = buildfile_load(&view, &q, &t, &in, &err);
	tap_ok(ok, "a workspace on the disk %s", buf_cstr(&err.message));
	const struct attr *srcs = ok ? target_attr(target_get(&t, t.requested.ptr[0]), "srcs") : NULL;
	tap_eq_int(srcs ? srcs->len : 0, 3, "\"**\" does not go through links to folders");
	buildfile_inputs_release(&in);
	target_table_release(&t);
	err_clear(&err);
}

static void test_root(struct arena *a, const char *dir)
{
	struct str root, here;
	tap_ok(buildfile_find_root(a, path_join(a, dir, "p/src"), &root, &here), "WORKSPACE is found above");
	tap_eq_str(root, str_from(dir), "its folder is the root");
	tap_eq_str(here, STR("p/src"), "and this is the way to where we are");
	tap_ok(buildfile_find_root(a, dir, &root, &here) && here.len == 0, "at the root itself");
	tap_ok(!buildfile_find_root(a, "/proc/self", &root, &here), "there may be none");
	struct buildfile_machine m = buildfile_machine_settings(a);
	tap_eq_str(m.settings[0].value, STR("linux"), "the machine's settings");
	tap_ok(m.settings[1].value.len > 0, "such as %.*s", STR_ARG(m.settings[1].value));
}

int main(void)
{
	struct arena a = {0};
	struct err err = {0};
	char *dir;
	CHECK(fs_mkdtemp(&a, "/tmp", "buildfile-", &dir, &err));
	put(&a, dir, "WORKSPACE", "");
	put(&a, dir, "p/BUILD", "(clj-lib :name \"p\" :srcs [\"**/*.clj\"])");
	put(&a, dir, "p/a.clj", "");
	put(&a, dir, "p/src/b.clj", "");
	put(&a, dir, "elsewhere/c.clj", "");
	CHECK(symlink("a.clj", path_join(&a, dir, "p/link.clj")) == 0);
	CHECK(symlink("../elsewhere", path_join(&a, dir, "p/link_dir")) == 0);
	CHECK(symlink(".", path_join(&a, dir, "p/loop")) == 0);
	CHECK(symlink("nowhere", path_join(&a, dir, "p/dangling.clj")) == 0);
	CHECK(mkfifo(path_join(&a, dir, "p/fifo.clj"), 0600) == 0);
	test_load(&a, dir);
	test_root(&a, dir);
	CHECK(fs_remove_tree(dir, &err));
	arena_release(&a);
	return tap_done();
}
