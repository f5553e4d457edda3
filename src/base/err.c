#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

static char *copy(struct str s)
{
	char *p = xmalloc(s.len + 1);
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = 0;
	return p;
}

static void drop(struct str *s)
{
	free((char *)(uintptr_t)s->ptr);
	*s = (struct str){0};
}

void err_clear(struct err *err)
{
	if (!err)
		return;
	drop(&err->span.path);
	drop(&err->span.source_line);
	buf_release(&err->message);
	for (size_t i = 0; i < err->notes.len; i++)
		free(err->notes.ptr[i]);
	vec_release(&err->notes);
	*err = (struct err){0};
}

static void set(struct err *err, enum err_kind kind, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static void set(struct err *err, enum err_kind kind, const char *fmt, va_list ap)
{
	struct buf message = {0};
	buf_addv(&message, fmt, ap); /* may speak of what is cleared next */
	err_clear(err);
	err->kind = kind;
	err->message = message;
}

bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	if (!err)
		return false;
	va_list ap;
	va_start(ap, fmt);
	set(err, kind, fmt, ap);
	va_end(ap);
	return false;
}

static bool is_environment(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
	case EACCES:
	case EPERM:
	case EROFS:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EFBIG:
	case EIO:
		return true;
	default:
		return false;
	}
}

bool err_sys(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	int errnum = errno;
	if (!err)
		return false;
	va_list ap;
	va_start(ap, fmt);
	set(err, is_environment(errnum) ? ERR_ENVIRONMENT : kind, fmt, ap);
	va_end(ap);
	err->errnum = errnum;
	buf_addf(&err->message, ": %s", strerror(errnum));
	if (errnum == ENOSPC || errnum == EDQUOT)
		err_note(err, "free some space; `tenon cache gc` removes what was not used for long");
	return false;
}

void err_at(struct err *err, struct str path, uint32_t line, uint32_t col, struct str source_line)
{
	if (!err)
		return;
	struct str p = str_n(copy(path), path.len), l = str_n(copy(source_line), source_line.len);
	drop(&err->span.path);
	drop(&err->span.source_line);
	err->span = (struct span){.path = p, .line = line, .col = col, .source_line = l};
}

void err_note(struct err *err, const char *fmt, ...)
{
	if (!err)
		return;
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	vec_push(&err->notes, copy(buf_str(&b)));
	buf_release(&b);
}

void err_move(struct err *dst, struct err *src)
{
	if (dst) {
		err_clear(dst);
		*dst = *src;
		*src = (struct err){0};
	} else {
		err_clear(src);
	}
}

int err_exit_code(enum err_kind kind)
{
	switch (kind) {
	case ERR_NONE:
		return 0;
	case ERR_ACTION:
		return 1;
	case ERR_USER:
		return 2;
	case ERR_ENVIRONMENT:
		return 3;
	case ERR_TRANSIENT:
		return 4;
	case ERR_BUG:
		return 70;
	}
	return 70;
}

const char *err_kind_name(enum err_kind kind)
{
	static const char *const names[] = {"none", "user", "action", "environment", "transient", "bug"};
	return kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}

/* A line of a text that came from anywhere: control characters would act on the terminal, and a line of megabytes
 * helps nobody, so only the part around the column is shown. */
static void add_source_line(struct buf *out, struct str line, uint32_t col)
{
	enum { BEFORE = 80, WIDTH = 160 };
	bool cut = str_characters(line) > WIDTH && col > BEFORE;
	uint32_t first = cut ? col - BEFORE : 1, at = 0;
	struct buf caret = {0};
	buf_addz(out, cut ? "..." : "");
	buf_addz(&caret, cut ? "   " : "");
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];
		bool starts = (c & 0xc0) != 0x80;
		at += starts;
		if (at < first)
			continue;
		if (at - first >= WIDTH) {
			buf_addz(out, "...");
			break;
		}
		if (starts && at < col)
			buf_addc(&caret, c == '\t' ? '\t' : ' ');
		bool control = (c < 32 && c != '\t') || c == 127;
		if (control && !(c == '\r' && i + 1 == line.len))
			buf_addc(out, '?');
		else if (!control)
			buf_addc(out, (char)c);
	}
	buf_addc(out, '\n');
	for (at++; at < col && at - first < WIDTH; at++)
		buf_addc(&caret, ' ');
	if (col)
		buf_addf(out, "%s^\n", buf_cstr(&caret));
	buf_release(&caret);
}

void err_format(const struct err *err, struct buf *out)
{
	const struct span *at = &err->span;
	if (at->path.len) {
		buf_adds(out, at->path);
		if (at->line)
			buf_addf(out, ":%u", at->line);
		if (at->line && at->col)
			buf_addf(out, ":%u", at->col);
		buf_addz(out, ": ");
	}
	buf_adds(out, buf_str(&err->message));
	buf_addc(out, '\n');
	if (at->line && at->source_line.len)
		add_source_line(out, at->source_line, at->col);
	for (size_t i = 0; i < err->notes.len; i++)
		buf_addf(out, "note: %s\n", err->notes.ptr[i]);
}
