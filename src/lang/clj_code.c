/* Runs of what counts, each with its place. The reader's own rules, as far as they say where a string, a character or a
 * comment begins and ends; where that would take more, the text is doubtful. */
#include "lang/clj_code.h"

struct scan {
	struct str text;
	size_t at;
	uint64_t line, line_start;
	int64_t depth; /* of parentheses, brackets and braces */
};

static int byte_at(const struct scan *s, size_t at)
{
	return at < s->text.len ? (unsigned char)s->text.ptr[at] : -1;
}

/* A return is a space only before a newline: see has_lone_return(). */
static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\n' || c == '\r';
}

static void newline(struct scan *s)
{
	s->line++;
	s->line_start = s->at + 1;
}

/* The reader counts a line, and ends a comment, at a return as well. */
static bool has_lone_return(struct str text)
{
	for (size_t at = 0; at < text.len; at++)
		if (text.ptr[at] == '\r' && (at + 1 == text.len || text.ptr[at + 1] != '\n'))
			return true;
	return false;
}

static void skip_comment(struct scan *s)
{
	while (s->at < s->text.len && byte_at(s, s->at) != '\n')
		s->at++;
}

static void skip_space(struct scan *s)
{
	for (; s->at < s->text.len; s->at++) {
		if (byte_at(s, s->at) == ';')
			skip_comment(s);
		if (!is_space(byte_at(s, s->at)))
			return;
		if (byte_at(s, s->at) == '\n')
			newline(s);
	}
}

/* From the quote behind which the string begins to behind the one that ends it; regular expressions likewise. */
static bool skip_string(struct scan *s)
{
	for (s->at++; s->at < s->text.len; s->at++) {
		int c = byte_at(s, s->at);
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c == '\\')
			s->at++;
		if (byte_at(s, s->at) == '\n')
			newline(s);
	}
	return false;
}

/* A run: to the next space or comment outside of strings and characters. */
static bool skip_run(struct scan *s)
{
	for (;;) {
		int c = byte_at(s, s->at);
		if (c < 0 || c == ';' || is_space(c))
			return true;
		if (c == '"') {
			if (!skip_string(s))
				return false;
			continue;
		}
		/* Whether this begins a comment, or is within a symbol, takes more to know. */
		if (c == '#' && byte_at(s, s->at + 1) == '!')
			return false;
		if (c == '\\') {
			if (s->at + 1 == s->text.len || byte_at(s, s->at + 1) == '\n' || byte_at(s, s->at + 1) == '\r')
				return false;
			s->at++;
		} else {
			s->depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
		}
		s->at++;
	}
}

/* To know that a token at top level ends, the reader takes the character behind it; the compiler then asks for the
 * line. */
static bool looks_ahead(const struct scan *s)
{
	int last = byte_at(s, s->at - 1);
	bool closed = last == ')' || last == ']' || last == '}' || last == '"';
	return s->depth == 0 && (!closed || (s->at > 1 && byte_at(s, s->at - 2) == '\\'));
}

bool clj_code_digest(struct str text, struct digest *ret)
{
	struct scan s = {.text = text, .line = 1};
	struct hasher *h = hasher_new(STR("tenon-clojure-forms-1"));
	bool ok = !has_lone_return(text);
	for (skip_space(&s); ok && s.at < text.len; skip_space(&s)) {
		size_t from = s.at;
		hasher_u64(h, "line", s.line);
		hasher_u64(h, "column", from - s.line_start);
		ok = skip_run(&s);
		hasher_str(h, "run", str_slice(text, from, s.at));
		if (ok && looks_ahead(&s))
			hasher_u64(h, "ends the line", byte_at(&s, s.at) == '\n' || byte_at(&s, s.at) == '\r');
	}
	*ret = hasher_end(h);
	return ok;
}
