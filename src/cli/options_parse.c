/* From a command line to options. */
#include <stdlib.h>

#include "cli/options_table.h"

struct parser {
	struct options *o;
	int argc, at;
	char **argv;
	bool have_command;
	uint64_t seen; /* options given, by index in the table */
	struct err *err;
};

static const struct option_spec *find_long(struct str name)
{
	for (size_t i = 0; i < option_table_len; i++) {
		if (str_eqc(name, option_table[i].name))
			return &option_table[i];
	}
	return NULL;
}

static const struct option_spec *find_letter(char c)
{
	for (size_t i = 0; i < option_table_len; i++) {
		if (option_table[i].letter == c)
			return &option_table[i];
	}
	return NULL;
}

static bool unknown_option(struct parser *p, struct str name)
{
	struct near_word n = near_word_to(name);
	for (size_t i = 0; i < option_table_len; i++)
		near_word_offer(&n, option_table[i].name);
	err_set(p->err, ERR_USER, "unknown option '--%.*s'", STR_ARG(name));
	if (n.best)
		err_note(p->err, "did you mean '--%s'?", n.best);
	else
		err_note(p->err, "'tenon help %s' lists the options",
		         p->have_command ? command_table[p->o->command].name : "COMMAND");
	return false;
}

/* `value` is what was attached, or NULL. */
static bool take_option(struct parser *p, const struct option_spec *s, const char *value)
{
	p->seen |= 1ull << (s - option_table);
	if (!option_takes_value(s)) {
		if (value)
			return err_set(p->err, ERR_USER, "option '--%s' takes no value", s->name);
		return option_set_value(p->o, s, "", p->err);
	}
	if (!value) {
		if (p->at >= p->argc) {
			err_set(p->err, ERR_USER, "option '--%s' needs a value", s->name);
			err_note(p->err, "write --%s=%s", s->name, s->metavar);
			return false;
		}
		value = p->argv[p->at++];
	}
	return option_set_value(p->o, s, value, p->err);
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
				         p->have_command ? command_table[p->o->command].name : "COMMAND");
			return false;
		}
		if (option_takes_value(s))
			return take_option(p, s, text[1] == '=' ? text + 2 : text[1] ? text + 1 : NULL);
		if (!take_option(p, s, NULL))
			return false;
	}
	return true;
}

static bool unknown_command(struct parser *p, struct str name, bool as_topic)
{
	struct near_word n = near_word_to(name);
	for (unsigned c = 0; c < COMMAND_COUNT; c++)
		near_word_offer(&n, command_table[c].name);
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
		else if (strcmp(a, "--") == 0 && p->have_command && p->o->command == COMMAND_RUN)
			ok = take_word(p, a); /* no target was named: all that follows is its program's */
		else if (strcmp(a, "--") == 0)
			ok = only_words = true;
		else if (a[1] == '-')
			ok = take_long(p, a + 2);
		else
			ok = take_letters(p, a + 1);
		if (!ok)
			return false;
		/* What follows the target is its program's. */
		only_words |= p->have_command && p->o->command == COMMAND_RUN && p->o->args.len;
	}
	return true;
}

static bool check_applies(struct parser *p)
{
	for (size_t i = 0; i < option_table_len; i++) {
		const struct option_spec *s = &option_table[i];
		if (!(p->seen >> i & 1) || s->commands & BIT(p->o->command))
			continue;
		struct buf b = {0};
		for (size_t k = 0; k < ARRAY_LEN(command_listing); k++) {
			if (s->commands & BIT(command_listing[k]))
				buf_addf(&b, "%s'%s'", b.len ? ", " : "", command_table[command_listing[k]].name);
		}
		if (p->have_command)
			err_set(p->err, ERR_USER, "option '--%s' means nothing to 'tenon %s'", s->name,
			        command_table[p->o->command].name);
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
	const struct command_spec *c = &command_table[p->o->command];
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
	return options_bad_word(args->ptr[0], c->words, c->what, p->err);
}

/* --help and --version turn any command line that is otherwise well-formed into another command. */
static void turn_to_help(struct parser *p)
{
	struct options *o = p->o;
	if (o->want_help && p->have_command && o->command != COMMAND_HELP) {
		vec_clear(&o->args);
		vec_push(&o->args, str_from(command_table[o->command].name));
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
