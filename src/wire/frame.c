#include "wire/frame.h"

/* What is asked of the stream at a time: at least this, at most as much as has come already, so that the buffer
 * doubles. */
#define SPACE_MIN  ((size_t)1 << 16)
/* A buffer larger than this is given back when nothing is in it. */
#define KEEP_MAX   ((size_t)1 << 20)
#define MAX_DIGITS 10

void frame_release(struct frame_decoder *d)
{
	buf_release(&d->in);
	*d = (struct frame_decoder){0};
}

char *frame_space(struct frame_decoder *d, size_t *ret_room)
{
	size_t left = d->in.len - d->at;
	if (left == 0) {
		if (d->in.cap > KEEP_MAX && !d->in_body)
			buf_release(&d->in);
		d->in.len = 0;
		d->at = 0;
	} else if (d->at >= left) {
		/* Moves at most as much as was read since the last move. */
		memmove(d->in.ptr, d->in.ptr + d->at, left);
		d->in.len = left;
		d->at = 0;
	}
	if (d->in.cap - d->in.len < SPACE_MIN + 1)
		buf_reserve(&d->in, MAX(SPACE_MIN, d->in.len) + 1);
	*ret_room = d->in.cap - d->in.len - 1;
	return d->in.ptr + d->in.len;
}

void frame_fed(struct frame_decoder *d, size_t n)
{
	CHECK(n < d->in.cap - d->in.len);
	d->in.len += n;
	d->in.ptr[d->in.len] = 0;
}

static enum frame_status bad(struct frame_decoder *d, const char *why)
{
	d->error = why;
	return FRAME_BAD;
}

static enum frame_status take_head(struct frame_decoder *d)
{
	const char *p = d->in.ptr + d->at;
	size_t n = d->in.len - d->at, i = 0;
	uint64_t v = 0;
	for (; i < n && i <= MAX_DIGITS && p[i] >= '0' && p[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(p[i] - '0');
	if (i > MAX_DIGITS || v > FRAME_MAX)
		return bad(d, "a frame is longer than 1 GiB");
	if (i == n)
		return FRAME_MORE;
	if (p[i] != '\n' || i == 0)
		return bad(d, "a frame does not begin with its length");
	if (p[0] == '0' && i > 1)
		return bad(d, "a frame's length begins with 0");
	d->at += i + 1;
	d->body = v;
	d->in_body = true;
	return FRAME_READY;
}

enum frame_status frame_next(struct frame_decoder *d, struct str *ret_body)
{
	if (d->error)
		return FRAME_BAD;
	if (!d->in_body) {
		enum frame_status s = take_head(d);
		if (s != FRAME_READY)
			return s;
	}
	if (d->in.len - d->at < d->body)
		return FRAME_MORE;
	*ret_body = str_n(d->in.ptr + d->at, (size_t)d->body);
	d->at += (size_t)d->body;
	d->in_body = false;
	return FRAME_READY;
}

bool frame_is_idle(const struct frame_decoder *d)
{
	return !d->error && !d->in_body && d->at == d->in.len;
}

size_t frame_head(char ret[static FRAME_HEAD_MAX], uint64_t n)
{
	CHECK(n <= FRAME_MAX);
	char digits[MAX_DIGITS];
	size_t k = 0;
	do {
		digits[k++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	for (size_t i = 0; i < k; i++)
		ret[i] = digits[k - 1 - i];
	ret[k] = '\n';
	return k + 1;
}
