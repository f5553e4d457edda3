/* Jars made of small folders and archives, and of Debian's Clojure, which Java then runs. */
#include "rules/jar.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fs.h"
#include "wire/fake_zip.h"

static struct arena arena;
static const char *dir;

static const char *in_dir(const char *rel)
{
	return path_join(&arena, dir, rel);
}

static void file(const char *rel, const char *text)
{
	const char *path = in_dir(rel);
	CHECK(fs_mkdirs_parent(path, NULL));
	CHECK(fs_write_atomic(path, str_from(text), 0644, false, NULL));
}

/* An archive of names and texts, in pairs, ended by NULL. */
static void archive(const char *rel, const char *const *pairs)
{
	struct buf out = {0};
	fake_zip(pairs, &out);
	CHECK(fs_write_atomic(in_dir(rel), buf_str(&out), 0644, false, NULL));
	buf_release(&out);
}

static bool is_archive(const char *path)
{
	return str_has_suffix(str_from(path), STR(".jar"));
}

/* Writes `out` from the inputs, a list ended by NULL; all names relative to the folder. */
static bool write_jar(const char *out, const char *const *inputs, struct jar_report *report, struct err *err)
{
	struct jar_input in[8] = {0};
	struct jar_request r = {.inputs = in, .threads = 3, .main = STR("my-app.main")};
	for (; *inputs; inputs++)
		in[r.ninputs++] = (struct jar_input){
		        .path = in_dir(*inputs), .label = str_from(*inputs), .archive = is_archive(*inputs)};
	return jar_write(&arena, &r, in_dir(out), report, err);
}

static struct str entry(const char *jar, const char *name)
{
	struct buf bytes = {0}, out = {0};
	struct zip zip;
	struct str text = {0};
	CHECK(fs_read(in_dir(jar), &bytes, NULL) && zip_open(str_from(jar), buf_str(&bytes), &zip, NULL));
	const struct zip_entry *e = zip_find(&zip, str_from(name));
	if (e && zip_read(&zip, e, &out, NULL))
		text = str_dup(&arena, buf_str(&out));
	zip_close(&zip);
	buf_release(&bytes);
	buf_release(&out);
	return text;
}

static struct str whole(const char *jar)
{
	struct buf bytes = {0};
	CHECK(fs_read(in_dir(jar), &bytes, NULL));
	struct str s = str_dup(&arena, buf_str(&bytes));
	buf_release(&bytes);
	return s;
}

static void refuses(const char *const *inputs, const char *message, const char *what)
{
	struct err err = {0};
	struct jar_report report;
	struct file_sig sig;
	tap_ok(!write_jar("refused.jar", inputs, &report, &err), "%s is an error", what);
	tap_eq_str(buf_str(&err.message), str_from(message), "which says so");
	CHECK(fs_stat(in_dir("refused.jar"), &sig, NULL));
	tap_ok(!sig.mode, "and leaves no file");
	err_clear(&err);
}

static void make_inputs(void)
{
	file("app/my_app/main__init.class", "class");
	file("app/my_app/main.clj", "(ns my-app.main)");
	file("app/data_readers.clj", ";; ours\n{a/x my.ns/x ; one\n a/y my.ns/y}");
	archive("a.jar", (const char *[]){"META-INF/MANIFEST.MF",
	                                  "Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\nName: x\r\nSHA: y\r\n",
	                                  "META-INF/A.SF",
	                                  "signature",
	                                  "META-INF/A.RSA",
	                                  "key",
	                                  "META-INF/LICENSE",
	                                  "licence A",
	                                  "META-INF/services/s.S",
	                                  "# one\na.First\nboth.B\n",
	                                  "data_readers.clj",
	                                  "{a/x my.ns/x #_ignored b/z #?(:clj b.ns/z)}",
	                                  "META-INF/versions/9/v/V.class",
	                                  "V 9",
	                                  "v/V.class",
	                                  "V",
	                                  "module-info.class",
	                                  "m",
	                                  "lib/core.clj",
	                                  "(ns lib.core)",
	                                  NULL});
	archive("b.jar", (const char *[]){"META-INF/license/zlib.txt", "zlib", "META-INF/LICENSE", "licence B",
	                                  "META-INF/services/s.S", "both.B\nb.Last", "v/V.class", "other V",
	                                  "META-INF/versions/9/w/W.class", "dead: no Multi-Release", "lib/core.clj",
	                                  "(ns lib.core \"older\")", "lib/core__init.class", "older", NULL});
}

static void test_merging(void)
{
	struct jar_report r;
	struct err err = {0};
	make_inputs();
	tap_ok(write_jar("all.jar", (const char *[]){"app", "a.jar", "b.jar", NULL}, &r, &err), "a jar is written");
	tap_eq_str(entry("all.jar", "META-INF/MANIFEST.MF"),
	           STR("Manifest-Version: 1.0\r\nMain-Class: my_app.main\r\nMulti-Release: true\r\n\r\n"), "manifest");
	tap_eq_str(entry("all.jar", "META-INF/services/s.S"), STR("a.First\nboth.B\nb.Last\n"), "services are joined");
	tap_eq_str(entry("all.jar", "data_readers.clj"), STR("{a/x my.ns/x\n a/y my.ns/y\n b/z #?(:clj b.ns/z)}\n"),
	           "data readers are merged");
	tap_eq_str(entry("all.jar", "META-INF/LICENSE.txt"), STR("licence A\n\n-------- and: --------\n\nlicence B"),
	           "both licences are kept, out of the folder's way");
	tap_ok(!entry("all.jar", "META-INF/A.SF").ptr && !entry("all.jar", "META-INF/A.RSA").ptr,
	       "signatures are left out");
	tap_eq_str(entry("all.jar", "v/V.class"), STR("V"), "the first input wins");
	tap_eq_str(entry("all.jar", "META-INF/versions/9/v/V.class"), STR("V 9"), "with its versions");
	tap_ok(!entry("all.jar", "META-INF/versions/9/w/W.class").ptr, "versions that were none stay none");
	tap_ok(!entry("all.jar", "lib/core__init.class").ptr, "classes of a source that lost are left out");
	tap_ok(!entry("all.jar", "module-info.class").ptr, "a library's module is left out");
	struct buf notes = {0};
	for (size_t i = 0; i < r.notes.len; i++) {
		jar_note_text(&r.notes.ptr[i], &notes);
		buf_addc(&notes, '\n');
	}
	tap_eq_str(buf_str(&notes),
	           STR("\"META-INF/LICENSE\": a folder in \"b.jar\", so the file of \"a.jar\" becomes "
	               "\"META-INF/LICENSE.txt\"\n"
	               "\"lib/core.clj\": that of \"a.jar\" is kept, not that of \"b.jar\"\n"
	               "\"lib/core__init.class\": left out of \"b.jar\", since the source is that of \"a.jar\"\n"
	               "\"v/V.class\": that of \"a.jar\" is kept, not that of \"b.jar\"\n"),
	           "the report tells");
	buf_release(&notes);
	jar_report_release(&r);

	/* In two steps, in another time zone. */
	setenv("TZ", "Asia/Tokyo", 1);
	tap_ok(write_jar("sub/layer.jar", (const char *[]){"a.jar", "b.jar", NULL}, &r, &err), "a layer is written");
	jar_report_release(&r);
	tap_ok(write_jar("sub/all.jar", (const char *[]){"app", "sub/layer.jar", NULL}, &r, &err), "and used");
	jar_report_release(&r);
	unsetenv("TZ");
	tap_ok(str_eq(whole("all.jar"), whole("sub/all.jar")), "two steps give the same bytes as one");
	err_clear(&err);
}

static void test_refusals(void)
{
	archive("r1.jar", (const char *[]){"data_readers.clj", "{a/x one/x}", "A.clj", "", "c", "", NULL});
	archive("r2.jar", (const char *[]){"data_readers.clj", "{a/x two/x}", NULL});
	archive("r3.jar", (const char *[]){"data_readers.clj", "{a/x two/x", NULL});
	archive("r4.jar", (const char *[]){"a.clj", "", NULL});
	archive("r5.jar", (const char *[]){"c/d", "", NULL});
	file("cut.jar", "PK");
	refuses((const char *[]){"r1.jar", "r2.jar", NULL},
	        "the data reader \"a/x\" is \"one/x\" in \"r1.jar\", but \"two/x\" in \"r2.jar\"",
	        "a reader of two meanings");
	refuses((const char *[]){"r3.jar", NULL},
	        "the data readers of \"r3.jar\" can't be merged: they are not one map", "a map without its end");
	refuses((const char *[]){"r1.jar", "r4.jar", NULL},
	        "\"A.clj\" of \"r1.jar\" and \"a.clj\" of \"r4.jar\" differ in case only", "a collision of case");
	refuses((const char *[]){"r1.jar", "r5.jar", NULL}, "\"c\" is a file in \"r1.jar\" and a folder in \"r5.jar\"",
	        "a file against a folder");
	refuses((const char *[]){"cut.jar", NULL}, "\"cut.jar\" is not a zip archive that can be read: it is too short",
	        "a cut archive");
}

static void test_manifest(void)
{
	struct buf b = {0};
	struct str longest =
	        STR("caf\xc3\xa9 0123456789 0123456789 0123456789 0123456789 0123456789 0123456\xc3\xa9 0123456789 "
	            "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 end");
	manifest_put(&b, STR("X"), longest);
	struct str rest = buf_str(&b), line;
	bool fits = true, whole_characters = true;
	while (str_cut(&rest, '\n', &line)) {
		fits = fits && line.len + 1 <= 72;
		whole_characters = whole_characters && str_utf8_prefix(line) == line.len;
	}
	tap_ok(fits, "no line is longer than 72 bytes");
	tap_ok(whole_characters, "none breaks a character");
	tap_eq_str(manifest_get(&arena, buf_str(&b), STR("x")), longest, "and it reads back");
	buf_release(&b);
}

/* What a program prints; it must exit with 0. */
static struct str output_of(const char *const *argv)
{
	int fds[2];
	struct buf out = {0};
	CHECK(pipe(fds) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	char chunk[4096];
	ssize_t n;
	while ((n = read(fds[0], chunk, sizeof(chunk))) > 0)
		buf_add(&out, chunk, (size_t)n);
	close(fds[0]);
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status)
		tap_note("%s ended with status %d; needed are java and unzip", argv[0], status);
	struct str s = status ? STR("(failed)") : str_trim(str_dup(&arena, buf_str(&out)));
	buf_release(&out);
	return s;
}

static void test_java(void)
{
	struct jar_input in[] = {{.path = "/usr/share/java/clojure.jar", .archive = true},
	                         {.path = "/usr/share/java/spec.alpha.jar", .archive = true},
	                         {.path = "/usr/share/java/core.specs.alpha.jar", .archive = true}};
	struct jar_request r = {.inputs = in, .ninputs = 3, .main = STR("clojure.main"), .threads = 2};
	struct jar_report report;
	struct err err = {0};
	const char *jar = in_dir("clojure.jar");
	if (!tap_ok(jar_write(&arena, &r, jar, &report, &err), "an uberjar of Clojure (Debian: libclojure-java)")) {
		tap_note("%s", buf_cstr(&err.message));
		return;
	}
	tap_ok(report.copied > 3000 && report.packed == 0, "nothing is packed again");
	tap_eq_str(output_of((const char *[]){"java", "-jar", jar, "-e", "(println (+ 40 2))", NULL}), STR("42"),
	           "java -jar runs it");
	tap_eq_str(output_of((const char *[]){"unzip", "-tqq", jar, NULL}), STR(""), "unzip finds no fault");
	static const char *const stream = "(with-open [j (java.util.jar.JarInputStream. (clojure.java.io/input-stream "
	                                  "(first *command-line-args*)))] (println (.getValue (.getMainAttributes "
	                                  "(.getManifest j)) \"Main-Class\") (count (take-while some? (repeatedly "
	                                  "#(.getNextJarEntry j))))))";
	file("stream.clj", stream);
	/* The stream swallows the manifest and its folder. */
	struct str want = str_fmt(&arena, "clojure.main %llu", (unsigned long long)report.entries - 2);
	tap_eq_str(output_of((const char *[]){"java", "-jar", jar, in_dir("stream.clj"), jar, NULL}), want,
	           "JarInputStream reads all of it");
	jar_report_release(&report);
}

int main(void)
{
	char *made;
	const char *tmp = getenv("TMPDIR");
	CHECK(fs_mkdtemp(&arena, tmp ? tmp : "/tmp", "jar-test", &made, NULL));
	dir = made;
	test_merging();
	test_refusals();
	test_manifest();
	test_java();
	CHECK(fs_remove_tree(dir, NULL));
	arena_release(&arena);
	return tap_done();
}
