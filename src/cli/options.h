/* options.h - the command line: one table of commands and options, and everything that is made from it.
 *
 *     struct options o;
 *     if (!options_parse(&o, argc, argv, &err)) ...   // err is ERR_USER with a note; o needs no release then
 *     switch (o.command) ...
 *     options_release(&o);
 *
 * The parser, `tenon help`, the completions of three shells and the man page's sections read the same table in
 * options.c, so an option is added in one place (and as a member of struct options). Nothing here prints. */
#ifndef TENON_CLI_OPTIONS_H
#define TENON_CLI_OPTIONS_H

#include "base/err.h"

enum command {
	COMMAND_HELP, /* also: no command at all, and --help anywhere (then `args` holds the command's name) */
	COMMAND_BUILD,
	COMMAND_TEST,
	COMMAND_RUN,
	COMMAND_TARGETS,
	COMMAND_EVAL,
	COMMAND_REPL,
	COMMAND_LOAD_LIST,
	COMMAND_PLAN,
	COMMAND_QUERY,
	COMMAND_EXPLAIN,
	COMMAND_DEPS,
	COMMAND_DOCTOR,
	COMMAND_CLEAN,
	COMMAND_CACHE,
	COMMAND_IMPORT,
	COMMAND_COMPLETIONS,
	COMMAND_VERSION, /* also: --version */
	COMMAND_COUNT
};

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum output_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_DOT };

/* Strings point into argv. What the user did not give has the value that options_init sets. */
struct options {
	enum command command;
	StrVec args; /* what is neither option nor command; each is NUL-terminated too */

	const char *directory; /* -C; NULL: the current one */
	unsigned jobs;         /* 0: as many as there are cores */
	bool keep_going, lax, install_fasls, headers, snapshots, verify_headers;
	bool sandbox;            /* true unless --no-sandbox */
	const char *config;      /* "default"; letters, digits, "-", "_", "." only: it names folders */
	unsigned strategy;       /* enum sched_strategy */
	bool audit;              /* build: compile each namespace of Clojure alone as well */
	bool rerun;              /* test: also what is known */
	StrVec chosen;           /* aliases of deps.edn, profiles of project.clj; several in one with ':' or ',' */
	StrVec selectors;        /* test: names of :test-selectors, or keys of metadata */
	StrVec only;             /* test: NAMESPACE or NAMESPACE/TEST */
	const char *junit;       /* test: file for the report; NULL: none */
	bool headless;           /* repl: serve and give no prompt */
	unsigned port;           /* repl: of the nREPL; 0: any */
	const char *warnings;    /* "asdf", "fail" or "ignore" */
	unsigned timeout_s;      /* per action; 600; 0: none */
	uint64_t image_memory;   /* bytes; 0: not given */
	uint64_t heap;           /* bytes of each Lisp; 4 GiB */
	const char *lisp;        /* NULL: sbcl in PATH */
	const char *store_dir;   /* NULL: the user's */
	const char *registry;    /* NULL: nothing beyond the usual places */
	StrVec env;              /* names of environment variables */
	StrVec modules;          /* eval --module */
	bool fix, expand_serial; /* deps */

	bool quiet, verbose;
	unsigned color;       /* enum color_mode */
	unsigned format;      /* enum output_format */
	const char *log_file; /* NULL: only the workspace's log folder */

	uint64_t max_size;            /* cache gc: bytes; 0: not given */
	uint64_t max_age_s;           /* cache gc: seconds; 0: not given */
	bool offline;                 /* import */
	bool man;                     /* help --man */
	bool want_help, want_version; /* --help, --version; parsed into `command` */
};

void options_init(struct options *o);
void options_release(struct options *o);
/* argv[0] is skipped. False: ERR_USER; nothing is left to release. */
bool options_parse(struct options *o, int argc, char **argv, struct err *err);

const char *command_name(enum command c);
/* The command of that name, or COMMAND_COUNT. */
enum command command_find(struct str name);

/* The text of `tenon help` (COMMAND_COUNT) or `tenon help COMMAND`. */
void options_help(enum command c, struct buf *out);
/* The sections COMMANDS and OPTIONS of the man page, as man(7) macros. */
void options_man(struct buf *out);
/* A completion script for "bash", "zsh" or "fish". */
bool options_completions(struct str shell, struct buf *out, struct err *err);

/* Whether to use colours on a stream: `mode`, then NO_COLOR (set and not empty) and TERM (absent or "dumb"), given as
 * getenv returned them, then whether it is a terminal. */
bool color_wanted(enum color_mode mode, bool is_tty, const char *no_color, const char *term);

#endif
