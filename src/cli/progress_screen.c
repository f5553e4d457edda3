/* The terminal's side of progress: lines that stay, and below them one that says what runs. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/progress_impl.h"
#include "os/clock.h"

#define REDRAW_NS     50000000
#define LABEL_COLUMNS 48

static int64_t now(struct progress *p)
{
	return p->config.now ? p->config.now(p->config.ctx) : clock_mono_ns();
}

static unsigned width(struct progress *p)
{
	if (p->config.width)
		return p->config.width(p->config.ctx);
	struct winsize ws;
	if (ioctl(p->config.fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
		return ws.ws_col;
	uint64_t n;
	return str_to_u64(str_from(getenv("COLUMNS")), &n) && n && n < 10000 ? (unsigned)n : 80;
}

/* All of it, or nothing more ever: a build must not fail because nobody reads what it says. */
static void write_all(struct progress *p, struct str s)
{
	if (p->config.write) {
		p->config.write(p->config.ctx, s);
		return;
	}
	while (s.len && !p->dead) {
		ssize_t n = write(p->config.fd, s.ptr, s.len);
		if (n >= 0) {
			s = str_drop(s, (size_t)n);
		} else if (errno == EAGAIN) {
			struct pollfd fd = {.fd = p->config.fd, .events = POLLOUT};
			poll(&fd, 1, -1);
		} else if (errno != EINTR) {
			p->dead = true;
		}
	}
}

uint64_t progress_done(const struct progress *p)
{
	const struct progress_counts *c = &p->counts;
	return c->ran + c->cached + c->current + c->failed + c->skipped;
}

uint64_t progress_elapsed(int64_t from, int64_t to)
{
	return to > from ? (uint64_t)(to - from) : 0;
}

/* ---- the status line ---- */

void progress_add_count(struct progress *p, struct buf *out)
{
	if (!p->total) {
		buf_addf(out, "[%llu]", (unsigned long long)progress_done(p));
		return;
	}
	char total[24];
	int digits = snprintf(total, sizeof(total), "%llu", (unsigned long long)p->total);
	buf_addf(out, "[%*llu/%s]", digits, (unsigned long long)progress_done(p), total);
}

/* The end of a label says most. */
static void add_label(const char *label, size_t limit, struct buf *out)
{
	struct str s = str_from(label);
	size_t columns = render_columns(s);
	if (columns > limit) {
		buf_addz(out, "...");
		while (s.len && columns > limit - 3) {
			do {
				s = str_drop(s, 1);
			} while (s.len && ((unsigned char)s.ptr[0] & 0xc0) == 0x80);
			columns = render_columns(s);
		}
	}
	render_cut(s, limit, out);
}

static void add_eta(struct progress *p, int64_t at, struct buf *out)
{
	uint64_t wall = p->work_ns, gone = progress_elapsed(p->work_at_ns, at);
	if (wall < gone + 1000000000ull)
		return;
	unsigned long long s = (wall - gone) / 1000000000ull;
	if (s < 60)
		buf_addf(out, " ~%llus left", s);
	else
		buf_addf(out, " ~%llum%02llus left", s / 60, s % 60);
}

/* As many as fit, longest first; the rest as a number. */
static void add_running(const RunningVec *v, int64_t at, size_t columns, struct buf *out)
{
	size_t used = 0, i = 0, limit = columns > 24 ? MIN(columns - 12, LABEL_COLUMNS) : 12;
	struct buf one = {0};
	for (; i < v->len; i++) {
		buf_clear(&one);
		buf_addz(&one, i ? ", " : " ");
		add_label(v->ptr[i].label, limit, &one);
		buf_addc(&one, ' ');
		render_duration(progress_elapsed(v->ptr[i].since_ns, at), &one);
		size_t more = i + 1 < v->len ? sizeof(" +999") - 1 : 0, w = render_columns(buf_str(&one));
		if (i && used + w + more > columns)
			break;
		used += render_cut(buf_str(&one), columns > used ? columns - used : 0, out);
	}
	if (i < v->len && used + 5 <= columns)
		buf_addf(out, " +%zu", v->len - i);
	buf_release(&one);
}

static void add_status(struct progress *p, int64_t at, size_t columns)
{
	struct buf line = {0}, eta = {0};
	progress_add_count(p, &line);
	if (p->counts.failed)
		buf_addf(&line, " %llu failed", (unsigned long long)p->counts.failed);
	add_eta(p, at, &eta);
	size_t head = line.len;
	if (head + eta.len > columns)
		buf_clear(&eta);
	/* Of phases the innermost says most: the base core is made while the systems are described. */
	RunningVec phase = {.ptr = p->phases.len ? &vec_last(&p->phases) : NULL, .len = p->phases.len > 0};
	add_running(p->actions.len ? &p->actions : &phase, at, columns > head + eta.len ? columns - head - eta.len : 0,
	            &line);
	buf_adds(&line, buf_str(&eta));
	if (p->config.color)
		buf_addf(&p->out, "\033[%sm", p->counts.failed ? "1;31" : "1");
	size_t n = render_cut(str_slice(buf_str(&line), 0, head), columns, &p->out);
	if (p->config.color)
		buf_addz(&p->out, "\033[0m");
	n += render_cut(str_drop(buf_str(&line), head), columns - n, &p->out);
	p->drawn_columns = n;
	buf_release(&line);
	buf_release(&eta);
}

/* ---- drawing ---- */

/* A terminal that became narrower has broken the line into several rows. */
static void add_erase(struct progress *p)
{
	if (!p->drawn)
		return;
	size_t w = MAX(width(p), 1u), rows = p->drawn_columns ? (p->drawn_columns - 1) / w : 0;
	if (rows)
		buf_addf(&p->out, "\033[%zuA", rows);
	buf_addz(&p->out, rows ? "\r\033[J" : "\r\033[K");
	p->drawn = false;
}

bool progress_shows_status(const struct progress *p)
{
	return p->config.tty && p->config.verbosity != VERBOSITY_QUIET &&
	       (p->building || p->phases.len || p->actions.len);
}

void progress_show(struct progress *p)
{
	int64_t at = now(p);
	bool draw = progress_shows_status(p) && (at - p->drawn_at_ns >= REDRAW_NS || p->drawn_at_ns == 0);
	if (!draw && !p->lines.len)
		return;
	buf_clear(&p->out);
	add_erase(p);
	buf_adds(&p->out, buf_str(&p->lines));
	buf_clear(&p->lines);
	if (draw) {
		unsigned w = width(p);
		/* A line as wide as the terminal makes some of them go to the next row. */
		add_status(p, at, w > 1 ? w - 1 : 0);
		p->drawn = true;
		p->drawn_at_ns = at;
	}
	write_all(p, buf_str(&p->out));
}

void progress_tick(struct progress *p)
{
	progress_show(p);
}

void progress_hide(struct progress *p)
{
	buf_clear(&p->out);
	add_erase(p);
	if (p->out.len)
		write_all(p, buf_str(&p->out));
	p->drawn_at_ns = 0;
}
