#include "wire/frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tap.h"

/* Feeds the text in pieces of `piece` bytes; all bodies, each in brackets, and "!" for a bad frame. */
static struct str decode(struct buf *out, struct str text, size_t piece)
{
	struct frame_decoder d = {0};
	struct str body;
	enum frame_status s = FRAME_MORE;
	buf_clear(out);
	while (text.len && s != FRAME_BAD) {
		size_t room;
		char *p = frame_space(&d, &room);
		size_t n = MIN(MIN(piece, room), text.len);
		memcpy(p, text.ptr, n);
		frame_fed(&d, n);
		text = str_drop(text, n);
		while ((s = frame_next(&d, &body)) == FRAME_READY)
			buf_addf(out, "[%.*s]", STR_ARG(body));
	}
	if (s == FRAME_BAD)
		buf_addf(out, "!");
	else if (!frame_is_idle(&d))
		buf_addf(out, "...");
	if (s == FRAME_BAD)
		CHECK(d.error && frame_next(&d, &body) == FRAME_BAD);
	frame_release(&d);
	return buf_str(out);
}

static const char *const cases[][2] = {
        {"", ""},
        {"3\nabc", "[abc]"},
        {"0\n", "[]"},
        {"3\nabc0\n1\n\n2\nxy", "[abc][][\n][xy]"},
        {"3\nab", "..."},
        {"3", "..."},
        {"12\n", "..."},
        {"\n", "!"},
        {"x", "!"},
        {"-1\n", "!"},
        {" 1\na", "!"},
        {"1 \na", "!"},
        {"03\nabc", "!"},
        {"1073741825\n", "!"},
        {"1073741824\n", "..."},
        {"18446744073709551617\n", "!"},
        {"00000000000", "!"},
        {"1\na(:hello)", "[a]!"},
};

static void test_many(void)
{
	struct frame_decoder d = {0};
	struct buf sent = {0};
	char head[FRAME_HEAD_MAX];
	uint64_t bytes = 0, moved = 0;
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = i * 7919 % 300;
		buf_add(&sent, head, frame_head(head, n));
		for (size_t k = 0; k < n; k++)
			buf_addc(&sent, (char)('a' + (i + k) % 26));
	}
	unsigned got = 0, wrong = 0;
	struct str rest = buf_str(&sent), body;
	while (rest.len) {
		size_t room;
		char *p = frame_space(&d, &room);
		size_t n = MIN(MIN(room, 1 + bytes % 1000), rest.len);
		memcpy(p, rest.ptr, n);
		frame_fed(&d, n);
		rest = str_drop(rest, n);
		bytes += n;
		moved = MAX(moved, d.in.cap);
		for (; frame_next(&d, &body) == FRAME_READY; got++)
			wrong += body.len != got * 7919 % 300 || (body.len && body.ptr[0] != (char)('a' + got % 26));
	}
	tap_ok(got == 20000 && !wrong, "20000 frames in odd pieces");
	tap_ok(moved < 400000, "memory does not grow with what went by (%zu)", (size_t)moved);
	frame_release(&d);
	buf_release(&sent);
}

int main(void)
{
	struct buf out = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t piece = 1; piece < 4; piece++)
			tap_eq_str(decode(&out, str_from(cases[i][0]), piece), str_from(cases[i][1]), "case %zu by %zu",
			           i, piece);
	static const uint64_t lengths[] = {0, 9, 10, 12345, FRAME_MAX};
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		char head[FRAME_HEAD_MAX];
		uint64_t back;
		size_t n = frame_head(head, lengths[i]);
		tap_ok(head[n - 1] == '\n' && str_to_u64(str_n(head, n - 1), &back) && back == lengths[i], "head %zu",
		       i);
	}
	test_many();
	buf_release(&out);
	return tap_done();
}
