#include "cli/options.h"

#include <stdlib.h>

enum option_type {
	TYPE_TRUE,   /* sets a bool */
	TYPE_FALSE,  /* clears a bool */
	TYPE_STRING, /* const char * */
	TYPE_NAME,   /* const char *, fit for a folder's name */
	TYPE_WORD,   /* const char *, one of `words` */
	TYPE_CHOICE, /* unsigned, the index in `words` */
	TYPE_COUNT,  /* unsigned, at least `least` */
	TYPE_SIZE,   /* uint64_t, bytes: 512M, 2G */
	TYPE_AGE,    /* uint64_t, seconds: 12h, 30d */
	TYPE_LIST,   /* StrVec, one more each time */
};

/* What a shell offers for an argument or a value that has no fixed words. */
enum offer { OFFER_NOTHING, OFFER_FILES, OFFER_FOLDERS, OFFER_SYSTEMS, OFFER_COMMANDS };

#define MAX_WORDS 8

struct option_spec {
	const char *name; /* without the dashes */
	char letter;      /* 0: none */
	enum option_type type;
	size_t offset;     /* in struct options */
	unsigned commands; /* bit set */
	const char *metavar;
	const char *help;
	const char *words[MAX_WORDS];
	enum offer offer;
	unsigned least;
};

struct command_spec {
	const char *name;
	const char *synopsis; /* its arguments */
	const char *summary;
	const char *help;
	unsigned min_args, max_args;  /* UINT32_MAX: any number */
	const char *words[MAX_WORDS]; /* what the first argument may be, if it is one of a few words */
	enum offer offer;
	const char *what; /* what the first argument is called in an error */
};

#define BIT(c) (1u << (c))
#define ALL    ((1u << COMMAND_COUNT) - 1)
/* Commands that look for a Lisp and systems. */
#define LOOKS                                                                                                          \
	(BIT(COMMAND_BUILD) | BIT(COMMAND_EVAL) | BIT(COMMAND_REPL) | BIT(COMMAND_LOAD_LIST) | BIT(COMMAND_PLAN) |     \
	 BIT(COMMAND_QUERY) | BIT(COMMAND_EXPLAIN) | BIT(COMMAND_DEPS) | BIT(COMMAND_DOCTOR))
/* Commands that may have to build first. */
#define BUILDS (BIT(COMMAND_BUILD) | BIT(COMMAND_EVAL) | BIT(COMMAND_REPL) | BIT(COMMAND_LOAD_LIST) | BIT(COMMAND_DEPS))
/* Commands whose answer rests on the actions' keys. */
#define KEYS   (BUILDS | BIT(COMMAND_PLAN) | BIT(COMMAND_QUERY) | BIT(COMMAND_EXPLAIN))
#define STORES (LOOKS | BIT(COMMAND_CACHE) | BIT(COMMAND_CLEAN))
#define REPORTS                                                                                                        \
	(BIT(COMMAND_PLAN) | BIT(COMMAND_QUERY) | BIT(COMMAND_EXPLAIN) | BIT(COMMAND_DOCTOR) |                         \
	 BIT(COMMAND_LOAD_LIST) | BIT(COMMAND_CACHE) | BIT(COMMAND_DEPS))
#define AT(member) offsetof(struct options, member)
#define ANY        UINT32_MAX

static const struct command_spec commands[COMMAND_COUNT] = {
        [COMMAND_BUILD] = {"build",
                           "[TARGET...]",
                           "build systems and all they need",
                           "A TARGET is the name of a system, NAME or asdf:NAME. With none given, the systems that the "
                           ".asd files of the workspace's folder define are built.",
                           0,
                           ANY,
                           {0},
                           OFFER_SYSTEMS,
                           "target"},
        [COMMAND_EVAL] =
                {"eval",
                 "[--module SYSTEM]... FORM",
                 "evaluate a form with systems loaded",
                 "Builds the systems, loads their FASLs into a Lisp of their own, evaluates FORM and prints its "
                 "values.",
                 1,
                 1,
                 {0},
                 OFFER_NOTHING,
                 "form"},
        [COMMAND_REPL] = {"repl",
                          "[SYSTEM...]",
                          "start a Lisp with systems loaded",
                          "Builds the systems, loads their FASLs and gives the Lisp's own prompt.",
                          0,
                          ANY,
                          {0},
                          OFFER_SYSTEMS,
                          "system"},
        [COMMAND_LOAD_LIST] = {"load-list",
                               "[SYSTEM...]",
                               "print the FASLs in load order",
                               "Builds the systems and prints the path of each FASL, in an order in which they can be "
                               "loaded.",
                               0,
                               ANY,
                               {0},
                               OFFER_SYSTEMS,
                               "system"},
        [COMMAND_PLAN] = {"plan",
                          "[TARGET...]",
                          "show what a build would do",
                          "Prints the units, their images and the actions of a build, and runs none of them.",
                          0,
                          ANY,
                          {0},
                          OFFER_SYSTEMS,
                          "target"},
        [COMMAND_QUERY] =
                {"query",
                 "EXPRESSION",
                 "ask about the graph of actions",
                 "EXPRESSION is made of names (with * and ? as wildcards), deps(X), deps(X, DEPTH), rdeps(X), "
                 "rdeps(UNIVERSE, X), somepath(A, B), allpaths(A, B), cycles(X), files(X), kind(NAME, X), the "
                 "operators + - ^ (or union, except, intersect) and parentheses.",
                 1,
                 1,
                 {0},
                 OFFER_NOTHING,
                 "expression"},
        [COMMAND_EXPLAIN] = {"explain",
                             "[TARGET...]",
                             "say why each action ran in the last build",
                             "For each action: which byte, step, policy or variable is another one than the last time.",
                             0,
                             ANY,
                             {0},
                             OFFER_SYSTEMS,
                             "target"},
        [COMMAND_DEPS] =
                {"deps",
                 "[SYSTEM...]",
                 "compare declared dependencies with those that are used",
                 "For each file and module: what it declares, what it uses of others and how, what is missing, and "
                 "what "
                 "is superfluous. Builds the systems first. With --fix, writes minimal :depends-on lists into their "
                 ".asd files, keeping comments and layout, and takes that back unless everything then builds to the "
                 "same and loads.",
                 0,
                 ANY,
                 {0},
                 OFFER_SYSTEMS,
                 "system"},
        [COMMAND_DOCTOR] = {"doctor",
                            "",
                            "say what was found on this machine",
                            "Checks the Lisp, ASDF, the sandbox, the store and the folders in which systems are looked "
                            "for.",
                            0,
                            0,
                            {0},
                            OFFER_NOTHING,
                            NULL},
        [COMMAND_CLEAN] = {"clean",
                           "",
                           "remove what builds left in this workspace",
                           "Removes the built files and the state of the workspace; the shared store stays.",
                           0,
                           0,
                           {0},
                           OFFER_NOTHING,
                           NULL},
        [COMMAND_CACHE] = {"cache",
                           "stat|verify|gc",
                           "look after the shared store",
                           "stat counts what the store holds, verify reads everything and drops what is damaged, gc "
                           "removes what was not used for longest.",
                           1,
                           1,
                           {"stat", "verify", "gc"},
                           OFFER_NOTHING,
                           "cache operation"},
        [COMMAND_COMPLETIONS] = {"completions",
                                 "bash|zsh|fish",
                                 "print a completion script for a shell",
                                 "For bash, put the output into ~/.local/share/bash-completion/completions/tenon; for "
                                 "zsh, into a file _tenon in a folder of $fpath; for fish, into "
                                 "~/.config/fish/completions/tenon.fish.",
                                 1,
                                 1,
                                 {"bash", "zsh", "fish"},
                                 OFFER_NOTHING,
                                 "shell"},
        [COMMAND_HELP] = {"help",
                          "[COMMAND]",
                          "explain tenon or one of its commands",
                          "Without COMMAND, lists the commands and the options that all of them know.",
                          0,
                          1,
                          {0},
                          OFFER_COMMANDS,
                          "command"},
        [COMMAND_VERSION] =
                {"version", "", "print the version", "Prints the version of tenon.", 0, 0, {0}, OFFER_NOTHING, NULL},
};

/* The order in which people read about them. */
static const enum command listing[] = {
        COMMAND_BUILD, COMMAND_EVAL,        COMMAND_REPL, COMMAND_LOAD_LIST, COMMAND_PLAN,
        COMMAND_QUERY, COMMAND_EXPLAIN,     COMMAND_DEPS, COMMAND_DOCTOR,    COMMAND_CLEAN,
        COMMAND_CACHE, COMMAND_COMPLETIONS, COMMAND_HELP, COMMAND_VERSION,
};
_Static_assert(ARRAY_LEN(listing) == COMMAND_COUNT, "a command is missing from the listing");

#define FLAG(name, letter, member, who, help)                                                                          \
	{                                                                                                              \
		name, letter, TYPE_TRUE, AT(member), who, NULL, help, {0}, OFFER_NOTHING, 0                            \
	}
#define VALUE(name, letter, type, member, who, metavar, help, offer)                                                   \
	{                                                                                                              \
		name, letter, type, AT(member), who, metavar, help, {0}, offer, 0                                      \
	}
#define WORDS(name, type, member, who, metavar, help, ...)                                                             \
	{                                                                                                              \
		name, 0, type, AT(member), who, metavar, help, {__VA_ARGS__}, OFFER_NOTHING, 0                         \
	}

static const struct option_spec option_table[] = {
        {"jobs",
         'j',
         TYPE_COUNT,
         AT(jobs),
         BUILDS | BIT(COMMAND_PLAN),
         "N",
         "run at most N actions at a time (default: the number of cores)",
         {0},
         OFFER_NOTHING,
         1},
        FLAG("keep-going", 'k', keep_going, BUILDS, "after a failure, go on with all that does not depend on it"),
        FLAG("lax", 0, lax, KEYS,
             "give a file everything that ASDF would have loaded before it, and say which declarations are missing"),
        VALUE("config", 0, TYPE_NAME, config, KEYS | BIT(COMMAND_CLEAN), "NAME",
              "build in configuration NAME: default, debug, release, or one of your own; each has its own outputs",
              OFFER_NOTHING),
        WORDS("warnings", TYPE_WORD, warnings, KEYS, "POLICY",
              "what warnings do to a build: as ASDF has it, fail, or nothing (default: asdf)", "asdf", "fail",
              "ignore"),
        FLAG("install-fasls", 0, install_fasls, BIT(COMMAND_BUILD),
             "also put the FASLs where ASDF looks for them, so that asdf:load-system compiles nothing"),
        VALUE("module", 0, TYPE_LIST, modules, BIT(COMMAND_EVAL), "SYSTEM",
              "load SYSTEM before the form is read (may be given several times)", OFFER_SYSTEMS),
        VALUE("timeout", 0, TYPE_COUNT, timeout_s, BUILDS, "SECONDS",
              "end an action that takes longer (default: 600; 0: never)", OFFER_NOTHING),
        VALUE("image-memory", 0, TYPE_SIZE, image_memory, BUILDS, "SIZE",
              "let parked Lisp images hold at most SIZE, such as 2G", OFFER_NOTHING),
        {"no-sandbox",
         0,
         TYPE_FALSE,
         AT(sandbox),
         KEYS,
         NULL,
         "let actions write wherever the user may",
         {0},
         OFFER_NOTHING,
         0},
        FLAG("verify-headers", 0, verify_headers, BIT(COMMAND_BUILD),
             "compile everything among headers and among FASLs, and compare; what differs gets FASLs from now on"),
        {"no-headers",
         0,
         TYPE_FALSE,
         AT(headers),
         KEYS,
         NULL,
         "compile each file in an image of FASLs, never of headers: slower, and the last word where both differ",
         {0},
         OFFER_NOTHING,
         0},
        VALUE("env", 0, TYPE_LIST, env, KEYS, "NAME",
              "pass the environment variable NAME to actions, as a part of their keys (may be given several times)",
              OFFER_NOTHING),
        VALUE("registry", 0, TYPE_STRING, registry, LOOKS, "FORM",
              "look for systems in further places: directives of ASDF's source registry, such as (:tree "
              "\"/src/lisp/\")",
              OFFER_NOTHING),
        VALUE("lisp", 0, TYPE_STRING, lisp, LOOKS, "PATH", "the SBCL to use (default: sbcl in PATH)", OFFER_FILES),
        VALUE("store", 0, TYPE_STRING, store_dir, STORES, "DIR", "the shared store (default: $XDG_CACHE_HOME/tenon)",
              OFFER_FOLDERS),
        VALUE("log", 0, TYPE_STRING, log_file, BUILDS, "FILE", "also write the structured log (JSON lines) to FILE",
              OFFER_FILES),
        WORDS("format", TYPE_CHOICE, format, REPORTS, "FORMAT", "print the answer as text, JSON or dot (default: text)",
              "text", "json", "dot"),
        VALUE("max-size", 0, TYPE_SIZE, max_size, BIT(COMMAND_CACHE), "SIZE",
              "gc: remove files until the store holds at most SIZE, such as 10G", OFFER_NOTHING),
        VALUE("max-age", 0, TYPE_AGE, max_age_s, BIT(COMMAND_CACHE), "AGE",
              "gc: remove what was not used for AGE, such as 12h or 30d", OFFER_NOTHING),
        FLAG("fix", 0, fix, BIT(COMMAND_DEPS), "write minimal :depends-on lists into the .asd files"),
        FLAG("expand-serial", 0, expand_serial, BIT(COMMAND_DEPS),
             "fix: write lists in place of \":serial t\" as well, which otherwise stays as it is"),
        FLAG("man", 0, man, BIT(COMMAND_HELP), "print the generated sections of the man page"),
        VALUE("directory", 'C', TYPE_STRING, directory, ALL, "DIR", "work in DIR instead of the current folder",
              OFFER_FOLDERS),
        FLAG("quiet", 'q', quiet, ALL, "print errors and warnings only"),
        FLAG("verbose", 'v', verbose, ALL, "print every action and why it runs"),
        WORDS("color", TYPE_CHOICE, color, ALL, "WHEN", "use colours: auto, always or never (default: auto)", "auto",
              "always", "never"),
        FLAG("help", 'h', want_help, ALL, "explain the command"),
        FLAG("version", 0, want_version, ALL, "print the version"),
};

const char *command_name(enum command c)
{
	return c < COMMAND_COUNT ? commands[c].name : "";
}

enum command command_find(struct str name)
{
	for (unsigned c = 0; c < COMMAND_COUNT; c++) {
		if (str_eqc(name, commands[c].name))
			return (enum command)c;
	}
	return COMMAND_COUNT;
}

void options_init(struct options *o)
{
	*o = (struct options){
	        .sandbox = true, .headers = true, .config = "default", .warnings = "asdf", .timeout_s = 600};
}

void options_release(struct options *o)
{
	vec_release(&o->args);
	vec_release(&o->env);
	vec_release(&o->modules);
}

/* ---- nearest names ---- */

/* Keeps the nearest of the names offered so far; a beginning counts as near. */
struct nearest {
	struct str wanted;
	const char *best;
	size_t distance;
};

static struct nearest nearest_to(struct str wanted)
{
	return (struct nearest){.wanted = wanted, .distance = MIN(wanted.len / 3, 2) + 2};
}

static void nearest_offer(struct nearest *n, const char *name)
{
	struct str s = str_from(name);
	size_t d = str_distance(n->wanted, s, n->distance);
	if (n->wanted.len >= 2 && str_has_prefix(s, n->wanted))
		d = MIN(d, (size_t)1);
	if (d < n->distance) {
		n->distance = d;
		n->best = name;
	}
}

/* "asdf, fail or ignore" */
static void add_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; i < MAX_WORDS && words[i]; i++) {
		bool last = i + 1 == MAX_WORDS || !words[i + 1];
		buf_addf(out, "%s'%s'", i == 0 ? "" : last ? " or " : ", ", words[i]);
	}
}

static bool bad_word(struct str got, const char *const *words, const char *what, struct err *err)
{
	struct nearest n = nearest_to(got);
	for (size_t i = 0; i < MAX_WORDS && words[i]; i++)
		nearest_offer(&n, words[i]);
	err_set(err, ERR_USER, "unknown %s '%.*s'", what, STR_ARG(got));
	if (n.best)
		err_note(err, "did you mean '%s'?", n.best);
	struct buf b = {0};
	add_words(&b, words);
	err_note(err, "it must be %s", buf_cstr(&b));
	buf_release(&b);
	return false;
}

/* ---- values ---- */

static bool bad_value(const struct option_spec *s, const char *value, const char *wants, struct err *err)
{
	return err_set(err, ERR_USER, "option '--%s': '%s' is not %s", s->name, value, wants);
}

/* Digits and one letter of `units`, each worth what `worth` says at its place; no letter: worth[0]. */
static bool parse_scaled(struct str s, const char *units, const uint64_t *worth, uint64_t *ret)
{
	uint64_t factor = worth[0], n;
	const char *unit = s.len ? strchr(units, s.ptr[s.len - 1]) : NULL;
	if (unit) {
		factor = worth[unit - units];
		s.len--;
	}
	if (!str_to_u64(s, &n) || (n && factor > UINT64_MAX / n))
		return false;
	*ret = n * factor;
	return true;
}

static bool parse_size(struct str s, uint64_t *ret)
{
	static const uint64_t worth[] = {1,          1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40,
	                                 1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40};
	if (s.len > 3 && str_has_suffix(s, STR("iB")))
		s.len -= 2;
	return parse_scaled(s, "BKMGTkmgt", worth, ret) && *ret;
}

static bool parse_age(struct str s, uint64_t *ret)
{
	static const uint64_t worth[] = {1, 60, 3600, 86400, UINT64_C(7) * 86400};
	return parse_scaled(s, "smhdw", worth, ret) && *ret;
}

static bool is_name(const char *s)
{
	if (*s == 0 || *s == '.' || *s == '-')
		return false;
	for (; *s; s++) {
		bool ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		          *s == '-' || *s == '_' || *s == '.';
		if (!ok)
			return false;
	}
	return true;
}

static bool set_word(const struct option_spec *s, void *at, const char *value, struct err *err)
{
	for (unsigned i = 0; i < MAX_WORDS && s->words[i]; i++) {
		if (strcmp(value, s->words[i]) != 0)
			continue;
		if (s->type == TYPE_CHOICE)
			*(unsigned *)at = i;
		else
			*(const char **)at = s->words[i];
		return true;
	}
	struct buf what = {0};
	buf_addf(&what, "value for '--%s'", s->name);
	bad_word(str_from(value), s->words, buf_cstr(&what), err);
	buf_release(&what);
	return false;
}

static bool set_count(const struct option_spec *s, unsigned *at, const char *value, struct err *err)
{
	uint64_t n;
	if (!str_to_u64(str_from(value), &n) || n > 1000000 || n < s->least)
		return bad_value(s, value, s->least ? "a number from 1 on" : "a number", err);
	*at = (unsigned)n;
	return true;
}

static bool set_value(struct options *o, const struct option_spec *s, const char *value, struct err *err)
{
	void *at = (char *)o + s->offset;
	switch (s->type) {
	case TYPE_TRUE:
		*(bool *)at = true;
		return true;
	case TYPE_FALSE:
		*(bool *)at = false;
		return true;
	case TYPE_STRING:
	case TYPE_NAME:
		if (s->type == TYPE_NAME && !is_name(value))
			return bad_value(s, value, "a name of letters, digits, '-', '_' and '.'", err);
		if (!*value)
			return err_set(err, ERR_USER, "option '--%s' needs a value that is not empty", s->name);
		*(const char **)at = value;
		return true;
	case TYPE_WORD:
	case TYPE_CHOICE:
		return set_word(s, at, value, err);
	case TYPE_COUNT:
		return set_count(s, at, value, err);
	case TYPE_SIZE:
		return parse_size(str_from(value), at) || bad_value(s, value, "a size such as 512M or 2G", err);
	case TYPE_AGE:
		return parse_age(str_from(value), at) || bad_value(s, value, "an age such as 12h or 30d", err);
	case TYPE_LIST:
		if (!*value)
			return err_set(err, ERR_USER, "option '--%s' needs a value that is not empty", s->name);
		vec_push((StrVec *)at, str_from(value));
		return true;
	}
	BUG("option type %d", (int)s->type);
}

static bool takes_value(const struct option_spec *s)
{
	return s->type != TYPE_TRUE && s->type != TYPE_FALSE;
}

/* ---- parsing ---- */

struct parser {
	struct options *o;
	int argc, at;
	char **argv;
	bool have_command;
	uint64_t seen; /* options given, by index in the table */
	struct err *err;
};
_Static_assert(ARRAY_LEN(option_table) <= 64, "the set of options seen has 64 bits");

static const struct option_spec *find_long(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		if (str_eqc(name, option_table[i].name))
			return &option_table[i];
	}
	return NULL;
}

static const struct option_spec *find_letter(char c)
{
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		if (option_table[i].letter == c)
			return &option_table[i];
	}
	return NULL;
}

static bool unknown_option(struct parser *p, struct str name)
{
	struct nearest n = nearest_to(name);
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++)
		nearest_offer(&n, option_table[i].name);
	err_set(p->err, ERR_USER, "unknown option '--%.*s'", STR_ARG(name));
	if (n.best)
		err_note(p->err, "did you mean '--%s'?", n.best);
	else
		err_note(p->err, "'tenon help %s' lists the options",
		         p->have_command ? commands[p->o->command].name : "COMMAND");
	return false;
}

/* `value` is what was attached, or NULL. */
static bool take_option(struct parser *p, const struct option_spec *s, const char *value)
{
	p->seen |= 1ull << (s - option_table);
	if (!takes_value(s)) {
		if (value)
			return err_set(p->err, ERR_USER, "option '--%s' takes no value", s->name);
		return set_value(p->o, s, NULL, p->err);
	}
	if (!value) {
		if (p->at >= p->argc) {
			err_set(p->err, ERR_USER, "option '--%s' needs a value", s->name);
			err_note(p->err, "write --%s=%s", s->name, s->metavar);
			return false;
		}
		value = p->argv[p->at++];
	}
	return set_value(p->o, s, value, p->err);
}

static bool take_long(struct parser *p, const char *text)
{
	struct str whole = str_from(text);
	size_t eq = str_find(whole, '=');
	struct str name = str_slice(whole, 0, eq);
	const struct option_spec *s = find_long(name);
	if (!s)
		return unknown_option(p, name);
	return take_option(p, s, eq < whole.len ? text + eq + 1 : NULL);
}

/* "-kj4": letters without values, the last may have one, attached or in the next argument. */
static bool take_letters(struct parser *p, const char *text)
{
	for (; *text; text++) {
		const struct option_spec *s = find_letter(*text);
		if (!s) {
			err_set(p->err, ERR_USER, "unknown option '-%c'", *text);
			if (find_long(str_from(text)))
				err_note(p->err, "did you mean '--%s'?", text);
			else
				err_note(p->err, "'tenon help %s' lists the options",
				         p->have_command ? commands[p->o->command].name : "COMMAND");
			return false;
		}
		if (takes_value(s))
			return take_option(p, s, text[1] == '=' ? text + 2 : text[1] ? text + 1 : NULL);
		if (!take_option(p, s, NULL))
			return false;
	}
	return true;
}

static bool unknown_command(struct parser *p, struct str name, bool as_topic)
{
	struct nearest n = nearest_to(name);
	for (unsigned c = 0; c < COMMAND_COUNT; c++)
		nearest_offer(&n, commands[c].name);
	err_set(p->err, ERR_USER, "unknown command '%.*s'", STR_ARG(name));
	if (n.best)
		err_note(p->err, "did you mean '%s'?", n.best);
	else if (!as_topic)
		err_note(p->err, "to build a system of that name: tenon build %.*s", STR_ARG(name));
	if (!n.best)
		err_note(p->err, "'tenon help' lists the commands");
	return false;
}

static bool take_word(struct parser *p, const char *word)
{
	struct str s = str_from(word);
	if (p->have_command) {
		vec_push(&p->o->args, s);
		return true;
	}
	enum command c = command_find(s);
	if (c == COMMAND_COUNT)
		return unknown_command(p, s, false);
	p->o->command = c;
	p->have_command = true;
	return true;
}

static bool take_all(struct parser *p)
{
	bool only_words = false;
	while (p->at < p->argc) {
		const char *a = p->argv[p->at++];
		bool ok;
		if (only_words || a[0] != '-' || !a[1])
			ok = take_word(p, a);
		else if (strcmp(a, "--") == 0)
			ok = only_words = true;
		else if (a[1] == '-')
			ok = take_long(p, a + 2);
		else
			ok = take_letters(p, a + 1);
		if (!ok)
			return false;
	}
	return true;
}

static bool check_applies(struct parser *p)
{
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		const struct option_spec *s = &option_table[i];
		if (!(p->seen >> i & 1) || s->commands & BIT(p->o->command))
			continue;
		struct buf b = {0};
		for (size_t k = 0; k < ARRAY_LEN(listing); k++) {
			if (s->commands & BIT(listing[k]))
				buf_addf(&b, "%s'%s'", b.len ? ", " : "", commands[listing[k]].name);
		}
		if (p->have_command)
			err_set(p->err, ERR_USER, "option '--%s' means nothing to 'tenon %s'", s->name,
			        commands[p->o->command].name);
		else
			err_set(p->err, ERR_USER, "option '--%s' needs a command", s->name);
		err_note(p->err, "it belongs to %s", buf_cstr(&b));
		buf_release(&b);
		return false;
	}
	return true;
}

static bool check_args(struct parser *p)
{
	const struct command_spec *c = &commands[p->o->command];
	const StrVec *args = &p->o->args;
	if (args->len < c->min_args) {
		err_set(p->err, ERR_USER, "'tenon %s' needs %s %s", c->name, strchr("aeiou", c->what[0]) ? "an" : "a",
		        c->what);
		err_note(p->err, "usage: tenon %s %s", c->name, c->synopsis);
		return false;
	}
	if (args->len > c->max_args) {
		err_set(p->err, ERR_USER, "'tenon %s' has no use for '%.*s'", c->name, STR_ARG(args->ptr[c->max_args]));
		err_note(p->err, "usage: tenon %s%s%s", c->name, *c->synopsis ? " " : "", c->synopsis);
		return false;
	}
	if (p->o->command == COMMAND_HELP && args->len && command_find(args->ptr[0]) == COMMAND_COUNT)
		return unknown_command(p, args->ptr[0], true);
	if (!c->words[0])
		return true;
	for (size_t i = 0; i < MAX_WORDS && c->words[i]; i++) {
		if (str_eqc(args->ptr[0], c->words[i]))
			return true;
	}
	return bad_word(args->ptr[0], c->words, c->what, p->err);
}

/* --help and --version turn any command line that is otherwise well-formed into another command. */
static void turn_to_help(struct parser *p)
{
	struct options *o = p->o;
	if (o->want_help && p->have_command && o->command != COMMAND_HELP) {
		vec_clear(&o->args);
		vec_push(&o->args, str_from(commands[o->command].name));
	} else if (o->want_version && !o->want_help) {
		vec_clear(&o->args);
		o->command = COMMAND_VERSION;
		return;
	}
	o->command = COMMAND_HELP;
}

bool options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	options_init(o);
	struct parser p = {.o = o, .argc = argc, .at = 1, .argv = argv, .err = err};
	o->command = COMMAND_HELP;
	bool ok = take_all(&p) && check_applies(&p);
	if (ok && (o->want_help || o->want_version))
		turn_to_help(&p);
	if (ok && check_args(&p)) {
		if (!o->quiet || !o->verbose)
			return true;
		err_set(err, ERR_USER, "options '--quiet' and '--verbose' exclude each other");
	}
	options_release(o);
	return false;
}

bool color_wanted(enum color_mode mode, bool is_tty, const char *no_color, const char *term)
{
	if (mode != COLOR_AUTO)
		return mode == COLOR_ALWAYS;
	return is_tty && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}

/* ---- help ---- */

/* Adds `text` wrapped at 79 columns, every line but the first indented by `indent`; the first starts at `col`. */
static void add_wrapped(struct buf *out, const char *text, size_t col, size_t indent)
{
	struct str rest = str_from(text), word;
	bool first = true;
	while (str_cut(&rest, ' ', &word)) {
		if (!first && col + 1 + word.len > 79) {
			buf_addf(out, "\n%*s", (int)indent, "");
			col = indent;
		} else if (!first) {
			buf_addc(out, ' ');
			col++;
		}
		buf_adds(out, word);
		col += word.len;
		first = false;
	}
	buf_addc(out, '\n');
}

static void help_option(const struct option_spec *s, struct buf *out)
{
	size_t from = out->len;
	if (s->letter)
		buf_addf(out, "  -%c, --%s", s->letter, s->name);
	else
		buf_addf(out, "      --%s", s->name);
	if (s->metavar)
		buf_addf(out, "=%s", s->metavar);
	size_t col = out->len - from;
	if (col > 25)
		buf_addf(out, "\n%27s", "");
	else
		buf_addf(out, "%*s", (int)(27 - col), "");
	add_wrapped(out, s->help, 27, 27);
}

static void help_command(enum command c, struct buf *out)
{
	const struct command_spec *s = &commands[c];
	buf_addf(out, "usage: tenon %s [OPTION...]%s%s\n\n%s: %s\n\n", s->name, *s->synopsis ? " " : "", s->synopsis,
	         s->name, s->summary);
	add_wrapped(out, s->help, 0, 0);
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		const struct option_spec *o = &option_table[i];
		if (!(o->commands & BIT(c)) || o->commands == ALL)
			continue;
		buf_addz(out, any ? "" : "\nOptions:\n");
		any = true;
		help_option(o, out);
	}
	buf_addz(out, "\nOptions of every command:\n");
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		if (option_table[i].commands == ALL)
			help_option(&option_table[i], out);
	}
}

void options_help(enum command c, struct buf *out)
{
	if (c < COMMAND_COUNT) {
		help_command(c, out);
		return;
	}
	buf_addz(out, "usage: tenon [OPTION...] COMMAND [ARGUMENT...]\n\n"
	              "tenon builds Common Lisp systems: every file in an image that holds what it\n"
	              "declares, in parallel, and once.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(listing); i++) {
		const struct command_spec *s = &commands[listing[i]];
		buf_addf(out, "  %-12s %s\n", s->name, s->summary);
	}
	buf_addz(out, "\nOptions of every command:\n");
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		if (option_table[i].commands == ALL)
			help_option(&option_table[i], out);
	}
	buf_addz(out, "\n'tenon help COMMAND' explains a command and its own options.\n");
}

/* ---- man page ---- */

/* Text in roff: backslashes and minus signs escaped, no line that begins with a control character. */
static void add_roff(struct buf *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\\')
			buf_addz(out, "\\e");
		else if (*c == '-')
			buf_addz(out, "\\-");
		else if ((*c == '.' || *c == '\'') && c == text)
			buf_addf(out, "\\&%c", *c);
		else
			buf_addc(out, *c);
	}
}

static void man_option(const struct option_spec *s, struct buf *out)
{
	buf_addz(out, ".TP\n");
	if (s->letter)
		buf_addf(out, "\\fB\\-%c\\fR, ", s->letter);
	buf_addz(out, "\\fB\\-\\-");
	add_roff(out, s->name);
	buf_addz(out, "\\fR");
	if (s->metavar)
		buf_addf(out, "=\\fI%s\\fR", s->metavar);
	buf_addc(out, '\n');
	add_roff(out, s->help);
	buf_addz(out, ".\n");
	if (s->commands == ALL)
		return;
	buf_addz(out, "For");
	for (size_t k = 0, n = 0; k < ARRAY_LEN(listing); k++) {
		if (!(s->commands & BIT(listing[k])))
			continue;
		buf_addf(out, "%s \\fB", n++ ? "," : "");
		add_roff(out, commands[listing[k]].name);
		buf_addz(out, "\\fR");
	}
	buf_addz(out, ".\n");
}

void options_man(struct buf *out)
{
	buf_addz(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < ARRAY_LEN(listing); i++) {
		const struct command_spec *s = &commands[listing[i]];
		buf_addz(out, ".TP\n\\fBtenon ");
		add_roff(out, s->name);
		buf_addz(out, "\\fR");
		if (*s->synopsis) {
			buf_addc(out, ' ');
			add_roff(out, s->synopsis);
		}
		buf_addc(out, '\n');
		add_roff(out, s->help);
		buf_addc(out, '\n');
	}
	buf_addz(out, ".SH OPTIONS\n");
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++)
		man_option(&option_table[i], out);
}

/* ---- completions ---- */

static void add_options_of(enum command c, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		const struct option_spec *s = &option_table[i];
		if (!(s->commands & BIT(c)))
			continue;
		if (s->letter)
			buf_addf(out, "-%c ", s->letter);
		buf_addf(out, "--%s ", s->name);
	}
}

static void add_joined(struct buf *out, const char *const *words, const char *sep)
{
	for (size_t i = 0; i < MAX_WORDS && words[i]; i++)
		buf_addf(out, "%s%s", i ? sep : "", words[i]);
}

static void add_command_names(struct buf *out, const char *sep)
{
	for (size_t i = 0; i < ARRAY_LEN(listing); i++)
		buf_addf(out, "%s%s", i ? sep : "", commands[listing[i]].name);
}

static void bash_offer(const char *const *words, enum offer offer, struct buf *out)
{
	if (words[0]) {
		buf_addz(out, "mapfile -t COMPREPLY < <(compgen -W '");
		add_joined(out, words, " ");
		buf_addz(out, "' -- \"$cur\")");
	} else if (offer == OFFER_SYSTEMS) {
		buf_addz(out, "mapfile -t COMPREPLY < <(compgen -W \"$(_tenon_systems)\" -- \"$cur\")");
	} else if (offer == OFFER_COMMANDS) {
		buf_addz(out, "mapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$cur\")");
	} else if (offer == OFFER_FILES || offer == OFFER_FOLDERS) {
		buf_addf(out, "mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\")", offer == OFFER_FILES ? 'f' : 'd');
	} else {
		buf_addz(out, "COMPREPLY=()");
	}
}

static void bash_values(struct buf *out)
{
	buf_addz(out, "\tcase $prev in\n");
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		const struct option_spec *s = &option_table[i];
		if (!takes_value(s))
			continue;
		buf_addf(out, "\t--%s", s->name);
		if (s->letter)
			buf_addf(out, "|-%c", s->letter);
		buf_addz(out, ")\n\t\t");
		bash_offer(s->words, s->offer, out);
		buf_addz(out, "\n\t\treturn;;\n");
	}
	buf_addz(out, "\tesac\n");
}

/* The words that follow an option with a value must not be taken for the command. */
static void bash_valued(struct buf *out)
{
	const char *sep = "";
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
		const struct option_spec *s = &option_table[i];
		if (!takes_value(s))
			continue;
		buf_addf(out, "%s--%s", sep, s->name);
		sep = "|";
		if (s->letter)
			buf_addf(out, "|-%c", s->letter);
	}
}

static void bash_script(struct buf *out)
{
	buf_addz(out, "# bash completion for tenon\n"
	              "_tenon_systems()\n{\n\tlocal f\n\tfor f in *.asd; do\n"
	              "\t\t[[ -e $f ]] && printf '%s\\n' \"${f%.asd}\"\n\tdone\n}\n\n"
	              "_tenon()\n{\n\tlocal cur prev commands command= i\n"
	              "\tcur=${COMP_WORDS[COMP_CWORD]}\n\tprev=${COMP_WORDS[COMP_CWORD-1]}\n"
	              /* bash splits --format=json at the equals sign. */
	              "\tif [[ $cur == = ]]; then\n\t\tcur=\n"
	              "\telif [[ $prev == = ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n"
	              "\tcommands='");
	add_command_names(out, " ");
	buf_addz(out, "'\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	bash_valued(out);
	buf_addz(out, ")\n\t\t\t[[ ${COMP_WORDS[i+1]} == = ]] && ((i++))\n\t\t\t((i++));;\n\t\t-*) ;;\n"
	              "\t\t*)\n\t\t\tcommand=${COMP_WORDS[i]}\n\t\t\tbreak;;\n\t\tesac\n\tdone\n");
	bash_values(out);
	buf_addz(out, "\tcase $command in\n\t'')\n\t\tif [[ $cur == -* ]]; then\n"
	              "\t\t\tmapfile -t COMPREPLY < <(compgen -W '--help --version --directory -C' -- \"$cur\")\n"
	              "\t\telse\n\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$cur\")\n\t\tfi;;\n");
	for (size_t i = 0; i < ARRAY_LEN(listing); i++) {
		const struct command_spec *s = &commands[listing[i]];
		buf_addf(out, "\t%s)\n\t\tif [[ $cur == -* ]]; then\n\t\t\tmapfile -t COMPREPLY < <(compgen -W '",
		         s->name);
		add_options_of(listing[i], out);
		buf_addz(out, "' -- \"$cur\")\n\t\telse\n\t\t\t");
		bash_offer(s->words, s->offer, out);
		buf_addz(out, "\n\t\tfi;;\n");
	}
	buf_addz(out, "\tesac\n}\ncomplete -F _tenon tenon\n");
}

/* Text inside a zsh _arguments spec within single quotes. */
static void add_zsh(struct buf *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			buf_addz(out, "'\\''");
		else if (strchr("[]:\\", *c))
			buf_addf(out, "\\%c", *c);
		else
			buf_addc(out, *c);
	}
}

static void zsh_offer(const char *const *words, enum offer offer, struct buf *out)
{
	if (words[0]) {
		buf_addc(out, '(');
		add_joined(out, words, " ");
		buf_addc(out, ')');
	} else if (offer == OFFER_SYSTEMS) {
		buf_addz(out, "_tenon_systems");
	} else if (offer == OFFER_COMMANDS) {
		buf_addz(out, "_tenon_commands");
	} else if (offer == OFFER_FILES) {
		buf_addz(out, "_files");
	} else if (offer == OFFER_FOLDERS) {
		buf_addz(out, "_files -/");
	} else {
		buf_addc(out, ' ');
	}
}

static void zsh_option(const struct option_spec *s, struct buf *out)
{
	const char *many = s->type == TYPE_LIST ? "*" : "";
	for (int form = s->letter ? 0 : 1; form < 2; form++) {
		buf_addf(out, "'%s", many);
		if (form == 0)
			buf_addf(out, "-%c%s", s->letter, takes_value(s) ? "+" : "");
		else
			buf_addf(out, "--%s%s", s->name, takes_value(s) ? "=" : "");
		buf_addc(out, '[');
		add_zsh(out, s->help);
		buf_addc(out, ']');
		if (takes_value(s)) {
			buf_addf(out, ":%s:", s->metavar);
			zsh_offer(s->words, s->offer, out);
		}
		buf_addz(out, "' ");
	}
}

static void zsh_script(struct buf *out)
{
	buf_addz(out, "#compdef tenon\n\n"
	              "_tenon_systems()\n{\n\tlocal -a systems\n\tsystems=(*.asd(N:r))\n"
	              "\tcompadd -a systems\n}\n\n_tenon_commands()\n{\n\tlocal -a commands\n\tcommands=(\n");
	for (size_t i = 0; i < ARRAY_LEN(listing); i++) {
		const struct command_spec *s = &commands[listing[i]];
		buf_addf(out, "\t\t'%s:", s->name);
		add_zsh(out, s->summary);
		buf_addz(out, "'\n");
	}
	buf_addz(out, "\t)\n\t_describe command commands\n}\n\n_tenon()\n{\n\tlocal state line\n"
	              "\t_arguments -C '-C+[work in this folder]:DIR:_files -/' "
	              "'1:command:_tenon_commands' '*::argument:->rest' && return\n"
	              "\t[[ $state == rest ]] || return\n\tcase $line[1] in\n");
	for (size_t i = 0; i < ARRAY_LEN(listing); i++) {
		const struct command_spec *s = &commands[listing[i]];
		buf_addf(out, "\t%s)\n\t\t_arguments -s ", s->name);
		for (size_t k = 0; k < ARRAY_LEN(option_table); k++) {
			if (option_table[k].commands & BIT(listing[i]))
				zsh_option(&option_table[k], out);
		}
		if (s->max_args) {
			buf_addf(out, "'%s:%s:", s->max_args == ANY ? "*" : "1", s->what);
			zsh_offer(s->words, s->offer, out);
			buf_addc(out, '\'');
		}
		buf_addz(out, ";;\n");
	}
	/* Works from $fpath, where the file is the function's body, and when sourced. */
	buf_addz(out, "\tesac\n}\n\nif [[ $funcstack[1] == _tenon ]]; then\n\t_tenon \"$@\"\nelse\n"
	              "\tcompdef _tenon tenon\nfi\n");
}

/* Text in single quotes for fish. */
static void add_fish(struct buf *out, const char *text)
{
	buf_addc(out, '\'');
	for (const char *c = text; *c; c++) {
		if (*c == '\'' || *c == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *c);
	}
	buf_addc(out, '\'');
}

static void fish_offer(const char *const *words, enum offer offer, struct buf *out)
{
	if (words[0]) {
		buf_addz(out, " -a '");
		add_joined(out, words, " ");
		buf_addc(out, '\'');
	} else if (offer == OFFER_SYSTEMS) {
		buf_addz(out, " -a '(__tenon_systems)'");
	} else if (offer == OFFER_COMMANDS) {
		buf_addz(out, " -a '");
		add_command_names(out, " ");
		buf_addc(out, '\'');
	} else if (offer == OFFER_FOLDERS) {
		buf_addz(out, " -a '(__fish_complete_directories)'");
	}
}

static void fish_option(const struct option_spec *s, struct buf *out)
{
	buf_addz(out, "complete -c tenon");
	if (s->commands != ALL) {
		buf_addz(out, " -n '__fish_seen_subcommand_from");
		for (size_t k = 0; k < ARRAY_LEN(listing); k++) {
			if (s->commands & BIT(listing[k]))
				buf_addf(out, " %s", commands[listing[k]].name);
		}
		buf_addc(out, '\'');
	}
	if (s->letter)
		buf_addf(out, " -s %c", s->letter);
	buf_addf(out, " -l %s", s->name);
	if (takes_value(s)) {
		buf_addz(out, s->offer == OFFER_FILES ? " -rF" : " -x");
		fish_offer(s->words, s->offer, out);
	}
	buf_addz(out, " -d ");
	add_fish(out, s->help);
	buf_addc(out, '\n');
}

static void fish_script(struct buf *out)
{
	buf_addz(out, "# fish completion for tenon\n"
	              "function __tenon_systems\n    for f in *.asd\n        string replace -r '\\.asd$' '' -- $f\n"
	              "    end\nend\n\ncomplete -c tenon -f\n");
	for (size_t i = 0; i < ARRAY_LEN(listing); i++) {
		const struct command_spec *s = &commands[listing[i]];
		buf_addf(out, "complete -c tenon -n __fish_use_subcommand -a %s -d ", s->name);
		add_fish(out, s->summary);
		buf_addc(out, '\n');
		if (!s->words[0] && s->offer == OFFER_NOTHING)
			continue;
		buf_addf(out, "complete -c tenon -n '__fish_seen_subcommand_from %s'", s->name);
		fish_offer(s->words, s->offer, out);
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++)
		fish_option(&option_table[i], out);
}

bool options_completions(struct str shell, struct buf *out, struct err *err)
{
	if (str_eqc(shell, "bash"))
		bash_script(out);
	else if (str_eqc(shell, "zsh"))
		zsh_script(out);
	else if (str_eqc(shell, "fish"))
		fish_script(out);
	else
		return bad_word(shell, commands[COMMAND_COMPLETIONS].words, "shell", err);
	return true;
}
