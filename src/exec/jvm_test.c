#include "exec/jvm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tap.h"
#include "os/fs.h"
#include "os/process.h"

/* A folder that looks like a JDK of that version. */
static const char *fake_jdk(struct arena *a, const char *dir, const char *version, bool compiler)
{
	const char *home = str_fmt(a, "%s/jdk-%s", dir, version).ptr;
	const char *const programs[] = {"bin/java", "bin/javac"};
	for (size_t i = 0; i < (compiler ? 2 : 1); i++) {
		char *path = path_join(a, home, programs[i]);
		fs_mkdirs_parent(path, NULL);
		fs_write_atomic(path, STR("#!/bin/sh\nexit 1\n"), 0755, false, NULL);
	}
	fs_write_atomic(path_join(a, home, "release"), str_fmt(a, "IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"%s\"\n", version),
	                0644, false, NULL);
	return path_join(a, home, "bin/java");
}

static void fails(struct arena *a, const struct jvm_spec *spec, const char *text, const char *name)
{
	struct jvm_toolchain tc;
	struct err err = {0};
	struct buf shown = {0};
	bool ok = jvm_find(&tc, a, spec, &err);
	err_format(&err, &shown);
	if (!tap_ok(!ok && str_search(buf_str(&shown), str_from(text)) < shown.len, "%s", name))
		tap_eq_str(buf_str(&shown), str_from(text), "%s: the text", name);
	if (ok)
		jvm_release(&tc);
	buf_release(&shown);
	err_clear(&err);
}

static void test_find(struct arena *a, const char *dir)
{
	const char *jars[] = {path_join(a, dir, "clojure.jar")};
	struct filecache *files = filecache_load("");
	struct jvm_spec spec = {.search = "/nonexistent", .clojure = jars, .nclojure = 1, .files = files};
	fs_write_atomic(jars[0], STR("a jar"), 0644, false, NULL);
	unsetenv("JAVA_HOME");
	fails(a, &spec, "no Java is installed", "no Java in PATH");
	spec.java = "/nonexistent/java";
	fails(a, &spec, "there is no Java at \"/nonexistent/java\"", "a named Java that is not there");
	spec.java = fake_jdk(a, dir, "11.0.2", true);
	fails(a, &spec, "is Java 11.0.2, which is too old", "a Java that is too old");
	spec.java = fake_jdk(a, dir, "17", false);
	fails(a, &spec, "without a compiler", "a Java without javac");
	spec.java = fake_jdk(a, dir, "21.0.1", true);
	fails(a, &spec, "there is no \"", "a JDK that lacks parts");
	spec.nclojure = 0;
	fails(a, &spec, "no Clojure is among the dependencies", "no Clojure");
	filecache_free(files);
}

static void on_done(struct jvm_job *job, const struct jvm_result *result)
{
	tap_ok(result->outcome == JVM_NO_START, "%.*s: it does not start: %.*s", STR_ARG(job->label),
	       STR_ARG(result->text));
	*(unsigned *)job->ctx += 1;
}

/* A Java that ends at once, or hangs before it connects, fails the jobs that wait for it; none is left waiting. */
static void test_no_start(struct arena *a, const char *dir)
{
	char *java = path_join(a, dir, "fails");
	fs_write_atomic(java, STR("#!/bin/sh\nexit 3\n"), 0755, false, NULL);
	struct jvm_toolchain tc = {
	        .arena = a, .java = java, .home = (char *)dir, .jar = (char *)"x", .archive = (char *)"x"};
	struct jvm_config config = {.loop = loop_new(), .toolchain = &tc, .session = STR(""), .threads = 2};
	struct jvm_pool *p = jvm_pool_new(&config);
	unsigned done = 0;
	struct jvm_job jobs[3];
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i] = (struct jvm_job){.kind = STR("load"),
		                           .request = STR(""),
		                           .label = i == 2 ? STR("fresh") : STR("shared"),
		                           .fresh = i == 2,
		                           .done = on_done,
		                           .ctx = &done};
		jvm_submit(p, &jobs[i]);
	}
	while (done < ARRAY_LEN(jobs))
		loop_run_once(config.loop, true);
	jvm_pool_free(p);
	loop_free(config.loop);
}

/* A worker that is none: what it does with a job is `job`, Python code, unless the request says "innocent". */
static char *fake_worker(struct arena *a, const char *dir, const char *job)
{
	char *path = path_join(a, dir, "worker");
	struct str text = str_fmt(a,
	                          "#!/usr/bin/python3\n"
	                          "import os, socket, time\n"
	                          "s = socket.socket(socket.AF_UNIX)\n"
	                          "s.connect(os.environ['TENON_SOCKET'])\n"
	                          "f = s.makefile('rwb')\n"
	                          "def say(text):\n"
	                          "    f.write(b'%%d\\n%%s' %% (len(text), text)); f.flush()\n"
	                          "def read():\n"
	                          "    return f.read(int(f.readline() or os._exit(0)))\n"
	                          "say(b'(:hello \"\" %%d)' %% os.getpid())\n"
	                          "read()\n"
	                          "say(b'(:answer 1 :status :ok)')\n"
	                          "while True:\n"
	                          "    job = read()\n"
	                          "    id = job.split()[1]\n"
	                          "    if b'innocent' in job:\n"
	                          "        time.sleep(0.05)\n"
	                          "        say(b'(:answer %%s :status :ok)' %% id)\n"
	                          "        continue\n"
	                          "    say(b'(:progress %%s :current \"the job\")' %% id)\n"
	                          "    %s\n",
	                          job);
	fs_write_atomic(path, text, 0755, false, NULL);
	return path;
}

struct seen {
	unsigned done, processes;
	enum jvm_outcome outcome[2];
	char text[2][80], doing[80];
};

static void on_seen(struct jvm_job *job, const struct jvm_result *result)
{
	struct seen *seen = job->ctx;
	unsigned which = job->request.len > 0; /* 1: the innocent one */
	seen->done++;
	seen->outcome[which] = result->outcome;
	snprintf(seen->text[which], sizeof(seen->text[which]), "%.*s", STR_ARG(result->text));
	if (!which)
		snprintf(seen->doing, sizeof(seen->doing), "%.*s", STR_ARG(result->doing));
}

/* Two jobs in one process, of which one goes wrong in that way. */
static void goes_wrong(struct arena *a, const char *dir, const char *how, const char *job, unsigned timeout_ms,
                       enum jvm_outcome outcome, const char *text)
{
	struct jvm_toolchain tc = {.arena = a,
	                           .java = fake_worker(a, dir, job),
	                           .home = (char *)dir,
	                           .jar = (char *)"x",
	                           .archive = (char *)"x"};
	struct jvm_config config = {.loop = loop_new(), .toolchain = &tc, .session = STR(""), .threads = 2};
	struct jvm_pool *p = jvm_pool_new(&config);
	struct seen seen = {0};
	struct jvm_job guilty = {.kind = STR("load"),
	                         .request = STR(""),
	                         .label = STR("guilty"),
	                         .timeout_ms = timeout_ms,
	                         .done = on_seen,
	                         .ctx = &seen};
	struct jvm_job innocent = {.kind = STR("load"),
	                           .request = STR(":innocent t"),
	                           .label = STR("innocent"),
	                           .done = on_seen,
	                           .ctx = &seen};
	jvm_submit(p, &guilty);
	jvm_submit(p, &innocent);
	while (seen.done < 2)
		loop_run_once(config.loop, true);
	tap_ok(seen.outcome[0] == outcome, "%s: what became of it", how);
	tap_eq_str(str_from(seen.text[0]), str_from(text), "%s: what is said", how);
	if (outcome != JVM_ANSWERED)
		tap_eq_str(str_from(seen.doing), STR("the job"), "%s: what it did last is told", how);
	tap_ok(seen.outcome[1] == JVM_ANSWERED, "%s: the other job is done all the same", how);
	jvm_pool_free(p);
	loop_free(config.loop);
}

static void test_faults(struct arena *a, const char *dir)
{
	goes_wrong(a, dir, "rubbish", "f.write(b'rubbish\\n'); f.flush(); time.sleep(60)", 0, JVM_CRASHED,
	           "it closed its connection");
	goes_wrong(a, dir, "no message", "say(b'Hello, world')", 0, JVM_CRASHED, "it sent what is not a message");
	goes_wrong(a, dir, "half a frame", "f.write(b'100\\nabc'); f.flush(); os.kill(os.getpid(), 9)", 0, JVM_CRASHED,
	           "signal 9 (killed)");
	goes_wrong(a, dir, "exit", "os._exit(7)", 0, JVM_CRASHED, "exit code 7");
	goes_wrong(a, dir, "deaf", "s.shutdown(2); time.sleep(60)", 0, JVM_CRASHED, "it closed its connection");
	goes_wrong(a, dir, "hung", "time.sleep(60)", 100, JVM_TIMED_OUT, "it took too long");
	goes_wrong(a, dir, "left", "say(b'(:exited %s :status :failed)' % id); time.sleep(60)", 0, JVM_ANSWERED,
	           "(:exited 2 :status :failed)");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], PROCESS_SUPERVISOR_ARG) == 0)
		process_supervisor_main(argc, argv);
	struct arena a = {0};
	char *dir;
	CHECK(fs_mkdtemp(&a, "/tmp", "tenon-jvm-test-", &dir, NULL));
	test_find(&a, dir);
	test_no_start(&a, dir);
	test_faults(&a, dir);
	fs_remove_tree(dir, NULL);
	arena_release(&a);
	return tap_done();
}
