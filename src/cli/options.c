/* The tables of commands and options, from which everything else about them is made. */
#include "cli/options_table.h"

/* Commands that look for a Lisp and systems. */
#define LOOKS                                                                                                          \
	(BIT(COMMAND_BUILD) | BIT(COMMAND_TEST) | BIT(COMMAND_RUN) | BIT(COMMAND_TARGETS) | BIT(COMMAND_EVAL) |        \
	 BIT(COMMAND_REPL) | BIT(COMMAND_LOAD_LIST) | BIT(COMMAND_PLAN) | BIT(COMMAND_QUERY) | BIT(COMMAND_EXPLAIN) |  \
	 BIT(COMMAND_DEPS) | BIT(COMMAND_DOCTOR))
/* Commands that may have to build first. */
#define BUILDS                                                                                                         \
	(BIT(COMMAND_BUILD) | BIT(COMMAND_TEST) | BIT(COMMAND_RUN) | BIT(COMMAND_EVAL) | BIT(COMMAND_REPL) |           \
	 BIT(COMMAND_LOAD_LIST) | BIT(COMMAND_DEPS))
/* Commands that build targets of a workspace. */
#define TARGET_BUILDS (BIT(COMMAND_BUILD) | BIT(COMMAND_TEST) | BIT(COMMAND_RUN))
/* Commands whose answer rests on the actions' keys. */
#define KEYS          (BUILDS | BIT(COMMAND_PLAN) | BIT(COMMAND_QUERY) | BIT(COMMAND_EXPLAIN))
#define STORES        (LOOKS | BIT(COMMAND_CACHE) | BIT(COMMAND_CLEAN))
#define REPORTS                                                                                                        \
	(BIT(COMMAND_TARGETS) | BIT(COMMAND_PLAN) | BIT(COMMAND_QUERY) | BIT(COMMAND_EXPLAIN) | BIT(COMMAND_DOCTOR) |  \
	 BIT(COMMAND_LOAD_LIST) | BIT(COMMAND_CACHE) | BIT(COMMAND_DEPS))
#define AT(member) offsetof(struct options, member)

const struct command_spec command_table[COMMAND_COUNT] = {
        [COMMAND_BUILD] = {"build",
                           "[TARGET...]",
                           "build systems and all they need",
                           "A TARGET is the name of a system, NAME or asdf:NAME; in a workspace (a folder with a "
                           "file WORKSPACE) also a label, //DIR:NAME or :NAME, or //DIR/... for all below a folder. "
                           "With none given, all targets of the workspace are built, or the systems that the .asd "
                           "files of the folder define.",
                           0,
                           ANY,
                           {0},
                           OFFER_SYSTEMS,
                           "target"},
        [COMMAND_TEST] = {"test",
                          "[TARGET...]",
                          "run the tests of targets",
                          "Builds the targets and runs those that are tests; with none given, all of the workspace. A "
                          "test whose inputs are what they were is not run again.",
                          0,
                          ANY,
                          {0},
                          OFFER_NOTHING,
                          "target"},
        [COMMAND_RUN] = {"run",
                         "[TARGET [ARGUMENT...]]",
                         "build a target and run it",
                         "Builds the target and becomes its program, which gets all that follows the target's name, "
                         "options too. The exit code is the program's. With none given, the one program of the folder, "
                         "which gets "
                         "all that follows `--`. An alias of deps.edn that starts something (:main-opts, :exec-fn, "
                         ":ns-default) is run as Clojure's own tool does, from the sources.",
                         0,
                         ANY,
                         {0},
                         OFFER_NOTHING,
                         "target"},
        [COMMAND_TARGETS] = {"targets",
                             "[TARGET...]",
                             "list the targets of the workspace",
                             "Prints the label and the rule of each target; with none given, of all.",
                             0,
                             ANY,
                             {0},
                             OFFER_NOTHING,
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
                          "[SYSTEM... | TARGET...]",
                          "start a Lisp with systems loaded, or Clojure",
                          "Builds the systems, loads their FASLs and gives the Lisp's own prompt. With targets of "
                          "Clojure, or in a Clojure project: a prompt with their sources and libraries on the class "
                          "path, and an nREPL (its port in .nrepl-port) where nrepl is among the libraries, or "
                          "installed.",
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
                             "For each action: which byte, step, policy or variable is another one than the last time. "
                             "Among targets, TARGET may also be a namespace: which file, var, resource or option "
                             "changed, or why that did not matter.",
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
        [COMMAND_IMPORT] = {"import",
                            "deps|lein|pom",
                            "write targets for a Clojure project that has its own description",
                            "Reads deps.edn (deps), project.clj (lein) or pom.xml (pom) of the workspace's folder, has "
                            "Maven resolve what it asks for, and writes BUILD, lib/BUILD with the jars, and deps.lock. "
                            "A deps.lock that was made from the same description is kept to: the same libraries, by "
                            "SHA-256, or an error.",
                            1,
                            1,
                            {"deps", "lein", "pom"},
                            OFFER_NOTHING,
                            "description"},
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
const enum command command_listing[] = {
        COMMAND_BUILD,     COMMAND_TEST,  COMMAND_RUN,    COMMAND_TARGETS,     COMMAND_EVAL, COMMAND_REPL,
        COMMAND_LOAD_LIST, COMMAND_PLAN,  COMMAND_QUERY,  COMMAND_EXPLAIN,     COMMAND_DEPS, COMMAND_DOCTOR,
        COMMAND_CLEAN,     COMMAND_CACHE, COMMAND_IMPORT, COMMAND_COMPLETIONS, COMMAND_HELP, COMMAND_VERSION,
};

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

const struct option_spec option_table[] = {
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
        WORDS("strategy", TYPE_CHOICE, strategy, TARGET_BUILDS, "STRATEGY",
              "in which order the actions of targets run: event (each as soon as it can, the longest way first), level "
              "(the deepest level of the graph, then the next), serial (default: event)",
              "event", "level", "serial"),
        FLAG("audit", 0, audit, BIT(COMMAND_BUILD),
             "compile each namespace of Clojure a second time, in a process of its own, and compare the bytes"),
        FLAG("rerun", 0, rerun, BIT(COMMAND_TEST), "run tests again whose results are known"),
        VALUE("only", 0, TYPE_LIST, only, BIT(COMMAND_TEST), "NAMESPACE[/TEST]",
              "run the tests of NAMESPACE alone, or TEST alone (may be given several times)", OFFER_NOTHING),
        VALUE("alias", 'A', TYPE_LIST, chosen, LOOKS | BIT(COMMAND_IMPORT), "NAME",
              "take deps.edn with this alias: what it adds to the project, and what it replaces (may be given several "
              "times; -A:one:two are two)",
              OFFER_NOTHING),
        VALUE("profile", 0, TYPE_LIST, chosen, LOOKS | BIT(COMMAND_IMPORT), "NAME",
              "take project.clj with this profile (may be given several times)", OFFER_NOTHING),
        VALUE("select", 0, TYPE_LIST, selectors, BIT(COMMAND_TEST), "NAME",
              "run the tests that NAME selects: one of :test-selectors, or tests with that key in their metadata (may "
              "be "
              "given several times)",
              OFFER_NOTHING),
        FLAG("headless", 0, headless, BIT(COMMAND_REPL), "serve an nREPL and give no prompt"),
        VALUE("port", 0, TYPE_COUNT, port, BIT(COMMAND_REPL), "PORT", "the port of the nREPL (default: a free one)",
              OFFER_NOTHING),
        VALUE("junit", 0, TYPE_STRING, junit, BIT(COMMAND_TEST), "FILE",
              "write a report of the tests to FILE, as JUnit's XML", OFFER_FILES),
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
        VALUE("heap", 0, TYPE_SIZE, heap, BUILDS, "SIZE",
              "let each Lisp that builds use at most SIZE of memory (default: 4G)", OFFER_NOTHING),
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
        {"no-snapshots",
         0,
         TYPE_FALSE,
         AT(snapshots),
         BUILDS,
         NULL,
         "neither start from images that earlier builds have saved, nor save one when the build ends",
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
        FLAG("offline", 0, offline, LOOKS | BIT(COMMAND_IMPORT),
             "use the libraries that are on this machine and fetch none"),
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

const size_t option_table_len = ARRAY_LEN(option_table);
_Static_assert(ARRAY_LEN(option_table) <= 64, "the parser's set of options has 64 bits");

const char *command_name(enum command c)
{
	return c < COMMAND_COUNT ? command_table[c].name : "";
}

enum command command_find(struct str name)
{
	for (unsigned c = 0; c < COMMAND_COUNT; c++) {
		if (str_eqc(name, command_table[c].name))
			return (enum command)c;
	}
	return COMMAND_COUNT;
}

void options_init(struct options *o)
{
	*o = (struct options){.sandbox = true,
	                      .headers = true,
	                      .snapshots = true,
	                      .config = "default",
	                      .warnings = "asdf",
	                      .timeout_s = 600,
	                      .heap = (uint64_t)4 << 30};
}

void options_release(struct options *o)
{
	vec_release(&o->args);
	vec_release(&o->env);
	vec_release(&o->modules);
	vec_release(&o->only);
	vec_release(&o->chosen);
	vec_release(&o->selectors);
}
