#include <stdarg.h>

#include "lang/place.h"

static struct str line_of(struct str text, uint32_t line)
{
	for (; line > 1 && text.len; line--) {
		size_t end = str_find(text, '\n');
		text = str_drop(text, end + (end < text.len));
	}
	return str_slice(text, 0, str_find(text, '\n'));
}

void place_add(const SourceTexts *files, struct place p, struct err *err)
{
	if (!err || !p.line || p.file >= files->len || err->span.line)
		return;
	const struct source_text *t = &files->ptr[p.file];
	if (t->made_from.len)
		err_at(err, t->made_from, 0, 0, (struct str){0});
	else
		err_at(err, t->path, p.line, p.col, line_of(t->text, p.line));
}

bool place_err(const SourceTexts *files, struct place p, struct err *err, const char *fmt, ...)
{
	if (!err)
		return false;
	struct buf message = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	err_clear(err);
	err_set(err, ERR_USER, "%s", buf_cstr(&message));
	buf_release(&message);
	place_add(files, p, err);
	return false;
}

void place_name(const SourceTexts *files, struct place p, struct buf *out)
{
	if (p.file < files->len && files->ptr[p.file].made_from.len)
		buf_adds(out, files->ptr[p.file].made_from);
	else if (p.file < files->len)
		buf_addf(out, "%.*s:%u:%u", STR_ARG(files->ptr[p.file].path), p.line, p.col);
}

void nearest_init(struct nearest *n, struct str wanted)
{
	/* A third of the letters may be wrong; more is another word. */
	size_t limit = wanted.len < 3 ? 1 : MIN(wanted.len / 3 + 1, 4);
	*n = (struct nearest){.wanted = wanted, .limit = limit, .distance = limit + 1};
}

void nearest_offer(struct nearest *n, struct str name)
{
	if (n->wanted.len > 200 || name.len > n->wanted.len + n->limit || n->wanted.len > name.len + n->limit)
		return;
	size_t d = str_distance(n->wanted, name, n->limit);
	/* Something of the word must be left. */
	if (d >= n->distance || d >= MAX(n->wanted.len, name.len))
		return;
	n->distance = d;
	n->best = name;
}

void nearest_note(const struct nearest *n, struct err *err)
{
	if (n->best.len)
		err_note(err, "did you mean \"%.*s\"?", STR_ARG(n->best));
}
