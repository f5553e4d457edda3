/* The structured log: lines that parse, a trace that pairs, the newest kept, a full disk, and what it costs. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "cli/log.h"
#include "os/clock.h"
#include "os/fs.h"

static struct log *open_log(const char *folder, const char *file, int64_t real_s, int pid)
{
	static const char *const argv[] = {"tenon", "build", "a\"b", NULL};
	struct err err = {0};
	struct log_config c = {.folder = folder,
	                       .file = file,
	                       .real_ns = real_s * 1000000000,
	                       .mono_ns = 5,
	                       .pid = pid,
	                       .version = STR("0.1"),
	                       .argv = argv};
	struct log *l = log_open(&c, &err);
	if (!l)
		printf("# %s\n", buf_cstr(&err.message));
	err_clear(&err);
	return l;
}

static void send(struct log *l, struct event e)
{
	event_emit(log_sink(l), &e);
}

static void send_build(struct log *l)
{
	struct diagnostic d = {.severity = SEVERITY_WARNING,
	                       .kind = STR("undefined-function"),
	                       .path = STR("/s/a.lisp"),
	                       .message = STR("two\n\"lines\""),
	                       .line = 3,
	                       .col = 5,
	                       .cached = true};
	send(l, (struct event){.kind = EVENT_BUILD_START, .id = 1, .at_ns = 1000001, .label = STR("x")});
	send(l, (struct event){.kind = EVENT_PHASE_START, .id = 2, .at_ns = 1000002, .label = STR("plan")});
	send(l, (struct event){.kind = EVENT_PHASE_FINISH, .id = 2, .at_ns = 1000003});
	send(l, (struct event){.kind = EVENT_ACTION_START,
	                       .id = 3,
	                       .at_ns = 2000004,
	                       .label = STR("a.lisp"),
	                       .lane = 2,
	                       .reason = STR("no result")});
	send(l, (struct event){.kind = EVENT_STEP_START, .id = 4, .at_ns = 2000005, .label = STR("load b"), .lane = 9});
	send(l, (struct event){.kind = EVENT_STEP_FINISH, .id = 4, .at_ns = 2000006, .lane = 9});
	send(l, (struct event){.kind = EVENT_DIAGNOSTIC, .at_ns = 2000007, .diagnostic = &d});
	send(l, (struct event){.kind = EVENT_ACTION_FINISH,
	                       .id = 3,
	                       .at_ns = 3000008,
	                       .label = STR("a.lisp"),
	                       .lane = 7,
	                       .outcome = OUTCOME_RAN,
	                       .cpu_ns = 42000000});
	send(l, (struct event){.kind = EVENT_ACTION_FINISH,
	                       .at_ns = 3000009,
	                       .label = STR("b.lisp"),
	                       .outcome = OUTCOME_CACHED,
	                       .lax = 2,
	                       .missed = STR("A::B\npackage C")});
	send(l, (struct event){.kind = EVENT_ACTION_START, .id = 5, .at_ns = 3000010, .label = STR("c.lisp")});
}

static void read_file(const char *path, struct buf *out)
{
	struct err err = {0};
	buf_clear(out);
	if (!fs_read(path, out, &err))
		printf("# %s\n", buf_cstr(&err.message));
	err_clear(&err);
}

static size_t occurrences(const struct buf *b, const char *what)
{
	size_t n = 0;
	struct str rest = buf_str(b), needle = str_from(what);
	for (size_t at = str_search(rest, needle); at < rest.len; at = str_search(rest, needle)) {
		n++;
		rest = str_drop(rest, at + needle.len);
	}
	return n;
}

static bool has(const struct buf *b, const char *what)
{
	return occurrences(b, what) > 0;
}

/* Skips one JSON value, strictly enough to find what no reader would accept; returns false on an error. Nesting is as
 * shallow as this log's. */
static bool skip_value(struct str *s)
{
	unsigned depth = 0;
	bool want_value = true;
	while (s->len) {
		char c = s->ptr[0];
		*s = str_drop(*s, 1);
		if (c == ' ' || c == '\n')
			continue;
		if (want_value && (c == '{' || c == '[')) {
			depth++;
			want_value = !(s->len && (s->ptr[0] == '}' || s->ptr[0] == ']'));
			continue;
		}
		if (c == '}' || c == ']') {
			if (want_value || depth-- == 0)
				return false;
		} else if (c == ',' || c == ':') {
			if (want_value)
				return false;
			want_value = true;
			continue;
		} else if (c == '"') {
			if (!want_value)
				return false;
			while (s->len && s->ptr[0] != '"') {
				if ((unsigned char)s->ptr[0] < 0x20)
					return false;
				*s = str_drop(*s, s->ptr[0] == '\\' ? 2 : 1);
			}
			if (!s->len)
				return false;
			*s = str_drop(*s, 1);
		} else {
			if (!want_value || !strchr("-0123456789tfn", c))
				return false;
			while (s->len && strchr("0123456789.eE+-rualsl", s->ptr[0]))
				*s = str_drop(*s, 1);
		}
		want_value = false;
		if (depth == 0)
			return true;
	}
	return false;
}

static bool is_json(struct str s)
{
	s = str_trim(s);
	return skip_value(&s) && s.len == 0;
}

static void check_lines(const char *path)
{
	struct buf b = {0};
	read_file(path, &b);
	struct str rest = buf_str(&b), line;
	size_t n = 0, bad = 0;
	for (; rest.len && str_cut(&rest, '\n', &line); n++)
		bad += !is_json(line);
	tap_eq_int((int64_t)n, 11, "a line for each event and a first one");
	tap_eq_int((int64_t)bad, 0, "each line is JSON");
	tap_ok(has(&b, "\"event\":\"log\",\"ns\":5,\"real_ns\":1700000000000000000") && has(&b, "\"a\\\"b\"]"),
	       "the first line has both clocks and the command");
	tap_ok(has(&b, "{\"event\":\"action-start\",\"ns\":2000004,\"id\":3,\"label\":\"a.lisp\",\"lane\":2") &&
	               has(&b, "{\"event\":\"action-finish\",\"ns\":3000008,\"id\":3,\"label\":\"a.lisp\",\"lane\":7,"
	                       "\"outcome\":\"ran\""),
	       "start and finish have one id");
	tap_ok(has(&b,
	           "\"severity\":\"warning\",\"kind\":\"undefined-function\",\"message\":\"two\\n\\\"lines\\\"\"") &&
	               has(&b, "\"cached\":true"),
	       "a diagnostic in full");
	tap_ok(has(&b, "\"lax\":2,\"missed\":[\"A::B\",\"package C\"]") && occurrences(&b, "\"lax\"") == 1,
	       "what an action lacked, of those that lacked something");
	buf_release(&b);
}

static void check_trace(const char *path)
{
	struct buf b = {0};
	read_file(path, &b);
	tap_ok(is_json(buf_str(&b)), "the trace is JSON");
	tap_eq_int((int64_t)occurrences(&b, "\"ph\":\"B\""), 5, "starts");
	tap_eq_int((int64_t)occurrences(&b, "\"ph\":\"E\""), 5, "ends, those of what never finished included");
	tap_ok(has(&b, "{\"ph\":\"B\",\"pid\":2,\"tid\":2,\"ts\":2000.004,\"name\":\"a.lisp\""),
	       "nanoseconds as decimals");
	tap_ok(has(&b, "{\"ph\":\"E\",\"pid\":2,\"tid\":2,\"ts\":3000.008"), "an end is on its start's track");
	tap_ok(has(&b, "\"ph\":\"i\",\"pid\":2,\"tid\":0,\"ts\":3000.009,\"name\":\"b.lisp\""),
	       "a cached action is a moment");
	tap_ok(has(&b, "\"cpu_ms\":42,\"outcome\":\"ran\""), "arguments");
	buf_release(&b);
}

static void test_files(struct arena *a, const char *dir)
{
	struct err err = {0};
	char *folder = path_join(a, dir, "deep/log"), *copy = path_join(a, dir, "copy.jsonl");
	struct log *l = open_log(folder, copy, 1700000000, 77);
	if (!tap_ok(l != NULL, "opened, with its folder"))
		return;
	tap_eq_str(str_from(log_id(l)), STR("20231114-221320-77"), "id");
	send_build(l);
	struct buf b = {0}, c = {0};
	char *lines = path_join(a, folder, "20231114-221320-77.jsonl");
	char *trace = path_join(a, folder, "20231114-221320-77.trace.json");
	read_file(lines, &b);
	tap_ok(has(&b, "\"c.lisp\""), "what runs is on disk before it ends");
	read_file(trace, &b);
	tap_ok(!is_json(buf_str(&b)), "an open trace lacks its bracket");
	buf_addz(&b, "]");
	tap_ok(is_json(buf_str(&b)), "and nothing else");
	tap_ok(log_close(l, &err), "closed");
	check_lines(lines);
	check_trace(trace);
	read_file(lines, &b);
	read_file(copy, &c);
	tap_ok(b.len > 0 && str_eq(buf_str(&b), buf_str(&c)), "--log has the same lines");
	buf_release(&b);
	buf_release(&c);
	err_clear(&err);
}

static void test_pruning(struct arena *a, const char *dir)
{
	struct err err = {0};
	StrVec names = {0};
	char *folder = path_join(a, dir, "many");
	fs_mkdirs(folder, &err);
	static const char *const others[] = {"00000000-notes.jsonl", "20000101-000000-1.txt", "20000101-000000.jsonl"};
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fs_write_atomic(path_join(a, folder, others[i]), STR("mine"), 0600, false, &err);
	for (int i = 0; i < 25; i++)
		log_close(open_log(folder, NULL, 1700000000 + i, 5), &err);
	tap_ok(fs_list(a, folder, &names, &err), "listed");
	tap_eq_int((int64_t)names.len, 2 * LOG_KEEP + 3, "the newest 20 builds and what is not ours");
	tap_ok(access(path_join(a, folder, "20231114-221324-5.jsonl"), F_OK) != 0 &&
	               access(path_join(a, folder, "20231114-221325-5.trace.json"), F_OK) == 0,
	       "the oldest went");
	vec_release(&names);
	err_clear(&err);
}

static void test_bad_places(struct arena *a, const char *dir)
{
	struct err err = {0};
	struct log_config c = {.folder = path_join(a, dir, "file/log"), .pid = 1};
	fs_write_atomic(path_join(a, dir, "file"), STR(""), 0600, false, &err);
	tap_ok(!log_open(&c, &err) && err.kind != ERR_NONE, "a folder that can't be");
	err_clear(&err);
	struct log *l = open_log(NULL, "/dev/full", 1700000000, 1);
	tap_ok(l != NULL, "a full disk is noticed late");
	send_build(l);
	tap_ok(!log_close(l, &err) && err.kind == ERR_ENVIRONMENT, "and told at the end");
	err_clear(&err);
}

/* 20,000 executed actions with their events. The bound is a fiftieth of the 10 ms that the shortest compile takes. */
static void test_cost(struct arena *a, const char *dir)
{
	enum { N = 20000 };
	struct log *l = open_log(path_join(a, dir, "cost"), NULL, 1700000000, 1);
	int64_t from = clock_mono_ns();
	for (unsigned i = 0; i < N; i++) {
		send(l, (struct event){.kind = EVENT_ACTION_START,
		                       .id = 2 * i + 1,
		                       .at_ns = clock_mono_ns(),
		                       .label = STR("ironclad/src/ciphers/aes.lisp"),
		                       .lane = i % 4});
		send(l, (struct event){.kind = EVENT_ACTION_FINISH,
		                       .id = 2 * i + 1,
		                       .at_ns = clock_mono_ns(),
		                       .label = STR("ironclad/src/ciphers/aes.lisp"),
		                       .lane = i % 4});
	}
	log_close(l, NULL);
	double each = (double)(clock_mono_ns() - from) / N / 1000;
	printf("# %.1f us for an action's two events, flushed\n", each);
	tap_ok(each < 200, "an action's events cost under 200 us");
}

int main(void)
{
	struct arena a = {0};
	struct err err = {0};
	char *dir;
	if (!tap_ok(fs_mkdtemp(&a, "/tmp", "tenon-log-", &dir, &err), "folder"))
		return tap_done();
	test_files(&a, dir);
	test_pruning(&a, dir);
	test_bad_places(&a, dir);
	test_cost(&a, dir);
	tap_ok(fs_remove_tree(dir, &err), "cleaned up");
	err_clear(&err);
	arena_release(&a);
	return tap_done();
}
