/* frame.h - cutting a stream of bytes into frames: a decimal byte count, a newline, that many bytes.
 *
 *     size_t room;
 *     char *p = frame_space(&d, &room);         // read() at most `room` bytes to p, then
 *     frame_fed(&d, n);
 *     while ((s = frame_next(&d, &body)) == FRAME_READY) use(body);
 *     if (s == FRAME_BAD) ... d.error
 *
 * Pure: no I/O. The work is linear in the bytes fed, in whatever pieces they come. Memory grows with what was received,
 * never with what a count promises. */
#ifndef TENON_WIRE_FRAME_H
#define TENON_WIRE_FRAME_H

#include "base/str.h"

#define FRAME_MAX      ((uint64_t)1 << 30)
/* Room for the longest count with its newline. */
#define FRAME_HEAD_MAX 12

struct frame_decoder {
	struct buf in;
	size_t at;     /* where the unread part begins */
	uint64_t body; /* length of the body that begins at `at`, when `in_body` */
	bool in_body;
	const char *error; /* a static text once a frame was bad; nothing is decoded after that */
};

enum frame_status { FRAME_MORE, FRAME_READY, FRAME_BAD };

void frame_release(struct frame_decoder *d);
/* Where the next bytes go; at least 1 of room. Invalidates bodies that frame_next gave. */
char *frame_space(struct frame_decoder *d, size_t *ret_room);
void frame_fed(struct frame_decoder *d, size_t n);
/* The next whole frame; *ret_body is valid until frame_space or frame_release. */
enum frame_status frame_next(struct frame_decoder *d, struct str *ret_body);
/* True between frames: a stream that ends here ended well. */
bool frame_is_idle(const struct frame_decoder *d);

/* Writes the count and newline for a body of `n` bytes; returns how many bytes. */
size_t frame_head(char ret[static FRAME_HEAD_MAX], uint64_t n);

#endif
