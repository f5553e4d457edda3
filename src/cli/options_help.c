/* The help texts and the man page. */
#include "cli/options_table.h"

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
	const struct command_spec *s = &command_table[c];
	buf_addf(out, "usage: tenon %s [OPTION...]%s%s\n\n%s: %s\n\n", s->name, *s->synopsis ? " " : "", s->synopsis,
	         s->name, s->summary);
	add_wrapped(out, s->help, 0, 0);
	bool any = false;
	for (size_t i = 0; i < option_table_len; i++) {
		const struct option_spec *o = &option_table[i];
		if (!(o->commands & BIT(c)) || o->commands == ALL)
			continue;
		buf_addz(out, any ? "" : "\nOptions:\n");
		any = true;
		help_option(o, out);
	}
	buf_addz(out, "\nOptions of every command:\n");
	for (size_t i = 0; i < option_table_len; i++) {
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
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++) {
		const struct command_spec *s = &command_table[command_listing[i]];
		buf_addf(out, "  %-12s %s\n", s->name, s->summary);
	}
	buf_addz(out, "\nOptions of every command:\n");
	for (size_t i = 0; i < option_table_len; i++) {
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
	for (size_t k = 0, n = 0; k < ARRAY_LEN(command_listing); k++) {
		if (!(s->commands & BIT(command_listing[k])))
			continue;
		buf_addf(out, "%s \\fB", n++ ? "," : "");
		add_roff(out, command_table[command_listing[k]].name);
		buf_addz(out, "\\fR");
	}
	buf_addz(out, ".\n");
}

void options_man(struct buf *out)
{
	buf_addz(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++) {
		const struct command_spec *s = &command_table[command_listing[i]];
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
	for (size_t i = 0; i < option_table_len; i++)
		man_option(&option_table[i], out);
}
