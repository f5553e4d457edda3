#include "cli/render.h"

#include "os/fs.h"

#define DEFAULT_WIDTH   100
#define DEFAULT_MESSAGE 4096
#define DEFAULT_LINES   40
#define SOURCE_LIMIT    (16u << 20)
#define TAB             8

enum paint { PAINT_PLACE, PAINT_ERROR, PAINT_WARNING, PAINT_STYLE, PAINT_NOTE, PAINT_CARET };

static const char *const paints[] = {
        [PAINT_PLACE] = "\033[1m",  [PAINT_ERROR] = "\033[1;31m", [PAINT_WARNING] = "\033[1;35m",
        [PAINT_STYLE] = "\033[35m", [PAINT_NOTE] = "\033[1;36m",  [PAINT_CARET] = "\033[1;32m",
};

static void paint(const struct render *r, enum paint p, struct buf *out)
{
	if (r->color)
		buf_addz(out, paints[p]);
}

static void unpaint(const struct render *r, struct buf *out)
{
	if (r->color)
		buf_addz(out, "\033[0m");
}

/* ---- characters ---- */

/* Decodes one character; a bad byte gives U+FFFD and length 1. `s` is not empty. */
static uint32_t next_char(struct str s, size_t *ret_len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char b = (unsigned char)s.ptr[0];
	size_t n = b < 0x80 ? 1 : b >= 0xf0 && b < 0xf8 ? 4 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xc0 && b < 0xe0 ? 2 : 0;
	*ret_len = 1;
	if (n == 1)
		return b;
	if (n == 0 || n > s.len)
		return 0xfffd;
	uint32_t c = b & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char t = (unsigned char)s.ptr[i];
		if ((t & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (t & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0xfffd;
	*ret_len = n;
	return c;
}

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c >= r[i].from && c <= r[i].to)
			return true;
	}
	return false;
}

/* The blocks that occur in practice, from Unicode's EastAsianWidth.txt (W and F) and the general categories Mn, Me and
 * Cf; wcwidth() would need the user's locale. */
static const struct range wide[] = {
        {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
        {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff},
        {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};
static const struct range empty[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
        {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f},
        {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
};

/* As shown by add_char. */
static size_t char_columns(uint32_t c)
{
	if (c < 0x20 || c == 0x7f)
		return 2;
	if (c < 0x300)
		return 1;
	if (in_ranges(c, empty, ARRAY_LEN(empty)))
		return 0;
	return in_ranges(c, wide, ARRAY_LEN(wide)) ? 2 : 1;
}

/* Marks that turn the writing direction could make a line read as another one than it is. */
static bool is_unsafe(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfffd;
}

static void add_char(struct str s, uint32_t c, size_t len, struct buf *out)
{
	if (c < 0x20 || c == 0x7f)
		buf_addf(out, "^%c", (char)(c ^ 0x40));
	else if (is_unsafe(c))
		buf_addz(out, "\xef\xbf\xbd");
	else
		buf_add(out, s.ptr, len);
}

size_t render_columns(struct str text)
{
	size_t n = 0, len;
	for (; text.len; text = str_drop(text, len)) {
		uint32_t c = next_char(text, &len);
		n += is_unsafe(c) ? 1 : char_columns(c);
	}
	return n;
}

size_t render_cut(struct str text, size_t columns, struct buf *out)
{
	size_t n = 0, len;
	for (; text.len; text = str_drop(text, len)) {
		uint32_t c = next_char(text, &len);
		size_t w = is_unsafe(c) ? 1 : char_columns(c);
		if (n + w > columns)
			break;
		add_char(text, c, len, out);
		n += w;
	}
	return n;
}

void render_duration(uint64_t ns, struct buf *out)
{
	uint64_t ms = ns / 1000000, s = (ms + 500) / 1000;
	if (ms < 1000)
		buf_addf(out, "%u.%02us", 0, (unsigned)(ms / 10));
	else if (ms < 9950)
		buf_addf(out, "%u.%us", (unsigned)((ms + 50) / 1000), (unsigned)((ms + 50) / 100 % 10));
	else if (s < 60)
		buf_addf(out, "%us", (unsigned)s);
	else if (s < 3600)
		buf_addf(out, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	else
		buf_addf(out, "%lluh%02um", (unsigned long long)(s / 3600), (unsigned)(s / 60 % 60));
}

/* ---- the source line ---- */

/* Text of line `line` of the file; false if there is none. */
static bool source_line(struct render *r, struct str path, uint32_t line, struct str *ret)
{
	if (path.len == 0 || line == 0)
		return false;
	if (!r->path.len || !str_eq(buf_str(&r->path), path)) {
		buf_clear(&r->path);
		buf_clear(&r->source);
		buf_adds(&r->path, path);
		struct file_sig sig;
		/* Opening a pipe or a device could block for ever. */
		if (fs_stat(buf_cstr(&r->path), &sig, NULL) && fs_is_file(&sig) && sig.size <= SOURCE_LIMIT &&
		    !fs_read(buf_cstr(&r->path), &r->source, NULL))
			buf_clear(&r->source);
	}
	struct str rest = buf_str(&r->source);
	for (uint32_t n = 1; str_cut(&rest, '\n', ret); n++) {
		if (n < line)
			continue;
		if (ret->len && ret->ptr[ret->len - 1] == '\r')
			ret->len--;
		return true;
	}
	return false;
}

/* A place in an expanded line: byte and column, from 0. */
struct cell {
	size_t at, column;
};

/* Appends the line with tabs widened and all made harmless. The caret is where character `col` came to stand. */
static void expand(struct str line, struct buf *text, struct cell *ret_caret, uint32_t col)
{
	size_t column = 0, len;
	uint32_t n = 1;
	*ret_caret = (struct cell){0, 0};
	for (; line.len; line = str_drop(line, len), n++) {
		uint32_t c = next_char(line, &len);
		if (n == col)
			*ret_caret = (struct cell){text->len, column};
		size_t w = is_unsafe(c) ? 1 : char_columns(c);
		if (c == '\t') {
			w = TAB - column % TAB;
			buf_addf(text, "%*s", (int)w, "");
		} else {
			add_char(line, c, len, text);
		}
		column += w;
	}
	if (col >= n)
		*ret_caret = (struct cell){text->len, column};
}

/* The part of an expanded line around the caret that fits; moves the caret with it. */
static struct str window(struct str text, size_t width, struct cell *caret)
{
	if (render_columns(text) <= width || caret->column < width * 3 / 4)
		return text;
	size_t skip = caret->column - width / 2, gone = 0, len;
	while (text.len && gone < skip) {
		gone += char_columns(next_char(text, &len));
		text = str_drop(text, len);
	}
	caret->column -= gone;
	return text;
}

static void add_source(struct render *r, struct str line, uint32_t number, uint32_t col, struct buf *out)
{
	size_t width = r->width ? MAX(r->width, 40) : DEFAULT_WIDTH;
	struct buf text = {0};
	struct cell caret;
	expand(line, &text, &caret, col);
	struct str all = buf_str(&text), shown = window(all, width - 16, &caret);
	const char *before = shown.ptr != all.ptr ? "..." : "";
	buf_addf(out, "%5u | %s", number, before);
	render_cut(shown, width - 16, out);
	if (render_columns(shown) > width - 16)
		buf_addz(out, "...");
	buf_addc(out, '\n');
	if (col) {
		buf_addf(out, "      | %*s", (int)(caret.column + strlen(before)), "");
		paint(r, PAINT_CARET, out);
		buf_addc(out, '^');
		unpaint(r, out);
		buf_addc(out, '\n');
	}
	buf_release(&text);
}

/* ---- messages ---- */

static struct str without_end(struct str s)
{
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* A line with tabs as spaces and everything else harmless. */
static void add_line(struct str line, struct buf *out)
{
	struct cell unused;
	line = without_end(line);
	expand(line, out, &unused, 0);
}

/* All lines of a text; those after the first indented. Cut where it is too much to read. */
static void add_message(const struct render *r, struct str text, struct buf *out)
{
	size_t limit = r->max_message ? r->max_message : DEFAULT_MESSAGE;
	unsigned max_lines = r->max_lines ? r->max_lines : DEFAULT_LINES, n = 0;
	text = without_end(text);
	struct str rest = text, line;
	if (rest.len > limit) {
		rest.len = limit;
		/* Not in the middle of a character. */
		while (rest.len && ((unsigned char)rest.ptr[rest.len] & 0xc0) == 0x80)
			rest.len--;
	}
	for (; n < max_lines && str_cut(&rest, '\n', &line); n++) {
		if (n)
			buf_addz(out, without_end(line).len ? "    " : "");
		add_line(line, out);
		buf_addc(out, '\n');
	}
	if (n == 0)
		buf_addc(out, '\n');
	const char *end = n == max_lines && rest.len ? rest.ptr : text.ptr + MIN(text.len, limit);
	size_t left = (size_t)(text.ptr + text.len - end);
	if (left)
		buf_addf(out, "    ... (%zu more bytes; the log has them all)\n", left);
}

static void add_labelled(const struct render *r, const char *label, struct str text, struct buf *out)
{
	paint(r, PAINT_NOTE, out);
	buf_addf(out, "%s:", label);
	unpaint(r, out);
	buf_addc(out, ' ');
	add_message(r, text, out);
}

static void add_place(const struct render *r, struct str path, uint32_t line, uint32_t col, struct buf *out)
{
	paint(r, PAINT_PLACE, out);
	add_line(r->cwd.len ? path_below(path, r->cwd) : path, out);
	if (line)
		buf_addf(out, ":%u", line);
	if (line && col)
		buf_addf(out, ":%u", col);
	buf_addc(out, ':');
	unpaint(r, out);
	buf_addc(out, ' ');
}

static void add_severity(const struct render *r, enum severity s, struct buf *out)
{
	static const struct {
		const char *name;
		enum paint paint;
	} shown[] = {
	        [SEVERITY_NOTE] = {"note", PAINT_NOTE},
	        [SEVERITY_STYLE] = {"style-warning", PAINT_STYLE},
	        [SEVERITY_WARNING] = {"warning", PAINT_WARNING},
	        [SEVERITY_ERROR] = {"error", PAINT_ERROR},
	};
	paint(r, shown[s].paint, out);
	buf_addf(out, "%s:", shown[s].name);
	unpaint(r, out);
	buf_addc(out, ' ');
}

/* The first line of a form, which is all that is shown of it. */
static void add_form(const char *label, struct str form, struct buf *out)
{
	struct str first = str_slice(form, 0, str_find(form, '\n'));
	buf_addf(out, "  %s: ", label);
	if (render_cut(without_end(first), 72, out) < render_columns(without_end(first)) || first.len < form.len)
		buf_addz(out, "...");
	buf_addc(out, '\n');
}

void render_diagnostic(struct render *r, const struct diagnostic *d, struct buf *out)
{
	struct str line;
	if (d->path.len)
		add_place(r, d->path, d->line, d->col, out);
	else if (d->label.len)
		add_place(r, d->label, 0, 0, out);
	add_severity(r, d->severity, out);
	add_message(r, d->message, out);
	bool have_line = source_line(r, d->path, d->line, &line);
	if (have_line)
		add_source(r, line, d->line, d->col, out);
	if (d->context.len) {
		struct str c = d->context;
		if (str_has_prefix(c, STR("in: ")))
			c = str_drop(c, 4);
		add_form("in", c, out);
	}
	/* The line at the caret shows the form already; where the file can't be read, its beginning helps. */
	if (d->form.len && !have_line)
		add_form("form", d->form, out);
	if (d->hint.len)
		add_labelled(r, "note", d->hint, out);
}

void render_error(struct render *r, const struct err *err, struct buf *out)
{
	struct str line = err->span.source_line;
	if (err->span.path.len)
		add_place(r, err->span.path, err->span.line, err->span.col, out);
	else
		add_place(r, STR("tenon"), 0, 0, out);
	add_severity(r, SEVERITY_ERROR, out);
	add_message(r, buf_str(&err->message), out);
	if (err->span.line && (line.len || source_line(r, err->span.path, err->span.line, &line)))
		add_source(r, line, err->span.line, err->span.col, out);
	for (size_t i = 0; i < err->notes.len; i++)
		add_labelled(r, "note", str_from(err->notes.ptr[i]), out);
}

void render_release(struct render *r)
{
	buf_release(&r->path);
	buf_release(&r->source);
}
