/* Fuzzes the frame decoder: however a stream is cut, the same frames come out, and they are what was sent.
 *
 * The first byte chooses the size of the pieces, the rest is the stream. */
#include <stdlib.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t frames, bytes, sum;
	bool bad, idle;
};

static struct seen decode(const uint8_t *data, size_t size, size_t piece)
{
	struct frame_decoder d = {0};
	struct seen seen = {0};
	enum frame_status s = FRAME_MORE;
	struct str body;
	while (size && s != FRAME_BAD) {
		size_t room;
		char *p = frame_space(&d, &room);
		size_t n = MIN(MIN(piece, room), size);
		CHECK(n > 0);
		memcpy(p, data, n);
		frame_fed(&d, n);
		data += n;
		size -= n;
		while ((s = frame_next(&d, &body)) == FRAME_READY) {
			seen.frames++;
			seen.bytes += body.len;
			for (size_t i = 0; i < body.len; i++)
				seen.sum = seen.sum * 31 + (unsigned char)body.ptr[i];
		}
	}
	seen.bad = s == FRAME_BAD;
	seen.idle = !seen.bad && frame_is_idle(&d);
	CHECK(seen.bad == (d.error != NULL));
	frame_release(&d);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t piece = 1 + (size_t)data[0];
	struct seen cut = decode(data + 1, size - 1, piece), whole = decode(data + 1, size - 1, SIZE_MAX);
	CHECK(cut.frames == whole.frames && cut.bytes == whole.bytes && cut.sum == whole.sum && cut.bad == whole.bad &&
	      cut.idle == whole.idle);
	/* Every frame has a count and a newline besides its body. */
	CHECK(whole.bytes + 2 * whole.frames <= size - 1);
	return 0;
}
