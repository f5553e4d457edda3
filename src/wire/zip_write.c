/* zip_write.c - the deterministic writer of zip.h. */
#include <zlib.h>

#include "wire/zip.h"

#define FLAG_UTF8   0x800u
#define NONE32      0xffffffffu
#define NONE16      0xffffu
#define EXTRA_ZIP64 1u
/* Made by Unix, version 4.5 of the format where zip64 is in it, else 2.0. */
#define MADE_BY     0x0300u
#define VERSION     20u
#define VERSION64   45u
#define MODE_FILE   (0100644u << 16)
#define MODE_DIR    (0040755u << 16 | 0x10u)
/* 1980-02-01 00:00:00, local time as all times of the format: January's first day is the year before in some zones. */
#define DATE        (0u << 9 | 2u << 5 | 1u)
#define TIME        0u
#define TIME_CLASS  1u

static void put16(struct buf *b, uint32_t v)
{
	buf_add(b, (char[]){(char)v, (char)(v >> 8)}, 2);
}

static void put32(struct buf *b, uint64_t v)
{
	put16(b, (uint32_t)v & NONE16);
	put16(b, (uint32_t)(v >> 16) & NONE16);
}

static void put64(struct buf *b, uint64_t v)
{
	put32(b, v);
	put32(b, v >> 32);
}

/* A length that is kept elsewhere when it does not fit. */
static uint64_t fit(uint64_t v, uint64_t limit)
{
	return v >= limit ? limit : v;
}

static bool sink_buf(void *ctx, struct str bytes, struct err *err)
{
	(void)err;
	buf_adds(ctx, bytes);
	return true;
}

struct zip_sink zip_sink_buf(struct buf *out)
{
	return (struct zip_sink){.write = sink_buf, .ctx = out};
}

const char *zip_packer(void)
{
	return "zlib " ZLIB_VERSION;
}

void zip_pack(struct str bytes, int level, struct buf *out, struct zip_piece *ret)
{
	z_stream z = {0};
	size_t start = out->len;
	*ret = (struct zip_piece){.size = bytes.len, .method = ZIP_STORED};
	ret->crc = (uint32_t)crc32_z(0, (const unsigned char *)bytes.ptr, bytes.len);
	/* A level's memory use is the same on all machines, and so are the bytes. */
	CHECK(deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)bytes.ptr;
	size_t in = bytes.len;
	int status = Z_OK;
	/* Once it is longer than the original, it is no use. */
	while (status == Z_OK && out->len - start <= bytes.len) {
		unsigned i = (unsigned)MIN(in, (size_t)1 << 30);
		/* In one go: where calls end must not show in the output. */
		size_t room = MIN(i + i / 8 + 64, (size_t)1 << 30);
		buf_reserve(out, room);
		z.avail_in = i;
		z.next_out = (unsigned char *)out->ptr + out->len;
		z.avail_out = (unsigned)room;
		status = deflate(&z, i == in ? Z_FINISH : Z_NO_FLUSH);
		in -= i - z.avail_in;
		out->len += room - z.avail_out;
	}
	deflateEnd(&z);
	if (status == Z_STREAM_END && out->len - start < bytes.len) {
		ret->method = ZIP_DEFLATED;
	} else {
		out->len = start;
		buf_adds(out, bytes);
	}
	ret->packed = str_n(out->ptr + start, out->len - start);
}

static bool emit(struct zip_writer *w, struct str bytes, struct err *err)
{
	w->offset += bytes.len;
	return !bytes.len || w->sink.write(w->sink.ctx, bytes, err);
}

/* The part that both headers share, from the version needed to the length of the name. */
static void put_common(struct buf *b, struct str name, const struct zip_piece *piece, bool zip64)
{
	bool ascii = str_ascii_prefix(name) == name.len, class_file = str_has_suffix(name, STR(".class"));
	put16(b, zip64 ? VERSION64 : VERSION);
	put16(b, ascii ? 0 : FLAG_UTF8);
	put16(b, piece->method);
	put16(b, class_file ? TIME_CLASS : TIME);
	put16(b, DATE);
	put32(b, piece->crc);
	put32(b, zip64 ? NONE32 : piece->packed.len);
	put32(b, zip64 ? NONE32 : piece->size);
	put16(b, (uint32_t)name.len);
}

bool zip_put(struct zip_writer *w, struct str name, const struct zip_piece *piece, struct err *err)
{
	const char *why = zip_bad_name(name);
	if (why)
		return err_set(err, ERR_USER, "\"%.*s\" can't be put into an archive: %s", STR_ARG(name), why);
	uint64_t offset = w->offset;
	bool zip64 = piece->size >= NONE32 || piece->packed.len >= NONE32, far = offset >= NONE32;
	struct buf head = {0}, *dir = &w->directory;
	buf_add(&head, "PK\3\4", 4);
	put_common(&head, name, piece, zip64);
	put16(&head, zip64 ? 20 : 0);
	buf_adds(&head, name);
	if (zip64) {
		put16(&head, EXTRA_ZIP64);
		put16(&head, 16);
		put64(&head, piece->size);
		put64(&head, piece->packed.len);
	}
	bool ok = emit(w, buf_str(&head), err) && emit(w, piece->packed, err);
	buf_release(&head);

	uint32_t extra = (zip64 ? 16u : 0u) + (far ? 8u : 0u);
	buf_add(dir, "PK\1\2", 4);
	put16(dir, MADE_BY | (zip64 || far ? VERSION64 : VERSION));
	put_common(dir, name, piece, zip64);
	put16(dir, extra ? extra + 4 : 0);
	put16(dir, 0); /* comment */
	put16(dir, 0); /* disk */
	put16(dir, 0); /* internal attributes */
	put32(dir, str_has_suffix(name, STR("/")) ? MODE_DIR : MODE_FILE);
	put32(dir, fit(offset, NONE32));
	buf_adds(dir, name);
	if (extra) {
		put16(dir, EXTRA_ZIP64);
		put16(dir, extra);
		if (zip64) {
			put64(dir, piece->size);
			put64(dir, piece->packed.len);
		}
		if (far)
			put64(dir, offset);
	}
	w->count++;
	return ok;
}

bool zip_finish(struct zip_writer *w, struct err *err)
{
	struct buf *b = &w->directory;
	uint64_t size = b->len, offset = w->offset, end = offset + size;
	if (w->count >= NONE16 || size >= NONE32 || offset >= NONE32) {
		buf_add(b, "PK\6\6", 4);
		put64(b, 44); /* what follows in this record */
		put16(b, MADE_BY | VERSION64);
		put16(b, VERSION64);
		put32(b, 0);
		put32(b, 0);
		put64(b, w->count);
		put64(b, w->count);
		put64(b, size);
		put64(b, offset);
		buf_add(b, "PK\6\7", 4);
		put32(b, 0);
		put64(b, end);
		put32(b, 1);
	}
	buf_add(b, "PK\5\6", 4);
	put32(b, 0); /* disks */
	put16(b, (uint32_t)fit(w->count, NONE16));
	put16(b, (uint32_t)fit(w->count, NONE16));
	put32(b, fit(size, NONE32));
	put32(b, fit(offset, NONE32));
	put16(b, 0); /* comment */
	return emit(w, buf_str(b), err);
}

void zip_writer_release(struct zip_writer *w)
{
	buf_release(&w->directory);
}
