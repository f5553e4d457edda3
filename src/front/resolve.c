#include "front/resolve.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/process.h"

#define RESOLVE_TIMEOUT_MS (20 * 60 * 1000)

/* -- the question -- */

static void add_element(struct buf *out, const char *name, struct str value)
{
	if (!value.len)
		return;
	buf_addf(out, "<%s>", name);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (c == '&')
			buf_addz(out, "&amp;");
		else if (c == '<')
			buf_addz(out, "&lt;");
		else if (c == '>')
			buf_addz(out, "&gt;");
		else
			buf_addc(out, c);
	}
	buf_addf(out, "</%s>", name);
}

static void open_dependency(struct buf *out, struct str group, struct str artifact, struct str version,
                            struct str classifier, enum deps_scope scope)
{
	buf_addz(out, "<dependency>");
	add_element(out, "groupId", group);
	add_element(out, "artifactId", artifact);
	add_element(out, "version", version);
	add_element(out, "classifier", classifier);
	add_element(out, "scope", scope == DEPS_TEST ? STR("test") : STR("compile"));
	buf_addz(out, "<exclusions>");
}

static void add_exclusion(struct buf *out, struct str group, struct str artifact)
{
	buf_addz(out, "<exclusion>");
	add_element(out, "groupId", group);
	add_element(out, "artifactId", artifact);
	buf_addz(out, "</exclusion>");
}

/* Of two mentions of one library the first counts for Maven, so the project's own come before those of its tests. */
static void add_asked(const struct resolve_request *q, enum deps_scope scope, struct buf *out)
{
	const struct deps_project *d = q->project;
	for (size_t i = 0; i < d->deps.len; i++) {
		const struct deps_dep *dep = &d->deps.ptr[i];
		bool again = false;
		for (size_t k = 0; k < d->deps.len && scope == DEPS_TEST && !again; k++)
			again = d->deps.ptr[k].scope == DEPS_MAIN && str_eq(d->deps.ptr[k].group, dep->group) &&
			        str_eq(d->deps.ptr[k].artifact, dep->artifact) &&
			        str_eq(d->deps.ptr[k].classifier, dep->classifier);
		if (dep->scope != scope || again || (q->left_out && q->left_out[i]))
			continue;
		open_dependency(out, dep->group, dep->artifact, dep->version, dep->classifier, dep->scope);
		for (size_t k = 0; k < dep->exclusions.len; k++)
			add_exclusion(out, dep->exclusions.ptr[k].group, dep->exclusions.ptr[k].artifact);
		buf_addz(out, "</exclusions></dependency>\n");
	}
}

static void add_locked(const struct lock *l, struct buf *out)
{
	for (size_t i = 0; i < l->jars.len; i++) {
		const struct lock_jar *j = &l->jars.ptr[i];
		open_dependency(out, j->group, j->artifact, j->version, j->classifier, j->scope);
		add_exclusion(out, STR("*"), STR("*"));
		buf_addz(out, "</exclusions></dependency>\n");
	}
}

/* The version of a library that others ask for; the last mention counts, and Maven wants one. */
static void add_managed(const struct deps_project *d, struct buf *out)
{
	if (!d->managed.len)
		return;
	buf_addz(out, "<dependencyManagement><dependencies>\n");
	for (size_t i = 0; i < d->managed.len; i++) {
		const struct deps_dep *m = &d->managed.ptr[i];
		bool again = false;
		for (size_t k = i + 1; k < d->managed.len && !again; k++)
			again = str_eq(d->managed.ptr[k].group, m->group) &&
			        str_eq(d->managed.ptr[k].artifact, m->artifact) &&
			        str_eq(d->managed.ptr[k].classifier, m->classifier);
		if (again)
			continue;
		buf_addz(out, "<dependency>");
		add_element(out, "groupId", m->group);
		add_element(out, "artifactId", m->artifact);
		add_element(out, "version", m->version);
		add_element(out, "classifier", m->classifier);
		buf_addz(out, "</dependency>\n");
	}
	buf_addz(out, "</dependencies></dependencyManagement>\n");
}

void resolve_print_pom(const struct resolve_request *q, struct buf *out)
{
	buf_addz(out, "<project><modelVersion>4.0.0</modelVersion>\n<groupId>tenon</groupId>"
	              "<artifactId>dependencies</artifactId><version>1</version>\n<repositories>\n");
	for (size_t i = 0; i < q->project->repositories.len; i++) {
		buf_addz(out, "<repository>");
		add_element(out, "id", q->project->repositories.ptr[i].id);
		add_element(out, "url", q->project->repositories.ptr[i].url);
		buf_addz(out, "</repository>\n");
	}
	buf_addz(out, "</repositories>\n");
	if (!q->locked)
		add_managed(q->project, out);
	buf_addz(out, "<dependencies>\n");
	if (q->locked) {
		add_locked(q->locked, out);
	} else {
		add_asked(q, DEPS_MAIN, out);
		add_asked(q, DEPS_TEST, out);
	}
	buf_addz(out, "</dependencies></project>\n");
}

/* -- the answer -- */

/* "group:artifact:jar[:classifier]:version:scope:/path", with " -- module ..." behind it for some. */
static bool read_line(struct lock *l, struct str line, struct err *err)
{
	struct str fields[8], all = line, part;
	size_t n = 0, slash = str_search(line, STR(":/"));
	struct str path = str_drop(line, slash + 1), coordinates = str_slice(line, 0, slash);
	path = str_trim(str_slice(path, 0, str_search(path, STR(" -- module"))));
	while (n < ARRAY_LEN(fields) && str_cut(&coordinates, ':', &part))
		fields[n++] = part;
	if (slash == all.len || (n != 5 && n != 6) || !path.len)
		return err_set(err, ERR_ENVIRONMENT,
		               "Maven's list of dependencies has a line that is not understood: \"%.*s\"",
		               STR_ARG(line));
	if (!str_eqc(fields[2], "jar") && !str_has_suffix(path, STR(".jar")))
		return true; /* a pom stands for its dependencies, which have lines of their own */
	struct lock_jar j = {.group = fields[0], .artifact = fields[1], .version = fields[n - 2], .path = path};
	j.classifier = n == 6 ? fields[3] : (struct str){0};
	j.scope = str_eqc(fields[n - 1], "test") ? DEPS_TEST : DEPS_MAIN;
	vec_push(&l->jars, j);
	return true;
}

bool resolve_read_list(struct lock *l, struct str text, struct err *err)
{
	struct str rest = str_dup(&l->arena, text), line;
	while (str_cut(&rest, '\n', &line)) {
		line = str_trim(line);
		if (str_search(line, STR(":")) == line.len || str_has_suffix(line, STR(":")))
			continue; /* "The following files have been resolved:", "none" */
		if (!read_line(l, line, err))
			return false;
	}
	lock_sort(l);
	return true;
}

/* -- asking -- */

static bool find_mvn(struct arena *a, char **ret, struct err *err)
{
	*ret = process_find(a, NULL, "mvn");
	if (*ret)
		return true;
	err_set(err, ERR_ENVIRONMENT, "\"mvn\" is not in PATH: Maven resolves dependencies");
	err_note(err, "install Maven (Debian: apt-get install maven)");
	return false;
}

/* The coordinates that a message of Maven's speaks of: three or more parts with colons; or several, with commas. */
static struct str coordinates_in(struct str message)
{
	static const char *const before[] = {"Could not find artifact ", "the artifact ", "Failure to find ",
	                                     "Could not transfer artifact "};
	static const struct str several = STR("could not be resolved: "), cached = STR(" was not found in ");
	size_t at = str_search(message, several);
	if (at < message.len) {
		struct str rest = str_drop(message, at + several.len);
		return str_slice(rest, 0, str_search(rest, STR(": ")));
	}
	at = str_search(message, cached);
	if (at < message.len) {
		struct str rest = str_slice(message, 0, at);
		return str_drop(rest, MIN(str_rfind(rest, ' ') + 1, rest.len));
	}
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		at = str_search(message, str_from(before[i]));
		if (at == message.len)
			continue;
		struct str rest = str_drop(message, at + strlen(before[i]));
		return str_slice(rest, 0, str_find(rest, ' '));
	}
	return (struct str){0};
}

/* Points at the first of the project's own dependencies that is among the coordinates. */
static void point_at(const struct deps_project *d, struct str coordinates, struct err *err)
{
	struct arena a = {0};
	for (size_t i = 0; i < d->deps.len; i++) {
		const struct deps_dep *dep = &d->deps.ptr[i];
		struct str name = str_fmt(&a, "%.*s:%.*s:", STR_ARG(dep->group), STR_ARG(dep->artifact));
		size_t at = str_search(coordinates, name);
		if (!dep->line || at == coordinates.len || (at && coordinates.ptr[at - 1] != ' '))
			continue;
		err_at(err, d->file, dep->line, dep->col, (struct str){0});
		break;
	}
	arena_release(&a);
}

static bool failed(const struct resolve_request *q, struct str output, struct err *err)
{
	struct str line, first = {0};
	while (!first.len && str_cut(&output, '\n', &line)) {
		size_t at = str_search(line, STR("[ERROR] "));
		if (at < line.len)
			first = str_trim(str_drop(line, at + 8));
	}
	struct str what = coordinates_in(first);
	bool many = str_find(what, ',') < what.len;
	if (what.len) {
		err_set(err, ERR_ENVIRONMENT, "%s %.*s can't be had", many ? "libraries" : "library", STR_ARG(what));
		point_at(q->project, what, err);
	} else {
		err_set(err, ERR_ENVIRONMENT, "Maven could not resolve the dependencies of %.*s",
		        STR_ARG(q->project->file));
	}
	if (first.len)
		err_note(err, "Maven says: %.*s", STR_ARG(first));
	if (q->offline)
		err_note(err, "--offline uses what the local repository has; run once without it");
	else if (what.len)
		err_note(err, "if %s in another repository, name that in %.*s or in Maven's settings",
		         many ? "they are" : "it is", STR_ARG(path_base(q->project->file)));
	return false;
}

static const char *profiles(const struct resolve_request *q, struct arena *a)
{
	struct buf b = {0};
	for (size_t i = 0; i < q->project->chosen.len; i++)
		buf_addf(&b, "%s%.*s", i ? "," : "", STR_ARG(q->project->chosen.ptr[i]));
	const char *ret = str_dupz(a, buf_str(&b));
	buf_release(&b);
	return ret;
}

static bool run_mvn(const struct resolve_request *q, struct arena *a, const char *pom, const char *list,
                    struct err *err)
{
	char *mvn;
	struct buf output = {0};
	int status;
	if (!find_mvn(a, &mvn, err))
		return false;
	const char *argv[12] = {mvn,
	                        "-q",
	                        "-B",
	                        "-f",
	                        pom,
	                        "dependency:list",
	                        "-DoutputAbsoluteArtifactFilename=true",
	                        str_fmt(a, "-DoutputFile=%s", list).ptr};
	size_t n = 8;
	if (q->offline)
		argv[n++] = "-o";
	if (q->project->kind == DEPS_POM && !q->locked && q->project->chosen.len) {
		argv[n++] = "-P";
		argv[n++] = profiles(q, a);
	}
	struct spawn_spec spec = {.argv = argv,
	                          .envp = (const char *const *)environ,
	                          .cwd = str_dupz(a, path_dir(str_from(list))),
	                          .stdin_fd = -1};
	bool ok = process_run(&spec, RESOLVE_TIMEOUT_MS, &output, &status, err);
	if (ok && status != 0)
		ok = failed(q, buf_str(&output), err);
	buf_release(&output);
	return ok;
}

static bool hash_all(struct lock *l, struct err *err)
{
	for (size_t i = 0; i < l->jars.len; i++)
		if (!digest_of_file(str_dupz(&l->arena, l->jars.ptr[i].path), &l->jars.ptr[i].sha256,
		                    &l->jars.ptr[i].size, err))
			return false;
	return true;
}

static bool ask(const struct resolve_request *q, struct arena *a, const char *dir, struct lock *ret, struct err *err)
{
	char *list = path_join(a, dir, "list.txt");
	const char *pom = path_join(a, dir, "pom.xml");
	struct buf text = {0};
	bool ok = true;
	if (q->project->kind == DEPS_POM && !q->locked) {
		pom = path_absolute(a, str_dupz(a, q->project->file));
	} else {
		resolve_print_pom(q, &text);
		ok = fs_write_atomic(pom, buf_str(&text), 0644, false, err);
	}
	buf_clear(&text);
	ok = ok && run_mvn(q, a, pom, list, err) && fs_read(list, &text, err) &&
	     resolve_read_list(ret, buf_str(&text), err) && hash_all(ret, err) &&
	     (!q->locked || lock_verify(q->locked, ret, err));
	buf_release(&text);
	return ok;
}

static bool attempt(const struct resolve_request *q, struct lock *ret, struct err *err)
{
	struct arena a = {0};
	const char *tmp = getenv("TMPDIR");
	char *dir;
	bool ok = fs_mkdtemp(&a, tmp && *tmp ? tmp : "/tmp", "tenon-resolve-", &dir, err);
	if (ok) {
		struct err late = {0};
		ok = ask(q, &a, dir, ret, err);
		if (!fs_remove_tree(dir, &late) && ok) {
			err_move(err, &late);
			ok = false;
		}
		err_clear(&late);
	}
	arena_release(&a);
	return ok;
}

static void forget_jars(struct lock *l)
{
	vec_clear(&l->jars);
}

/* Marks the libraries of the tests that the failure speaks of, or all of them where it speaks of none. False: there is
 * none left. */
static bool leave_out(const struct deps_project *d, const struct err *failure, bool *left_out)
{
	struct arena a = {0};
	struct buf text = {0};
	bool named = false, any = false;
	err_format(failure, &text);
	for (int all = 0; all < 2 && !named; all++)
		for (size_t i = 0; i < d->deps.len; i++) {
			const struct deps_dep *dep = &d->deps.ptr[i];
			struct str name = str_fmt(&a, "%.*s:%.*s:", STR_ARG(dep->group), STR_ARG(dep->artifact));
			if (dep->scope != DEPS_TEST || left_out[i] ||
			    (!all && str_search(buf_str(&text), name) == text.len))
				continue;
			left_out[i] = any = true;
			named |= !all;
		}
	buf_release(&text);
	arena_release(&a);
	return any;
}

static void name_left_out(const struct deps_project *d, const bool *left_out, struct lock *ret)
{
	struct buf b = {0};
	for (size_t i = 0; i < d->deps.len; i++)
		if (left_out[i])
			buf_addf(&b, "%s%.*s/%.*s", b.len ? ", " : "", STR_ARG(d->deps.ptr[i].group),
			         STR_ARG(d->deps.ptr[i].artifact));
	if (b.len)
		ret->left_out = str_fmt(&ret->arena, "%s can't be had", buf_cstr(&b));
	buf_release(&b);
}

bool resolve(const struct resolve_request *q, struct lock *ret, struct err *err)
{
	struct resolve_request again = *q;
	struct err why = {0};
	bool *left_out = xcalloc(q->project->deps.len + 1, sizeof(*left_out));
	/* What a pom.xml of the project's own, or a lock, asks for is asked for. */
	bool fixed = q->project->kind == DEPS_POM || q->locked;
	again.left_out = left_out;
	bool ok = attempt(&again, ret, &why);
	while (!ok && !fixed && why.kind == ERR_ENVIRONMENT && leave_out(q->project, &why, left_out)) {
		err_clear(&why);
		forget_jars(ret);
		ok = attempt(&again, ret, &why);
	}
	if (ok)
		name_left_out(q->project, left_out, ret);
	else
		err_move(err, &why);
	err_clear(&why);
	free(left_out);
	return ok;
}
