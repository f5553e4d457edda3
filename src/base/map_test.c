#include "base/map.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/tap.h"

static void test_small(void)
{
	struct map m = {0};
	uint64_t v = 9;
	tap_ok(!map_get(&m, STR("a"), &v) && v == 9 && !map_has(&m, STR("")), "an empty map has nothing");
	map_put(&m, STR("a"), 1);
	map_put(&m, STR(""), 2);
	map_put(&m, STR("a"), 3);
	tap_ok(map_get(&m, STR("a"), &v) && v == 3, "put replaces");
	tap_ok(map_get(&m, (struct str){0}, &v) && v == 2, "the empty key");
	tap_ok(!map_add(&m, STR("a"), 4, &v) && v == 3, "add does not replace, and says what is there");
	tap_ok(!map_add(&m, STR("a"), 4, NULL), "add without asking");
	tap_ok(map_add(&m, STR("a\0"), 5, &v) && v == 3, "a key with NUL is another key");
	tap_ok(map_get(&m, STR("a\0"), NULL), "get without a value");
	tap_eq_int(m.entries.len, 3, "three entries");
	tap_ok(str_eqc(m.entries.ptr[0].key, "a") && str_eqc(m.entries.ptr[1].key, ""), "in order of insertion");
	map_release(&m);
	tap_ok(!map_has(&m, STR("a")), "released and usable");
}

/* The longest run of used slots: what a search may have to walk. */
static size_t longest_run(const struct map *m)
{
	size_t longest = 0, run = 0;
	for (size_t i = 0; i < m->nslots; i++) {
		run = m->slots[i] ? run + 1 : 0;
		longest = MAX(longest, run);
	}
	return longest;
}

static void test_million(const char *name, const char *before, const char *after, unsigned step)
{
	enum { N = 1000000 };
	struct arena a = {0};
	struct map m = {0};
	char key[64];
	for (unsigned i = 0; i < N; i++) {
		int n = snprintf(key, sizeof(key), "%s%u%s", before, i * step, after);
		map_put(&m, str_dup(&a, str_n(key, (size_t)n)), i);
	}
	tap_eq_int(m.entries.len, N, "%s: a million keys", name);
	unsigned wrong = 0;
	for (unsigned i = 0; i < N; i++) {
		uint64_t v;
		int n = snprintf(key, sizeof(key), "%s%u%s", before, i * step, after);
		wrong += !map_get(&m, str_n(key, (size_t)n), &v) || v != i;
		key[n - 1] ^= 0x40;
		wrong += map_has(&m, str_n(key, (size_t)n));
	}
	tap_eq_int(wrong, 0, "%s: all are found, others are not", name);
	/* Linear probing with a good hash at 3/4 full: a run of a thousand would be a sign of a bad one. */
	tap_ok(longest_run(&m) < 1000, "%s: keys are spread, longest run %zu", name, longest_run(&m));
	map_release(&m);
	arena_release(&a);
}

static void test_intern(void)
{
	struct arena a = {0};
	struct intern in = {.arena = &a};
	char word[] = "alpha";
	tap_eq_int(intern_id(&in, str_from(word)), 0, "ids from 0");
	word[0] = 'A';
	tap_eq_int(intern_id(&in, str_from(word)), 1, "another string, another id");
	tap_eq_int(intern_id(&in, STR("alpha")), 0, "equal strings, equal ids");
	tap_eq_str(intern_str(&in, 0), STR("alpha"), "its bytes are its own");
	tap_eq_int(intern_id(&in, STR("")), 2, "the empty string has an id");
	intern_release(&in);
	arena_release(&a);
}

/* An impossible state must end the process, in every build. */
static void test_bug_aborts(void)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct intern in = {0};
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		intern_str(&in, 5);
		_exit(0);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "an id that was never given aborts");
}

int main(void)
{
	test_small();
	test_million("numbers", "", "", 1);
	test_million("paths", "/usr/share/common-lisp/source/system-", "/package.lisp", 1);
	test_million("multiples", "", "", 4096);
	test_intern();
	test_bug_aborts();
	return tap_done();
}
