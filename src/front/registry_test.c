#include "front/registry.h"

#include "base/tap.h"
#include "os/fs.h"

struct place {
	struct arena arena;
	char *root, *workspace, *home;
};

static void put(struct place *p, const char *path, const char *text)
{
	char *full = path_join(&p->arena, p->root, path);
	CHECK(fs_mkdirs_parent(full, NULL) && fs_write_atomic(full, str_from(text), 0644, false, NULL));
}

static void place_init(struct place *p)
{
	*p = (struct place){0};
	CHECK(fs_mkdtemp(&p->arena, "/tmp", "tenon-registry-", &p->root, NULL));
	p->workspace = path_join(&p->arena, p->root, "w");
	p->home = path_join(&p->arena, p->root, "h");
	CHECK(fs_mkdirs(p->workspace, NULL) && fs_mkdirs(p->home, NULL));
}

static void place_release(struct place *p)
{
	CHECK(fs_remove_tree(p->root, NULL));
	arena_release(&p->arena);
}

/* The form with ROOT for the root's path. */
static struct str form(struct place *p, const char *home, const char *extra, struct registry *ret)
{
	struct registry_places places = {.workspace = p->workspace, .home = home, .extra = extra};
	struct err err = {0};
	*ret = (struct registry){0};
	if (!tap_ok(registry_find(&p->arena, &places, ret, &err), "places are found: %s", buf_cstr(&err.message)))
		return (struct str){0};
	struct buf out = {0};
	struct str rest = ret->form, root = str_from(p->root);
	for (size_t at; (at = str_search(rest, root)) < rest.len; rest = str_drop(rest, at + root.len)) {
		buf_adds(&out, str_slice(rest, 0, at));
		buf_addz(&out, "ROOT");
	}
	buf_adds(&out, rest);
	struct str text = str_dup(&p->arena, buf_str(&out));
	buf_release(&out);
	return text;
}

static void expect(struct str got, const char *want, const char *what)
{
	tap_ok(str_eqc(got, want), "%s: %.*s", what, STR_ARG(got));
}

static bool listed(const struct place *p, const struct registry *r, const char *path)
{
	for (size_t i = 0; i < r->folders.len; i++)
		if (str_eq(str_drop(r->folders.ptr[i], strlen(p->root)), str_from(path)))
			return true;
	return false;
}

#define EXCLUDE " (:also-exclude \".tenon\" \".qlot\" \"ocicl\" \"node_modules\")"

static void test_bare(void)
{
	struct place p;
	struct registry r;
	place_init(&p);
	expect(form(&p, NULL, NULL, &r),
	       "(:source-registry" EXCLUDE " (:directory \"ROOT/w/\") :inherit-configuration)",
	       "a folder that is no project is not searched below");
	tap_ok(listed(&p, &r, "/w"), "its listing decides that");
	tap_ok(listed(&p, &r, "/w/ocicl") && listed(&p, &r, "/w/.qlot/dists"), "absent folders count");
	tap_eq_int(r.described.len, 1, "one place is described");
	registry_release(&r);
	expect(form(&p, NULL, "(:tree \"/x/\")", &r),
	       "(:source-registry (:tree \"/x/\")" EXCLUDE " (:directory \"ROOT/w/\") :inherit-configuration)",
	       "what the command line adds comes first");
	registry_release(&r);
	place_release(&p);
}

static void test_project(void)
{
	struct place p;
	struct registry r;
	place_init(&p);
	put(&p, "w/x.asd", "");
	put(&p, "w/ocicl/lib/lib.asd", "");
	put(&p, "w/.qlot/local-projects/l.asd", "");
	put(&p, "w/.qlot/dists/d/installed/systems/one.txt", "dists/d/software/one-1/one.asd\n");
	put(&p, "w/.qlot/dists/d/installed/systems/one-test.txt", "dists/d/software/one-1/one-test.asd\n");
	put(&p, "w/.qlot/dists/d/installed/systems/two.txt", "dists/d/software/two-1/two.asd");
	put(&p, "w/.qlot/dists/d/installed/systems/notes", "dists/d/software/no/no.asd\n");
	expect(form(&p, NULL, NULL, &r),
	       "(:source-registry" EXCLUDE " (:directory \"ROOT/w/\") (:tree \"ROOT/w/ocicl/\")"
	       " (:directory \"ROOT/w/.qlot/dists/d/software/one-1/\")"
	       " (:directory \"ROOT/w/.qlot/dists/d/software/two-1/\")"
	       " (:tree \"ROOT/w/.qlot/local-projects/\") (:tree \"ROOT/w/\") :inherit-configuration)",
	       "a project, ocicl, and qlot's systems, each folder once");
	registry_release(&r);
	place_release(&p);
}

static void test_quicklisp(void)
{
	struct place p;
	struct registry r;
	place_init(&p);
	put(&p, "h/quicklisp/local-projects/mine/mine.asd", "");
	put(&p, "h/quicklisp/dists/quicklisp/installed/systems/a.txt", "dists/quicklisp/software/a/a.asd\n");
	put(&p, "h/quicklisp/dists/quicklisp/installed/systems/empty.txt", "");
	expect(form(&p, p.home, NULL, &r),
	       "(:source-registry" EXCLUDE " (:directory \"ROOT/w/\") (:tree \"ROOT/h/quicklisp/local-projects/\")"
	       " :inherit-configuration (:directory \"ROOT/h/quicklisp/dists/quicklisp/software/a/\"))",
	       "quicklisp's local projects come before the user's configuration, its dists behind");
	tap_ok(listed(&p, &r, "/h/quicklisp/dists/quicklisp/installed/systems"), "new installations are noticed");
	registry_release(&r);
	place_release(&p);
}

static void test_strange_names(void)
{
	struct place p;
	struct registry r;
	place_init(&p);
	p.workspace = path_join(&p.arena, p.root, "w \"q\" \\");
	CHECK(fs_mkdirs(p.workspace, NULL));
	expect(form(&p, NULL, NULL, &r),
	       "(:source-registry" EXCLUDE " (:directory \"ROOT/w \\\"q\\\" \\\\/\") :inherit-configuration)",
	       "quotes and backslashes are escaped");
	registry_release(&r);
	struct registry_places nowhere = {.workspace = path_join(&p.arena, p.root, "none")};
	struct err err = {0};
	r = (struct registry){0};
	tap_ok(!registry_find(&p.arena, &nowhere, &r, &err), "a workspace that is absent is an error");
	err_clear(&err);
	registry_release(&r);
	p.workspace = path_join(&p.arena, p.root, "web/[id]");
	CHECK(fs_mkdirs(p.workspace, NULL));
	struct registry_places wild = {.workspace = p.workspace};
	r = (struct registry){0};
	tap_ok(!registry_find(&p.arena, &wild, &r, &err), "so is one whose name is a pattern for a Lisp");
	tap_ok(err.kind == ERR_USER && str_search(buf_str(&err.message), STR("'['")) < err.message.len, "%s",
	       buf_cstr(&err.message));
	err_clear(&err);
	registry_release(&r);
	place_release(&p);
}

int main(void)
{
	test_bare();
	test_project();
	test_quicklisp();
	test_strange_names();
	return tap_done();
}
