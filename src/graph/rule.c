#include "graph/rule.h"

#define TEXT(lit)                                                                                                      \
	{                                                                                                              \
		"" lit, sizeof(lit) - 1                                                                                \
	}
/* An attribute: name, type, flags, one line for the manual. */
#define A(name, type, flags, doc)                                                                                      \
	{                                                                                                              \
		TEXT(name), ATTR_##type, flags, TEXT(doc)                                                              \
	}
#define REQ ATTR_REQUIRED

const struct attr_schema rule_common[] = {
        A("name", STRING, REQ, "the target's name in its package"),
        A("deps", LABELS, 0, "targets that it needs"),
        A("visibility", STRINGS, 0, "who may depend on it besides its own package"),
        A("tags", STRINGS, 0, "words to choose targets by"),
        A("doc", STRING, 0, "what it is, for readers"),
};
const uint32_t rule_common_len = ARRAY_LEN(rule_common);

static const struct attr_schema jar[] = {
        A("jar", SOURCE, REQ, "the .jar file"),
        A("source-jar", SOURCE, 0, "a .jar with its sources"),
        A("maven", STRING, 0, "its coordinates, group:artifact:version"),
};

/* Options of everything that starts a Java program. */
#define JVM_OPTIONS A("jvm-options", STRINGS, 0, "options of the Java virtual machine")
#define RESOURCES   A("resources", SOURCES, 0, "files that are on the class path as they are")
#define ROOTS       A("source-roots", STRINGS, 0, "folders that the class path begins at; found from the ns forms otherwise")

static const struct attr_schema clj_lib[] = {
        A("ns", STRINGS, 0, "namespaces to compile, with what they need; all of the sources otherwise"),
        A("srcs", SOURCES, 0, "Clojure sources"),
        A("java-srcs", SOURCES, 0, "Java sources that are compiled with them"),
        A("provided-deps", LABELS, 0, "targets that are needed to compile but are not passed on"),
        A("aot", BOOL, 0, "compile ahead of time (default: true)"),
        A("skip-incomplete", BOOL, 0, "leave namespaces uncompiled that need what no library has (default: false)"),
        A("direct-linking", BOOL, 0, "Clojure's direct linking (default: false)"),
        A("compiler-options", MAP, 0, "Clojure's *compiler-options*"),
        A("out", STRING, ATTR_OUTPUT, "the .jar file that it writes"),
        RESOURCES,
        ROOTS,
        JVM_OPTIONS,
};

static const struct attr_schema clj_binary[] = {
        A("main", STRING, REQ, "the namespace with -main"),
        A("srcs", SOURCES, 0, "Clojure sources of its own"),
        A("aot", BOOL, 0, "compile ahead of time (default: true)"),
        A("aot-libraries", BOOL, 0, "libraries that come as source too (default: false)"),
        A("direct-linking", BOOL, 0, "Clojure's direct linking (default: false)"),
        A("manifest", MAP, 0, "more entries for the jar's manifest"),
        A("exclude", STRINGS, 0, "patterns of entries that the jar leaves out"),
        A("out", STRING, ATTR_OUTPUT, "the .jar file that it writes"),
        RESOURCES,
        ROOTS,
        JVM_OPTIONS,
};

static const struct attr_schema clj_test[] = {
        A("srcs", SOURCES, REQ, "Clojure sources with tests"),
        A("ns", STRINGS, 0, "namespaces to test; all of the sources otherwise"),
        A("data", SOURCES, 0, "files that the tests read"),
        A("env", MAP, 0, "environment variables"),
        A("timeout", INT, 0, "seconds for one namespace (default: 300)"),
        A("selectors", MAP, 0, "names of tests: functions of metadata, in Clojure; \"default\" is meant otherwise"),
        A("skip-incomplete", BOOL, 0,
          "leave out namespaces that need ClojureScript, where it is missing (default: false)"),
        RESOURCES,
        ROOTS,
        JVM_OPTIONS,
};

static const struct attr_schema java_library[] = {
        A("srcs", SOURCES, REQ, "Java sources"),
        A("release", INT, 0, "javac --release"),
        A("javac-options", STRINGS, 0, "options of javac"),
        A("provided-deps", LABELS, 0, "targets that are needed to compile but are not passed on"),
        A("processors", STRINGS, 0, "annotation processors, by class"),
        A("out", STRING, ATTR_OUTPUT, "the .jar file that it writes"),
        RESOURCES,
};

static const struct attr_schema java_binary[] = {
        A("main", STRING, REQ, "the class with main"),
        A("srcs", SOURCES, 0, "Java sources of its own"),
        A("release", INT, 0, "javac --release"),
        A("javac-options", STRINGS, 0, "options of javac"),
        A("manifest", MAP, 0, "more entries for the jar's manifest"),
        A("exclude", STRINGS, 0, "patterns of entries that the jar leaves out"),
        A("out", STRING, ATTR_OUTPUT, "the .jar file that it writes"),
        RESOURCES,
        JVM_OPTIONS,
};

/* A genrule, and the actions of a workspace's own rules. */
#define COMMAND                                                                                                        \
	A("srcs", SOURCES, 0, "files that the command reads: $SRCS"),                                                  \
	        A("tools", LABELS, 0, "targets that the command runs: $(location //dir:name)"),                        \
	        A("outs", STRINGS, ATTR_OUTPUT | ATTR_ONE_OUT, "files that it writes: $OUTS"),                         \
	        A("out", STRING, ATTR_OUTPUT | ATTR_ONE_OUT, "the one file that it writes: $OUT"),                     \
	        A("cmd", STRING, ATTR_ONE_OF, "a command for /bin/sh"),                                                \
	        A("cmds", COMMANDS, ATTR_ONE_OF, "commands without a shell, each a list of strings"),                  \
	        A("env", MAP, 0, "environment variables"), A("worker", LABEL, 0, "a worker-tool that carries it out")

static const struct attr_schema genrule[] = {
        COMMAND,
        A("executable", BOOL, 0, "what it writes can be run (default: false)"),
};

static const struct attr_schema action[] = {COMMAND};

static const struct attr_schema export_file[] = {
        A("src", SOURCE, 0, "the file; the one with the target's name otherwise"),
        A("out", STRING, ATTR_OUTPUT, "another name for it"),
};

static const struct attr_schema remote_file[] = {
        A("url", STRING, ATTR_ONE_OF, "where it is: http, https or file"),
        A("urls", STRINGS, ATTR_ONE_OF, "several places, tried in order"),
        A("sha256", STRING, REQ, "the SHA-256 of its content, 64 hexadecimal digits"),
        A("out", STRING, ATTR_OUTPUT, "its name (default: the target's)"),
        A("executable", BOOL, 0, "it can be run (default: false)"),
};

static const struct attr_schema zip_file[] = {
        A("srcs", SOURCES, 0, "files that go into it, with their paths below the package"),
        A("zip-srcs", SOURCES, 0, "archives whose entries go into it"),
        A("prefix", STRING, 0, "a folder that all entries are put into"),
        A("strip-prefix", STRING, 0, "a folder that is taken off the entries' paths"),
        A("out", STRING, ATTR_OUTPUT, "the archive that it writes"),
};

static const struct attr_schema command_alias[] = {
        A("exe", LABEL, REQ, "the target that is run"),
        A("args", STRINGS, 0, "arguments before those of the command line"),
        A("env", MAP, 0, "environment variables"),
};

static const struct attr_schema worker_tool[] = {
        A("exe", LABEL, REQ, "the program, which speaks Bazel's JSON worker protocol"),
        A("args", STRINGS, 0, "arguments of the program"),
        A("env", MAP, 0, "environment variables"),
        A("max-workers", INT, 0, "how many run at once (default: 1)"),
};

#define SYSTEMS A("systems", STRINGS, 0, "ASDF systems that are not targets of the workspace")
#define LISP    A("lisp", STRING, 0, "the Lisp system (default: sbcl)")

static const struct attr_schema lisp_library[] = {
        A("srcs", SOURCES, REQ, "Common Lisp sources"),
        A("serial", BOOL, 0, "each file may use the ones before it (default: false)"),
        A("data", SOURCES, 0, "files that are read while compiling"),
        A("features", STRINGS, 0, "names that are added to *features*"),
        SYSTEMS,
        LISP,
};

static const struct attr_schema lisp_binary[] = {
        A("main", STRING, REQ, "the function that is called, as package:name"),
        A("srcs", SOURCES, 0, "Common Lisp sources of its own"),
        A("serial", BOOL, 0, "each file may use the ones before it (default: false)"),
        A("compression", BOOL, 0, "compress the core where the Lisp can (default: false)"),
        A("out", STRING, ATTR_OUTPUT, "the program that it writes"),
        SYSTEMS,
        LISP,
};

static const struct attr_schema lisp_test[] = {
        A("srcs", SOURCES, 0, "Common Lisp sources with tests"),
        A("serial", BOOL, 0, "each file may use the ones before it (default: false)"),
        A("run", STRING, REQ, "the form that runs the tests; an error or NIL is a failure"),
        A("data", SOURCES, 0, "files that the tests read"),
        A("env", MAP, 0, "environment variables"),
        A("timeout", INT, 0, "seconds (default: 300)"),
        SYSTEMS,
        LISP,
};

static const struct attr_schema asdf_system[] = {
        A("system", STRING, 0, "the system's name (default: the target's)"),
        A("asd", SOURCE, 0, "the .asd file, where ASDF would not find it"),
        LISP,
};

#define RULE(rule, attributes, line, ...)                                                                              \
	{                                                                                                              \
		.name = TEXT(rule), .doc = TEXT(line), .attrs = attributes, .nattrs = ARRAY_LEN(attributes),           \
		__VA_ARGS__                                                                                            \
	}
#define OUT(suffix) .default_out = TEXT(suffix)

/* In order of name. */
const struct rule_schema rule_table[] = {
        RULE("asdf-system", asdf_system, "A system that ASDF describes.", .is_test = false),
        RULE("clj-binary", clj_binary, "A jar that java -jar runs, with all that it needs in it.", OUT(".jar"),
             .is_binary = true),
        RULE("clj-lib", clj_lib, "Clojure namespaces.", OUT(".jar")),
        RULE("clj-test", clj_test, "Tests of clojure.test.", .is_test = true),
        RULE("command-alias", command_alias, "Another target with arguments.", .is_binary = true),
        RULE("export-file", export_file, "A file of the workspace, as a target.", OUT("")),
        RULE("genrule", genrule, "Files that a command makes.", .is_binary = true),
        RULE("jar", jar, "A jar that is there.", .is_test = false),
        RULE("java-binary", java_binary, "A jar that java -jar runs, of Java sources.", OUT(".jar"), .is_binary = true),
        RULE("java-library", java_library, "Java classes.", OUT(".jar")),
        RULE("lisp-binary", lisp_binary, "A program: a Lisp image with a function to call.", OUT(""),
             .is_binary = true),
        RULE("lisp-library", lisp_library, "Common Lisp files.", .is_test = false),
        RULE("lisp-test", lisp_test, "Tests in Common Lisp.", .is_test = true),
        RULE("prebuilt-jar", jar, "A jar that is there: another name of jar.", .is_test = false),
        RULE("remote-file", remote_file, "A file that is fetched and checked.", OUT("")),
        RULE("worker-tool", worker_tool, "A program that stays and takes one request after the other.",
             .is_test = false),
        RULE("zip-file", zip_file, "A reproducible zip archive.", OUT(".zip")),
};
const uint32_t rule_table_len = ARRAY_LEN(rule_table);

const struct rule_schema rule_action_schema =
        RULE("action", action, "One command of a workspace's own rule.", .is_test = false);

const struct rule_schema *rule_find(struct str name)
{
	for (uint32_t i = 0; i < rule_table_len; i++)
		if (str_eq(rule_table[i].name, name))
			return &rule_table[i];
	return NULL;
}

const struct attr_schema *rule_attr(const struct rule_schema *r, struct str name)
{
	for (uint32_t i = 0; i < r->nattrs; i++)
		if (str_eq(r->attrs[i].name, name))
			return &r->attrs[i];
	for (uint32_t i = 0; i < rule_common_len && r != &rule_action_schema; i++)
		if (str_eq(rule_common[i].name, name))
			return &rule_common[i];
	return NULL;
}
