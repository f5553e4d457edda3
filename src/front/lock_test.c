#include "front/lock.h"

#include "base/tap.h"
#include "front/import.h"
#include "front/resolve.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char two[] = ";; c\n{:version 1 :from \"deps.edn\" :from-sha256 \"" SHA_A "\" :jars [{:lib p/q$c "
                          ":mvn/version \"2\" :scope :test :size 5 :sha256 \"" SHA_B
                          "\"} {:lib a/b :mvn/version \"1\" :sha256 \"" SHA_A "\"}]}";

static void test_round_trip(void)
{
	struct lock l = {0}, again = {0};
	struct err err = {0};
	struct buf once = {0}, twice = {0};
	if (!tap_ok(lock_read_text(&l, STR("deps.lock"), str_from(two), &err), "reads a lock"))
		return;
	tap_eq_int((int64_t)l.jars.len, 2, "two jars");
	tap_eq_str(l.jars.ptr[0].artifact, STR("b"), "sorted");
	tap_eq_str(l.jars.ptr[1].classifier, STR("c"), "a classifier");
	tap_eq_int(l.jars.ptr[1].scope, DEPS_TEST, "a scope");
	lock_print(&l, &once);
	tap_ok(lock_read_text(&again, STR("deps.lock"), buf_str(&once), &err), "what is printed reads back");
	lock_print(&again, &twice);
	tap_eq_str(buf_str(&twice), buf_str(&once), "and prints as the same");
	tap_ok(lock_verify(&l, &again, &err), "and agrees");
	buf_release(&once);
	buf_release(&twice);
	lock_release(&l);
	lock_release(&again);
}

static void refuses(const char *text, const char *want)
{
	struct lock l = {0};
	struct err err = {0};
	struct buf b = {0};
	if (tap_ok(!lock_read_text(&l, STR("deps.lock"), str_from(text), &err), "refuses %s", text)) {
		buf_addf(&b, "%u:%u %s", err.span.line, err.span.col, buf_cstr(&err.message));
		tap_eq_str(buf_str(&b), str_from(want), "says why: %s", text);
	}
	buf_release(&b);
	err_clear(&err);
	lock_release(&l);
}

static void test_refusals(void)
{
	refuses("", "1:1 not a lock of dependencies");
	refuses("{:version 2}", "1:11 a lock of another version of tenon");
	refuses("{:version 1}", "1:1 this lock has no :from-sha256, or no :jars");
	refuses("{:version 1 :from-sha256 \"" SHA_A "\" :jars [{:lib a}]}",
	        "1:100 not a library: {:lib group/artifact ...}");
	refuses("{:version 1 :from-sha256 \"" SHA_A "\" :jars [\n{:lib a/b :mvn/version \"1\" :sha256 \"12\"}]}",
	        "2:1 this library has no :sha256 of 64 hexadecimal digits");
	refuses("{:version 1 :from-sha256 \"" SHA_A "\" :jars [\n{:lib a/b :sha256 \"" SHA_A "\"}]}",
	        "2:1 this library has no :mvn/version");
}

/* Changes one thing of the second lock. */
static void disagrees(void (*change)(struct lock *l), const char *want)
{
	struct lock l = {0}, other = {0};
	struct err err = {0};
	CHECK(lock_read_text(&l, STR("l"), str_from(two), &err) &&
	      lock_read_text(&other, STR("l"), str_from(two), &err));
	change(&other);
	tap_ok(!lock_verify(&l, &other, &err), "disagrees: %s", want);
	tap_eq_str(buf_str(&err.message), str_from(want), "message: %s", want);
	err_clear(&err);
	lock_release(&l);
	lock_release(&other);
}

static void drop_first(struct lock *l)
{
	l->jars.ptr[0] = l->jars.ptr[1];
	l->jars.len = 1;
}
static void drop_last(struct lock *l)
{
	l->jars.len = 1;
}
static void add_one(struct lock *l)
{
	struct lock_jar j = l->jars.ptr[1];
	j.artifact = STR("z");
	vec_push(&l->jars, j);
}
static void change_version(struct lock *l)
{
	l->jars.ptr[0].version = STR("9");
}
static void change_bytes(struct lock *l)
{
	l->jars.ptr[0].sha256.bytes[0] ^= 1;
}

static void test_resolve_texts(void)
{
	struct lock l = {0};
	struct err err = {0};
	struct buf b = {0};
	struct deps_project d = {0};
	tap_ok(resolve_read_list(
	               &l,
	               STR("\nThe following files have been resolved:\n   p:q:jar:c:2:test:/m/q-2-c.jar\n"
	                   "   a:b:jar:1:compile:/m/b 1.jar -- module a.b (auto)\n   a:p:pom:1:compile:/m/p.pom\n"),
	               &err),
	       "reads Maven's list");
	tap_eq_int((int64_t)l.jars.len, 2, "a pom is no jar");
	tap_eq_str(l.jars.ptr[0].path, STR("/m/b 1.jar"), "a path with a module behind it");
	tap_eq_str(l.jars.ptr[1].classifier, STR("c"), "a classifier");
	tap_eq_str(l.jars.ptr[1].version, STR("2"), "and the version behind it");
	CHECK(deps_read_text(
	        &d, DEPS_EDN, STR("deps.edn"),
	        STR("{:deps {a/b {:mvn/version \"<1>\" :exclusions [x/y]}} :aliases {:test {:extra-deps {a/b "
	            "{:mvn/version \"2\"} t/t {:mvn/version \"3\"}}}}}"),
	        &err));
	resolve_print_pom(&(struct resolve_request){.project = &d}, &b);
	struct str want =
	        STR("<dependencies>\n<dependency><groupId>a</groupId><artifactId>b</artifactId>"
	            "<version>&lt;1&gt;</version><scope>compile</scope><exclusions><exclusion><groupId>x</groupId>"
	            "<artifactId>y</artifactId></exclusion></exclusions></"
	            "dependency>\n<dependency><groupId>org.clojure</groupId>"
	            "<artifactId>clojure</artifactId><version>1.11.1</version><scope>compile</scope><exclusions>"
	            "</exclusions></dependency>\n<dependency><groupId>t"
	            "</groupId><artifactId>t</artifactId><version>3</version><scope>test</scope><exclusions>"
	            "</exclusions></dependency>\n</dependencies></project>\n");
	tap_ok(str_search(buf_str(&b), want) < b.len, "the pom.xml that is asked with; the project's own come first");
	tap_ok(!resolve_read_list(&l, STR("rub:bish\n"), &err), "a line that is not understood");
	tap_eq_int(err.kind, ERR_ENVIRONMENT, "is not the user's fault");
	err_clear(&err);
	buf_release(&b);
	deps_project_release(&d);
	lock_release(&l);
}

static void test_names(void)
{
	struct lock l = {0};
	struct arena a = {0};
	vec_push(&l.jars, (struct lock_jar){.group = STR("g"), .artifact = STR("x"), .version = STR("1")});
	vec_push(&l.jars, (struct lock_jar){.group = STR("h"), .artifact = STR("x"), .version = STR("2")});
	vec_push(&l.jars,
	         (struct lock_jar){
	                 .group = STR("h"), .artifact = STR("y"), .version = STR("3"), .classifier = STR("c")});
	tap_eq_str(import_target_name(&a, &l, 0), STR("g.x"), "a shared name has its group");
	tap_eq_str(import_jar_name(&a, &l, 1), STR("h.x-2.jar"), "in the jar's name too");
	tap_eq_str(import_target_name(&a, &l, 2), STR("y-c"), "a classifier");
	tap_eq_str(import_jar_name(&a, &l, 2), STR("y-3-c.jar"), "in the jar's name too");
	vec_release(&l.jars);
	arena_release(&a);
}

int main(void)
{
	test_round_trip();
	test_refusals();
	disagrees(drop_first, "library a/b 1 is in deps.lock but was not found");
	disagrees(drop_last, "library p/q 2 is in deps.lock but was not found");
	disagrees(add_one, "library p/z 2 was found but is not in deps.lock");
	disagrees(change_version, "library a/b 1 is in deps.lock, but another version was found");
	disagrees(change_bytes, "library a/b 1 has another content than deps.lock says");
	test_resolve_texts();
	test_names();
	return tap_done();
}
