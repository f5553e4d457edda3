/* fuzz_zip.c - the zip reader on any bytes: no crash, entries inside the archive, names that stay in their folder; and
 * what is read can be written again and read back the same. */
#include "wire/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small inputs may say to hold a lot; checking that takes too long here. */
#define MOST (1u << 20)

static void check_again(struct str bytes, const struct zip *was)
{
	struct zip zip;
	struct err err = {0};
	if (!zip_open(STR("again"), bytes, &zip, &err))
		BUG("what was written can't be read: %s", buf_cstr(&err.message));
	CHECK(zip.entries.len == was->entries.len);
	for (size_t i = 0; i < zip.entries.len; i++) {
		const struct zip_entry *a = &zip.entries.ptr[i], *b = &was->entries.ptr[i];
		CHECK(str_eq(a->name, b->name) && str_eq(a->packed, b->packed));
		CHECK(a->size == b->size && a->crc == b->crc && a->method == b->method);
	}
	zip_close(&zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_n((const char *)data, size);
	struct zip zip;
	struct err err = {0};
	struct buf out = {0}, again = {0};
	struct zip_writer w = {.sink = zip_sink_buf(&again)};
	if (!zip_open(STR("input"), bytes, &zip, &err)) {
		CHECK(err.kind == ERR_USER && err.message.len);
		err_clear(&err);
		return 0;
	}
	for (size_t i = 0; i < zip.entries.len; i++) {
		const struct zip_entry *e = &zip.entries.ptr[i];
		CHECK(!zip_bad_name(e->name));
		CHECK(e->packed.ptr >= bytes.ptr && e->packed.ptr + e->packed.len <= bytes.ptr + bytes.len);
		buf_clear(&out);
		if (e->size < MOST && zip_read(&zip, e, &out, NULL))
			CHECK(out.len == e->size);
		struct zip_piece piece = {e->packed, e->size, e->crc, e->method};
		CHECK(zip_put(&w, e->name, &piece, &err));
	}
	CHECK(zip_finish(&w, &err));
	check_again(buf_str(&again), &zip);
	zip_writer_release(&w);
	buf_release(&again);
	buf_release(&out);
	zip_close(&zip);
	return 0;
}
