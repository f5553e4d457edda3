/* The reader and the writer against each other; other programs read the results in the tests of jars. */
#include "wire/zip.h"

#include "base/tap.h"

static struct buf archive;

static void put(struct zip_writer *w, const char *name, struct str bytes)
{
	struct buf packed = {0};
	struct zip_piece piece;
	zip_pack(bytes, ZIP_LEVEL, &packed, &piece);
	CHECK(zip_put(w, str_from(name), &piece, NULL));
	buf_release(&packed);
}

static void make(void)
{
	struct zip_writer w = {.sink = zip_sink_buf(&archive)};
	struct buf long_text = {0};
	for (int i = 0; i < 5000; i++)
		buf_addf(&long_text, "line %d\n", i);
	buf_clear(&archive);
	put(&w, "META-INF/", STR(""));
	put(&w, "a.clj", STR("(ns a)"));
	put(&w, "a__init.class", buf_str(&long_text));
	put(&w, "gr\xc3\xbc\xc3\x9f", STR("x"));
	CHECK(zip_finish(&w, NULL));
	zip_writer_release(&w);
	buf_release(&long_text);
}

static bool opens(struct str bytes, struct err *err)
{
	struct zip zip;
	struct buf out = {0};
	bool ok = zip_open(STR("some.jar"), bytes, &zip, err);
	for (size_t i = 0; ok && i < zip.entries.len; i++)
		ok = zip_read(&zip, &zip.entries.ptr[i], &out, err);
	if (zip.entries.ptr)
		zip_close(&zip);
	buf_release(&out);
	return ok;
}

static void test_round_trip(void)
{
	struct zip zip;
	struct buf out = {0};
	make();
	tap_ok(zip_open(STR("some.jar"), buf_str(&archive), &zip, NULL), "what was written can be read");
	tap_eq_int(zip.entries.len, 4, "all entries are there");
	const struct zip_entry *e = zip_find(&zip, STR("a__init.class"));
	tap_ok(e && e->method == ZIP_DEFLATED && e->packed.len < e->size / 2, "a long text is deflated");
	tap_ok(e && zip_read(&zip, e, &out, NULL) && out.len == e->size, "and unpacked");
	tap_ok(str_has_prefix(buf_str(&out), STR("line 0\nline 1\n")), "to what it was");
	e = zip_find(&zip, STR("gr\xc3\xbc\xc3\x9f"));
	tap_ok(e && e->method == ZIP_STORED, "one byte is stored");
	tap_ok(!zip_find(&zip, STR("b")), "a name that is not there is not found");
	zip_close(&zip);
	buf_release(&out);
}

static void test_start_script(void)
{
	struct buf b = {0};
	make();
	buf_addz(&b, "#!/bin/sh\nexec java -jar \"$0\" \"$@\"\n");
	buf_adds(&b, buf_str(&archive));
	tap_ok(opens(buf_str(&b), NULL), "an archive behind a start script is read");
	buf_release(&b);
}

static void test_damage(void)
{
	struct err err = {0};
	unsigned accepted = 0;
	make();
	for (size_t n = 0; n < archive.len; n++)
		accepted += opens(str_n(archive.ptr, n), NULL);
	tap_eq_int(accepted, 0, "no cut archive is read");
	tap_ok(!opens(str_n(archive.ptr, archive.len - 30), &err), "a cut archive is an error");
	tap_eq_str(buf_str(&err.message),
	           STR("\"some.jar\" is not a zip archive that can be read: its end record is missing, it may be cut "
	               "short"),
	           "that names it");
	err_clear(&err);
	size_t at = str_search(buf_str(&archive), STR("a__init.class")) + 13 + 200;
	archive.ptr[at] = (char)(archive.ptr[at] ^ 0x55);
	tap_ok(!opens(buf_str(&archive), &err), "damaged data is an error");
	tap_ok(str_has_prefix(buf_str(&err.message), STR("\"some.jar\": entry \"a__init.class\": its ")),
	       "that names the entry");
	err_clear(&err);
}

static void test_names(void)
{
	static const char *const bad[] = {"", "/a", "../a", "a/../b", "a/..", "a//b", "./a", "c:/a", "a\\b", "\xff"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		tap_ok(zip_bad_name(str_from(bad[i])), "\"%s\" is refused", i == 9 ? "not UTF-8" : bad[i]);
	tap_ok(!zip_bad_name(STR("a/..b/c...")), "dots are no harm as such");
	tap_ok(!zip_bad_name(STR("a/b/")), "a folder ends with a slash");
	struct err err = {0};
	make();
	/* The name stands in the local header and in the directory. */
	for (size_t i = 0; i + 5 <= archive.len; i++)
		if (memcmp(archive.ptr + i, "a.clj", 5) == 0)
			memcpy(archive.ptr + i, "../cl", 5);
	tap_ok(!opens(buf_str(&archive), &err), "an archive with such a name is refused");
	tap_eq_str(buf_str(&err.message),
	           STR("\"some.jar\": entry \"../cl\": the name leads out of its folder (\"..\")"), "and says so");
	err_clear(&err);
}

static void test_bomb(void)
{
	struct buf zeros = {0}, packed = {0}, bomb = {0};
	struct zip_piece piece;
	struct err err = {0};
	size_t n = (size_t)64 << 20;
	buf_reserve(&zeros, n);
	memset(zeros.ptr, 0, n);
	zip_pack(str_n(zeros.ptr, n), ZIP_LEVEL, &packed, &piece);
	struct zip_writer w = {.sink = zip_sink_buf(&bomb)};
	for (int i = 0; i < 17; i++) {
		char name[8];
		snprintf(name, sizeof(name), "%d", i);
		CHECK(zip_put(&w, str_from(name), &piece, NULL));
	}
	CHECK(zip_finish(&w, NULL));
	struct zip zip;
	tap_ok(!zip_open(STR("bomb.jar"), buf_str(&bomb), &zip, &err), "a bomb is refused");
	tap_ok(str_search(buf_str(&err.message), STR("zip bomb")) < err.message.len, "as one");
	err_clear(&err);
	zip_writer_release(&w);
	buf_release(&zeros);
	buf_release(&packed);
	buf_release(&bomb);
}

static void test_many(void)
{
	struct buf out = {0};
	struct zip_writer w = {.sink = zip_sink_buf(&out)};
	struct zip_piece empty = {.method = ZIP_STORED};
	struct zip zip;
	for (int i = 0; i < 70000; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%d", i);
		CHECK(zip_put(&w, str_from(name), &empty, NULL));
	}
	CHECK(zip_finish(&w, NULL));
	tap_ok(zip_open(STR("many.jar"), buf_str(&out), &zip, NULL), "70,000 entries: zip64");
	tap_eq_int(zip.entries.len, 70000, "all are read");
	tap_ok(zip_find(&zip, STR("f69999")), "the last one too");
	zip_close(&zip);
	zip_writer_release(&w);
	buf_release(&out);
}

static uint64_t discarded;

static bool discard(void *ctx, struct str bytes, struct err *err)
{
	(void)ctx;
	(void)err;
	discarded += bytes.len;
	return true;
}

static void test_far(void)
{
	struct zip_writer w = {.sink = {.write = discard}};
	struct buf chunk = {0};
	size_t n = (size_t)1 << 30;
	buf_reserve(&chunk, n); /* never touched: what is in it does not matter here */
	struct zip_piece piece = {.packed = str_n(chunk.ptr, n), .size = n, .method = ZIP_STORED};
	for (int i = 0; i < 5; i++)
		CHECK(zip_put(&w, STR("large"), &piece, NULL));
	tap_eq_int(w.offset, discarded, "beyond 4 GiB offsets count on");
	CHECK(zip_finish(&w, NULL));
	struct str dir = buf_str(&w.directory);
	tap_ok(str_search(dir, STR("PK\6\6")) < dir.len && str_search(dir, STR("PK\6\7")) < dir.len,
	       "and the end is zip64");
	zip_writer_release(&w);
	buf_release(&chunk);
}

int main(void)
{
	test_round_trip();
	test_start_script();
	test_damage();
	test_names();
	test_bomb();
	test_many();
	test_far();
	buf_release(&archive);
	return tap_done();
}
