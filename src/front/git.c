#include "front/git.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/process.h"
#include "store/digest.h"

#define GIT_TIMEOUT_MS (15 * 60 * 1000)

struct getting {
	const struct git_request *q;
	struct arena *arena;
	char *git;   /* the program */
	char *clone; /* the bare repository */
};

static bool find_git(struct arena *a, char **ret, struct err *err)
{
	*ret = process_find(a, NULL, "git");
	if (*ret)
		return true;
	err_set(err, ERR_ENVIRONMENT, "\"git\" is not in PATH: it fetches libraries of Git repositories");
	err_note(err, "install it (Debian: apt-get install git)");
	return false;
}

/* The user's environment, but for what would lead git to another repository, or have it ask for a password. */
static const char **environment(struct arena *a, const char *index)
{
	static const char *const dropped[] = {
	        "GIT_DIR=",        "GIT_WORK_TREE=", "GIT_INDEX_FILE=", "GIT_TERMINAL_PROMPT=", "GIT_OBJECT_DIRECTORY=",
	        "GIT_COMMON_DIR=", "GIT_PREFIX="};
	size_t n = 0, kept = 0;
	while (environ[n])
		n++;
	const char **ret = arena_new_n(a, const char *, n + 3);
	for (size_t i = 0; i < n; i++) {
		bool drop = false;
		for (size_t k = 0; k < ARRAY_LEN(dropped); k++)
			drop |= str_has_prefix(str_from(environ[i]), str_from(dropped[k]));
		if (!drop)
			ret[kept++] = environ[i];
	}
	ret[kept++] = "GIT_TERMINAL_PROMPT=0";
	if (index)
		ret[kept++] = str_fmt(a, "GIT_INDEX_FILE=%s", index).ptr;
	return ret;
}

/* *ret_ok: git ended well; `out` gets what it said, trimmed of nothing. */
static bool run(const struct getting *g, const char *const *argv, const char *index, struct buf *out, bool *ret_ok,
                struct err *err)
{
	struct spawn_spec spec = {
	        .argv = argv, .envp = environment(g->arena, index), .cwd = "/", .stdin_fd = -1, .stdout_fd = -1};
	int status;
	buf_clear(out);
	if (!process_run(&spec, GIT_TIMEOUT_MS, out, &status, err))
		return false;
	*ret_ok = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return true;
}

/* The first line of git's words that says something. */
static void note_words(const struct buf *out, struct err *err)
{
	struct str rest = buf_str(out), line, first = {0};
	while (str_cut(&rest, '\n', &line))
		if (str_has_prefix(line, STR("fatal: ")) || str_has_prefix(line, STR("error: "))) {
			first = line;
			break;
		} else if (!first.len) {
			first = line;
		}
	if (first.len)
		err_note(err, "git says: %.*s", STR_ARG(first));
}

static bool cannot_have(const struct getting *g, const struct buf *out, struct err *err)
{
	err_set(err, ERR_ENVIRONMENT, "library %.*s can't be had from %.*s", STR_ARG(g->q->name), STR_ARG(g->q->url));
	note_words(out, err);
	return false;
}

/* -- the clone -- */

static bool clone(const struct getting *g, struct buf *out, struct err *err)
{
	struct arena *a = g->arena;
	char *tmp;
	bool ok;
	if (!fs_mkdirs(g->q->clones, err) || !fs_mkdtemp(a, g->q->clones, "clone-", &tmp, err))
		return false;
	const char *argv[] = {g->git, "clone", "--bare", "--quiet", "--", str_dupz(a, g->q->url), tmp, NULL};
	if (!run(g, argv, NULL, out, &ok, err))
		return false;
	if (ok && rename(tmp, g->clone) == 0)
		return true;
	/* Another process may have been first. */
	struct file_sig sig;
	bool there = ok && fs_stat(g->clone, &sig, NULL) && fs_is_dir(&sig);
	fs_remove_tree(tmp, NULL);
	return there || cannot_have(g, out, err);
}

static bool fetch(const struct getting *g, struct str what, struct buf *out, bool *ret_ok, struct err *err)
{
	struct arena *a = g->arena;
	const char *argv[] = {g->git,
	                      "--git-dir",
	                      g->clone,
	                      "fetch",
	                      "--quiet",
	                      "--force",
	                      "--tags",
	                      "--",
	                      str_dupz(a, g->q->url),
	                      what.len ? str_dupz(a, what) : "+refs/heads/*:refs/heads/*",
	                      NULL};
	return run(g, argv, NULL, out, ret_ok, err);
}

/* The commit that a name stands for in the clone; empty: none. */
static bool commit_of(const struct getting *g, struct str name, struct str *ret, struct err *err)
{
	struct arena *a = g->arena;
	struct buf out = {0};
	bool ok;
	const char *argv[] = {
	        g->git,     "--git-dir", g->clone,           "rev-parse",
	        "--verify", "--quiet",   "--end-of-options", str_fmt(a, "%.*s^{commit}", STR_ARG(name)).ptr,
	        NULL};
	if (!run(g, argv, NULL, &out, &ok, err)) {
		buf_release(&out);
		return false;
	}
	struct str sha = str_trim(buf_str(&out));
	*ret = ok && sha.len == GIT_SHA_LEN ? str_dup(a, sha) : (struct str){0};
	buf_release(&out);
	return true;
}

static bool find_commit(const struct getting *g, struct str *ret, struct err *err)
{
	const struct git_request *q = g->q;
	if (q->sha.len == GIT_SHA_LEN)
		return commit_of(g, q->sha, ret, err);
	return commit_of(g, str_fmt(g->arena, "refs/tags/%.*s", STR_ARG(q->tag)), ret, err);
}

/* The revision, fetched where the clone does not have it. */
static bool settle(const struct getting *g, struct str *ret_sha, struct err *err)
{
	const struct git_request *q = g->q;
	struct file_sig sig;
	struct buf out = {0};
	bool fetched = true, ok = fs_stat(g->clone, &sig, err);
	if (ok && !sig.mode && q->offline) {
		ok = err_set(err, ERR_ENVIRONMENT, "library %.*s was not fetched yet", STR_ARG(q->name));
		err_note(err, "--offline uses what is on this machine; run once without it");
	} else if (ok && !sig.mode) {
		ok = clone(g, &out, err);
	}
	ok = ok && find_commit(g, ret_sha, err);
	if (ok && !ret_sha->len && !q->offline)
		ok = fetch(g, (struct str){0}, &out, &fetched, err) && find_commit(g, ret_sha, err);
	/* What no branch or tag leads to any more, a server may give all the same. */
	if (ok && fetched && !ret_sha->len && !q->offline && q->sha.len == GIT_SHA_LEN)
		ok = fetch(g, q->sha, &out, &fetched, err) && find_commit(g, ret_sha, err);
	if (ok && !fetched && !ret_sha->len && q->sha.len != GIT_SHA_LEN)
		ok = cannot_have(g, &out, err);
	buf_release(&out);
	if (!ok)
		return false;
	if (!ret_sha->len)
		return err_set(err, ERR_USER, "library %.*s: %.*s has no revision %.*s", STR_ARG(q->name),
		               STR_ARG(q->url), STR_ARG(q->sha.len == GIT_SHA_LEN ? q->sha : q->tag));
	if (str_has_prefix(*ret_sha, q->sha))
		return true;
	err_set(err, ERR_USER, "library %.*s: the tag %.*s is another revision than :git/sha says", STR_ARG(q->name),
	        STR_ARG(q->tag));
	err_note(err, "it is %.*s in %.*s", STR_ARG(*ret_sha), STR_ARG(q->url));
	return false;
}

/* -- the folder -- */

/* A clone with a work tree of its own, for `git submodule` wants one. Relative URLs of submodules are relative to the
 * repository's. What git itself needs is thrown away afterwards. */
static bool check_out_whole(const struct getting *g, struct str sha, const char *tree, struct buf *out, bool *ret_ok,
                            struct err *err)
{
	struct arena *a = g->arena;
	const char *revision = str_dupz(a, sha), *url = str_dupz(a, g->q->url);
	const char *const steps[][10] = {
	        {g->git, "clone", "--quiet", "--no-checkout", "--shared", "--", g->clone, tree, NULL},
	        {g->git, "-C", tree, "remote", "set-url", "origin", url, NULL},
	        {g->git, "-C", tree, "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach", revision,
	         NULL},
	        {g->git, "-C", tree, "submodule", "--quiet", "update", "--init", "--recursive", NULL},
	};
	*ret_ok = true;
	for (size_t i = 0; *ret_ok && i < ARRAY_LEN(steps); i++)
		if (!run(g, steps[i], NULL, out, ret_ok, err))
			return false;
	return !*ret_ok || fs_remove_tree(path_join(a, tree, ".git"), err);
}

static bool has_submodules(const struct getting *g, const char *tree)
{
	struct file_sig sig;
	return fs_stat(path_join(g->arena, tree, ".gitmodules"), &sig, NULL) && fs_is_file(&sig);
}

static bool check_out(const struct getting *g, struct str sha, const char *folder, struct err *err)
{
	struct arena *a = g->arena;
	struct buf out = {0};
	char *tmp;
	bool ok;
	if (!fs_mkdirs(g->q->folders, err) || !fs_mkdtemp(a, g->q->folders, "new-", &tmp, err))
		return false;
	const char *tree = path_join(a, tmp, "tree");
	const char *argv[] = {g->git,           "--git-dir", g->clone,   "-c",      "core.hooksPath=/dev/null",
	                      "--work-tree",    tree,        "checkout", "--quiet", "--force",
	                      str_dupz(a, sha), "--",        ".",        NULL};
	ok = fs_mkdirs(tree, err);
	bool ran = ok && run(g, argv, path_join(a, tmp, "index"), &out, &ok, err);
	if (ran && ok && has_submodules(g, tree)) {
		tree = path_join(a, tmp, "whole");
		ran = check_out_whole(g, sha, tree, &out, &ok, err);
	}
	if (ran) {
		struct file_sig sig;
		ok = ok ? rename(tree, folder) == 0 || (fs_stat(folder, &sig, NULL) && fs_is_dir(&sig)) ||
		                     err_sys(err, ERR_ENVIRONMENT, "cannot make the folder \"%s\"", folder)
		        : cannot_have(g, &out, err);
	} else {
		ok = false;
	}
	fs_remove_tree(tmp, NULL);
	buf_release(&out);
	return ok;
}

static char *folder_of(const struct getting *g, struct str sha)
{
	struct str name = str_fmt(g->arena, "%.*s-%.*s", STR_ARG(g->q->name), 12, sha.ptr);
	return path_join(g->arena, g->q->folders, name.ptr);
}

static bool is_folder(const char *path)
{
	struct file_sig sig;
	return fs_stat(path, &sig, NULL) && fs_is_dir(&sig);
}

bool git_get(const struct git_request *q, struct arena *a, struct str *ret_sha, char **ret_folder, struct err *err)
{
	struct getting g = {.q = q, .arena = a};
	char hex[DIGEST_HEX + 1];
	struct str sha = q->sha;
	if (sha.len == GIT_SHA_LEN && is_folder(folder_of(&g, sha))) {
		*ret_sha = sha;
		*ret_folder = folder_of(&g, sha);
		return true;
	}
	struct digest d = digest_of(q->url);
	digest_hex(&d, hex);
	g.clone = path_join(a, q->clones, str_fmt(a, "%.*s.git", 32, hex).ptr);
	if (!find_git(a, &g.git, err) || !settle(&g, &sha, err))
		return false;
	char *folder = folder_of(&g, sha);
	if (!is_folder(folder) && !check_out(&g, sha, folder, err))
		return false;
	*ret_sha = sha;
	*ret_folder = folder;
	return true;
}
