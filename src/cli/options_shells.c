/* Completions for bash, zsh and fish. */
#include "cli/options_table.h"

static void add_options_of(enum command c, struct buf *out)
{
	for (size_t i = 0; i < option_table_len; i++) {
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
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++)
		buf_addf(out, "%s%s", i ? sep : "", command_table[command_listing[i]].name);
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
	for (size_t i = 0; i < option_table_len; i++) {
		const struct option_spec *s = &option_table[i];
		if (!option_takes_value(s))
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
	for (size_t i = 0; i < option_table_len; i++) {
		const struct option_spec *s = &option_table[i];
		if (!option_takes_value(s))
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
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++) {
		const struct command_spec *s = &command_table[command_listing[i]];
		buf_addf(out, "\t%s)\n\t\tif [[ $cur == -* ]]; then\n\t\t\tmapfile -t COMPREPLY < <(compgen -W '",
		         s->name);
		add_options_of(command_listing[i], out);
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
			buf_addf(out, "-%c%s", s->letter, option_takes_value(s) ? "+" : "");
		else
			buf_addf(out, "--%s%s", s->name, option_takes_value(s) ? "=" : "");
		buf_addc(out, '[');
		add_zsh(out, s->help);
		buf_addc(out, ']');
		if (option_takes_value(s)) {
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
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++) {
		const struct command_spec *s = &command_table[command_listing[i]];
		buf_addf(out, "\t\t'%s:", s->name);
		add_zsh(out, s->summary);
		buf_addz(out, "'\n");
	}
	buf_addz(out, "\t)\n\t_describe command commands\n}\n\n_tenon()\n{\n\tlocal state line\n"
	              "\t_arguments -C '-C+[work in this folder]:DIR:_files -/' "
	              "'1:command:_tenon_commands' '*::argument:->rest' && return\n"
	              "\t[[ $state == rest ]] || return\n\tcase $line[1] in\n");
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++) {
		const struct command_spec *s = &command_table[command_listing[i]];
		buf_addf(out, "\t%s)\n\t\t_arguments -s ", s->name);
		for (size_t k = 0; k < option_table_len; k++) {
			if (option_table[k].commands & BIT(command_listing[i]))
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
		for (size_t k = 0; k < ARRAY_LEN(command_listing); k++) {
			if (s->commands & BIT(command_listing[k]))
				buf_addf(out, " %s", command_table[command_listing[k]].name);
		}
		buf_addc(out, '\'');
	}
	if (s->letter)
		buf_addf(out, " -s %c", s->letter);
	buf_addf(out, " -l %s", s->name);
	if (option_takes_value(s)) {
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
	for (size_t i = 0; i < ARRAY_LEN(command_listing); i++) {
		const struct command_spec *s = &command_table[command_listing[i]];
		buf_addf(out, "complete -c tenon -n __fish_use_subcommand -a %s -d ", s->name);
		add_fish(out, s->summary);
		buf_addc(out, '\n');
		if (!s->words[0] && s->offer == OFFER_NOTHING)
			continue;
		buf_addf(out, "complete -c tenon -n '__fish_seen_subcommand_from %s'", s->name);
		fish_offer(s->words, s->offer, out);
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < option_table_len; i++)
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
		return options_bad_word(shell, command_table[COMMAND_COMPLETIONS].words, "shell", err);
	return true;
}
