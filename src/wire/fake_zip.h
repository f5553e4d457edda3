/* fake_zip.h - archives for tests, of names and texts. */
#ifndef TENON_WIRE_FAKE_ZIP_H
#define TENON_WIRE_FAKE_ZIP_H

#include "wire/zip.h"

/* The bytes of an archive of `pairs`: a name, a text, ..., NULL. Appends. */
static inline void fake_zip(const char *const *pairs, struct buf *out)
{
	struct buf packed = {0};
	struct zip_writer w = {.sink = zip_sink_buf(out)};
	for (; *pairs; pairs += 2) {
		struct zip_piece piece;
		buf_clear(&packed);
		zip_pack(str_from(pairs[1]), ZIP_LEVEL, &packed, &piece);
		CHECK(zip_put(&w, str_from(pairs[0]), &piece, NULL));
	}
	CHECK(zip_finish(&w, NULL));
	zip_writer_release(&w);
	buf_release(&packed);
}

#endif
