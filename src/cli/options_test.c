/* The command line, and that all that is made from its table is right and current. */
#include <stdio.h>

#include "base/tap.h"
#include "cli/options.h"
#include "cli/source_path.h"
#include "os/fs.h"
#include "os/process.h"

#define ARGV(...) ((char *[]){"tenon", __VA_ARGS__, NULL})

static int count(char **argv)
{
	int n = 0;
	while (argv[n])
		n++;
	return n;
}

static bool parses(struct options *o, char **argv)
{
	struct err err = {0};
	bool ok = options_parse(o, count(argv), argv, &err);
	if (!ok)
		printf("# %s\n", buf_cstr(&err.message));
	err_clear(&err);
	return ok;
}

static void test_values(void)
{
	struct options o;
	if (tap_ok(parses(&o, ARGV("-C", "/p", "build", "-kj4", "a", "--config=release", "--env", "A", "--env=B", "--",
	                           "-x")),
	           "a full command line")) {
		tap_eq_int(o.command, COMMAND_BUILD, "command");
		tap_eq_str(str_from(o.directory), STR("/p"), "an option before the command");
		tap_ok(o.keep_going, "bundled letter");
		tap_eq_int(o.jobs, 4, "bundled value");
		tap_eq_str(str_from(o.config), STR("release"), "value after =");
		tap_eq_int((int)o.env.len, 2, "repeated option");
		tap_eq_str(o.env.ptr[1], STR("B"), "second value");
		tap_eq_int((int)o.args.len, 2, "words");
		tap_eq_str(o.args.ptr[1], STR("-x"), "word after --");
		tap_ok(o.sandbox, "sandbox by default");
		options_release(&o);
	}
	if (tap_ok(parses(&o, ARGV("build", "--image-memory", "2G", "--no-sandbox", "--warnings=fail", "--timeout=0",
	                           "--color=never", "-j=3")),
	           "values")) {
		tap_eq_int((long long)o.image_memory, 2ll << 30, "size");
		tap_ok(!o.sandbox, "no sandbox");
		tap_eq_str(str_from(o.warnings), STR("fail"), "word");
		tap_eq_int(o.timeout_s, 0, "no timeout");
		tap_eq_int(o.color, COLOR_NEVER, "choice");
		tap_eq_int(o.jobs, 3, "letter with =");
		options_release(&o);
	}
	if (tap_ok(parses(&o, ARGV("cache", "gc", "--max-age=30d", "--max-size=1500MiB", "--format", "json")), "gc")) {
		tap_eq_int((long long)o.max_age_s, 30 * 86400, "age");
		tap_eq_int((long long)o.max_size, 1500ll << 20, "size with iB");
		tap_eq_int(o.format, FORMAT_JSON, "format");
		options_release(&o);
	}
	if (tap_ok(parses(&o, ARGV("eval", "--module", "a", "--module=b", "(+ 1 2)")), "eval")) {
		tap_eq_int((int)o.modules.len, 2, "modules");
		tap_eq_str(o.args.ptr[0], STR("(+ 1 2)"), "form");
		options_release(&o);
	}
}

static void test_help_forms(void)
{
	struct options o;
	tap_ok(parses(&o, (char *[]){"tenon", NULL}) && o.command == COMMAND_HELP && !o.args.len, "no arguments: help");
	options_release(&o);
	tap_ok(parses(&o, ARGV("query", "-h")) && o.command == COMMAND_HELP && o.args.len == 1 &&
	               str_eqc(o.args.ptr[0], "query"),
	       "query -h is help query, without its argument");
	options_release(&o);
	tap_ok(parses(&o, ARGV("--help")) && o.command == COMMAND_HELP && !o.args.len, "--help");
	options_release(&o);
	tap_ok(parses(&o, ARGV("--version")) && o.command == COMMAND_VERSION, "--version");
	options_release(&o);
	tap_ok(parses(&o, ARGV("help", "--man")) && o.man, "help --man");
	options_release(&o);
}

static void refuses(char **argv, const char *message, const char *note)
{
	struct options o;
	struct err err = {0};
	bool ok = options_parse(&o, count(argv), argv, &err);
	tap_ok(!ok && err.kind == ERR_USER, "refused: %s", message);
	tap_eq_str(buf_str(&err.message), str_from(message), "its message");
	if (note)
		tap_eq_str(err.notes.len ? str_from(err.notes.ptr[0]) : (struct str){0}, str_from(note), "its note");
	err_clear(&err);
	if (ok)
		options_release(&o);
}

static void test_errors(void)
{
	refuses(ARGV("biuld"), "unknown command 'biuld'", "did you mean 'build'?");
	refuses(ARGV("ironclad"), "unknown command 'ironclad'", "to build a system of that name: tenon build ironclad");
	refuses(ARGV("build", "--jbos=4"), "unknown option '--jbos'", "did you mean '--jobs'?");
	refuses(ARGV("build", "--keep"), "unknown option '--keep'", "did you mean '--keep-going'?");
	refuses(ARGV("build", "-lax"), "unknown option '-l'", "did you mean '--lax'?");
	refuses(ARGV("build", "-j"), "option '--jobs' needs a value", "write --jobs=N");
	refuses(ARGV("build", "-j0"), "option '--jobs': '0' is not a number from 1 on", NULL);
	refuses(ARGV("build", "--jobs=4x"), "option '--jobs': '4x' is not a number from 1 on", NULL);
	refuses(ARGV("build", "--lax=yes"), "option '--lax' takes no value", NULL);
	refuses(ARGV("build", "--config=../x"),
	        "option '--config': '../x' is not a name of letters, digits, '-', '_' and '.'", NULL);
	refuses(ARGV("build", "--image-memory=99999999999G"),
	        "option '--image-memory': '99999999999G' is not a size such as 512M or 2G", NULL);
	refuses(ARGV("build", "--warnings=fial"), "unknown value for '--warnings' 'fial'", "did you mean 'fail'?");
	refuses(ARGV("build", "--max-size=1G"), "option '--max-size' means nothing to 'tenon build'",
	        "it belongs to 'cache'");
	refuses(ARGV("build", "-qv"), "options '--quiet' and '--verbose' exclude each other", NULL);
	refuses(ARGV("build", "--env="), "option '--env' needs a value that is not empty", NULL);
	refuses(ARGV("cache"), "'tenon cache' needs a cache operation", "usage: tenon cache stat|verify|gc");
	refuses(ARGV("cache", "verfy"), "unknown cache operation 'verfy'", "did you mean 'verify'?");
	refuses(ARGV("doctor", "x"), "'tenon doctor' has no use for 'x'", "usage: tenon doctor");
	refuses(ARGV("query"), "'tenon query' needs an expression", "usage: tenon query EXPRESSION");
	refuses(ARGV("help", "qurey"), "unknown command 'qurey'", "did you mean 'query'?");
	refuses(ARGV("-k"), "option '--keep-going' needs a command", NULL);
}

static bool contains(const struct buf *b, const char *what)
{
	return str_search(buf_str(b), str_from(what)) < b->len;
}

static void test_help_text(void)
{
	struct buf b = {0};
	options_help(COMMAND_COUNT, &b);
	for (unsigned c = 0; c < COMMAND_COUNT; c++)
		tap_ok(contains(&b, command_name((enum command)c)), "help lists %s", command_name((enum command)c));
	for (unsigned c = 0; c < COMMAND_COUNT; c++) {
		buf_clear(&b);
		options_help((enum command)c, &b);
		size_t longest = 0;
		struct str rest = buf_str(&b), line;
		while (str_cut(&rest, '\n', &line))
			longest = MAX(longest, line.len);
		tap_ok(longest < 80, "help %s fits in 80 columns (%zu)", command_name((enum command)c), longest);
	}
	buf_clear(&b);
	options_help(COMMAND_CACHE, &b);
	tap_ok(contains(&b, "--max-age=AGE") && !contains(&b, "--jobs"), "help cache has its own options only");
	buf_release(&b);
}

/* The page in docs/ is the template with the generated sections. */
static void test_man_page(void)
{
	struct arena a = {0};
	struct buf template = {0}, page = {0}, want = {0};
	struct err err = {0};
	bool ok = fs_read(source_path(&a, __FILE__, "docs/tenon.1.in"), &template, &err) &&
	          fs_read(source_path(&a, __FILE__, "docs/tenon.1"), &page, &err);
	struct str rest = buf_str(&template), line;
	unsigned places = 0;
	for (size_t left = rest.len; left && str_cut(&rest, '\n', &line); left = rest.len) {
		if (str_eqc(line, "@OPTIONS@")) {
			options_man(&want);
			places++;
		} else {
			buf_adds(&want, line);
			buf_addc(&want, '\n');
		}
	}
	tap_ok(ok && places == 1, "the template has one place for the generated sections");
	tap_ok(str_eq(buf_str(&page), buf_str(&want)), "docs/tenon.1 is current (else run scripts/man.sh)");
	buf_release(&template);
	buf_release(&page);
	buf_release(&want);
	err_clear(&err);
	arena_release(&a);
}

/* What a real bash offers at the end of a command line. */
static void bash_offers(const char *dir, const char *words, const char *expected)
{
	struct buf command = {0}, got = {0};
	struct err err = {0};
	buf_addf(&command,
	         "source ./tenon.bash; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _tenon; "
	         "echo \"${COMPREPLY[@]}\"",
	         words);
	const char *const argv[] = {"/bin/bash", "--norc", "-c", buf_cstr(&command), NULL};
	const char *const envp[] = {"LC_ALL=C", NULL};
	struct spawn_spec spec = {
	        .argv = argv, .envp = envp, .cwd = dir, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int status = -1;
	tap_ok(process_run(&spec, 60000, &got, &status, &err) && status == 0, "bash runs the script");
	tap_eq_str(str_trim(buf_str(&got)), str_from(expected), "%s", words);
	buf_release(&command);
	buf_release(&got);
	err_clear(&err);
}

static void test_completions(void)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err err = {0};
	char *dir;
	static const char *const shells[] = {"bash", "zsh", "fish"};
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		buf_clear(&b);
		tap_ok(options_completions(str_from(shells[i]), &b, &err) && contains(&b, "keep-going") &&
		               contains(&b, "load-list"),
		       "completions for %s", shells[i]);
	}
	tap_ok(!options_completions(STR("bsh"), &b, &err) && err.kind == ERR_USER, "unknown shell");
	err_clear(&err);
	buf_clear(&b);
	options_completions(STR("bash"), &b, NULL);
	bool ok = fs_mkdtemp(&a, "/tmp", "tenon-options-", &dir, &err) &&
	          fs_write_atomic(path_join(&a, dir, "tenon.bash"), buf_str(&b), 0600, false, &err) &&
	          fs_write_atomic(path_join(&a, dir, "frob.asd"), STR("x"), 0600, false, &err);
	tap_ok(ok, "files for bash");
	bash_offers(dir, "tenon bu", "build");
	bash_offers(dir, "tenon -C / cac", "cache");
	bash_offers(dir, "tenon cache \"\"", "stat verify gc");
	bash_offers(dir, "tenon build --ke", "--keep-going");
	bash_offers(dir, "tenon plan --format = j", "json");
	bash_offers(dir, "tenon plan --format d", "dot");
	bash_offers(dir, "tenon build fr", "frob");
	bash_offers(dir, "tenon doctor \"\"", "");
	tap_ok(fs_remove_tree(dir, &err), "files removed");
	err_clear(&err);
	buf_release(&b);
	arena_release(&a);
}

static void test_color(void)
{
	tap_ok(color_wanted(COLOR_AUTO, true, NULL, "xterm"), "colours on a terminal");
	tap_ok(!color_wanted(COLOR_AUTO, false, NULL, "xterm"), "none in a pipe");
	tap_ok(!color_wanted(COLOR_AUTO, true, "1", "xterm"), "NO_COLOR");
	tap_ok(color_wanted(COLOR_AUTO, true, "", "xterm"), "an empty NO_COLOR says nothing");
	tap_ok(!color_wanted(COLOR_AUTO, true, NULL, "dumb"), "TERM=dumb");
	tap_ok(color_wanted(COLOR_ALWAYS, false, "1", NULL), "always");
}

int main(void)
{
	test_values();
	test_help_forms();
	test_errors();
	test_help_text();
	test_man_page();
	test_completions();
	test_color();
	return tap_done();
}
