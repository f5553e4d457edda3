/* options_table.h - the tables of commands and options: for parsing, help, the man page and completions, which are all
 * made from them and from nothing else. Who only wants the options of a command line includes options.h. */
#ifndef TENON_CLI_OPTIONS_TABLE_H
#define TENON_CLI_OPTIONS_TABLE_H

#include "cli/options.h"

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
#define ANY    UINT32_MAX

extern const struct command_spec command_table[COMMAND_COUNT];
extern const enum command command_listing[COMMAND_COUNT]; /* in the order in which people are told of them */
extern const struct option_spec option_table[];
extern const size_t option_table_len;

/* Keeps the nearest of the names offered so far; a beginning counts as near. */
struct near_word {
	struct str wanted;
	const char *best;
	size_t distance;
};
struct near_word near_word_to(struct str wanted);
void near_word_offer(struct near_word *n, const char *name);
/* Says that `got` is no `what`, which of `words` is near, and what they are. */
bool options_bad_word(struct str got, const char *const *words, const char *what, struct err *err);

bool option_takes_value(const struct option_spec *s);
bool option_set_value(struct options *o, const struct option_spec *s, const char *value, struct err *err);

#endif
