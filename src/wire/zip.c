#include "wire/zip.h"

#include <stdlib.h>
#include <zlib.h>

#define LOCAL_SIGNATURE   0x04034b50u
#define ENTRY_SIGNATURE   0x02014b50u
#define END_SIGNATURE     0x06054b50u
#define END64_SIGNATURE   0x06064b50u
#define LOCATOR_SIGNATURE 0x07064b50u

#define LOCAL_SIZE   30u
#define ENTRY_SIZE   46u
#define END_SIZE     22u
#define END64_SIZE   56u
#define LOCATOR_SIZE 20u

#define FLAG_ENCRYPTED 1u
#define NONE32         0xffffffffu
#define NONE16         0xffffu
#define EXTRA_ZIP64    1u
/* No deflated stream unpacks to more than this many times its length. */
#define DEFLATE_LIMIT  1032u

static uint16_t get16(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint16_t)(u[0] | u[1] << 8);
}

static uint32_t get32(const char *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool corrupt(const struct zip *zip, const char *why, struct err *err)
{
	err_set(err, ERR_USER, "\"%.*s\" is not a zip archive that can be read: %s", STR_ARG(zip->path), why);
	err_note(err, "fetch or build the file again");
	return false;
}

static bool corrupt_entry(const struct zip *zip, struct str name, const char *why, struct err *err)
{
	err_set(err, ERR_USER, "\"%.*s\": entry \"%.*s\": %s", STR_ARG(zip->path), STR_ARG(name), why);
	return false;
}

const char *zip_bad_name(struct str name)
{
	if (!name.len)
		return "the name is empty";
	if (memchr(name.ptr, 0, name.len) || memchr(name.ptr, '\\', name.len))
		return "the name holds a NUL or a backslash";
	if (str_utf8_prefix(name) != name.len)
		return "the name is not UTF-8";
	if (*name.ptr == '/' || (name.len > 2 && name.ptr[1] == ':' && name.ptr[2] == '/'))
		return "the name is absolute";
	if (name.len > NONE16)
		return "the name is too long";
	struct str rest = name, part;
	while (str_cut(&rest, '/', &part))
		if (!part.len || str_eqc(part, "."))
			return "the name has an empty part";
		else if (str_eqc(part, ".."))
			return "the name leads out of its folder (\"..\")";
	return NULL;
}

/* -- the central directory -- */

struct directory {
	uint64_t offset, size, count;
	uint64_t end;   /* where the records of the end begin */
	uint64_t shift; /* bytes before the archive proper, a start script for instance */
};

static bool find_end64(const struct zip *zip, struct str bytes, size_t end, struct directory *dir, struct err *err)
{
	if (end < LOCATOR_SIZE || get32(bytes.ptr + end - LOCATOR_SIZE) != LOCATOR_SIGNATURE)
		return true;
	/* The record lies right before its locator; its own offset would be wrong behind a start script. */
	if (end < LOCATOR_SIZE + END64_SIZE || get32(bytes.ptr + end - LOCATOR_SIZE - END64_SIZE) != END64_SIGNATURE)
		return corrupt(zip, "its zip64 end record is damaged", err);
	const char *p = bytes.ptr + end - LOCATOR_SIZE - END64_SIZE;
	dir->count = get64(p + 32);
	dir->size = get64(p + 40);
	dir->offset = get64(p + 48);
	dir->end = (uint64_t)(p - bytes.ptr);
	return true;
}

static bool find_directory(const struct zip *zip, struct str bytes, struct directory *dir, struct err *err)
{
	if (bytes.len < END_SIZE)
		return corrupt(zip, bytes.len ? "it is too short" : "it is empty", err);
	/* A comment of up to 64 KiB may follow the record, and must end with the file. */
	size_t lowest = bytes.len > END_SIZE + NONE16 ? bytes.len - END_SIZE - NONE16 : 0, at = bytes.len - END_SIZE;
	while (get32(bytes.ptr + at) != END_SIGNATURE || at + END_SIZE + get16(bytes.ptr + at + 20) != bytes.len)
		if (at-- == lowest)
			return corrupt(zip, "its end record is missing, it may be cut short", err);
	const char *p = bytes.ptr + at;
	if ((get16(p + 4) != 0 && get16(p + 4) != NONE16) || (get16(p + 6) != 0 && get16(p + 6) != NONE16))
		return corrupt(zip, "it is one part of several", err);
	*dir = (struct directory){.offset = get32(p + 16), .size = get32(p + 12), .count = get16(p + 10), .end = at};
	if (!find_end64(zip, bytes, at, dir, err))
		return false;
	if (dir->size > dir->end || dir->offset > dir->end - dir->size || dir->count > dir->size / ENTRY_SIZE)
		return corrupt(zip, "its directory is damaged, it may be cut short", err);
	dir->shift = dir->end - dir->size - dir->offset;
	return true;
}

/* Lengths and offset that did not fit stand in an extra field, in this order. */
static bool read_zip64(struct str extra, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
	while (extra.len >= 4) {
		size_t n = get16(extra.ptr + 2);
		if (n > extra.len - 4)
			break;
		if (get16(extra.ptr) == EXTRA_ZIP64) {
			struct str field = str_n(extra.ptr + 4, n);
			uint64_t *want[] = {size, packed, offset};
			for (size_t i = 0; i < ARRAY_LEN(want); i++) {
				if (*want[i] != NONE32)
					continue;
				if (field.len < 8)
					return false;
				*want[i] = get64(field.ptr);
				field = str_drop(field, 8);
			}
			return true;
		}
		extra = str_drop(extra, 4 + n);
	}
	return *size != NONE32 && *packed != NONE32 && *offset != NONE32;
}

/* Finds the data behind the local header at `at`; the header must name the same entry. */
static const char *check_local(struct str bytes, const struct directory *dir, uint64_t at, struct str name,
                               uint16_t method, uint64_t packed, const char **ret_data)
{
	uint64_t limit = dir->shift + dir->offset;
	if (at > limit || limit - at < LOCAL_SIZE || get32(bytes.ptr + at) != LOCAL_SIGNATURE)
		return "its local header is missing or damaged";
	const char *p = bytes.ptr + at;
	uint64_t rest = limit - at - LOCAL_SIZE, head = (uint64_t)get16(p + 26) + get16(p + 28);
	if (head > rest || packed > rest - head)
		return "its data lies outside the archive";
	if (!str_eq(str_n(p + LOCAL_SIZE, get16(p + 26)), name) || get16(p + 8) != method)
		return "its local header and the directory disagree";
	*ret_data = p + LOCAL_SIZE + head;
	return NULL;
}

static const char *check_entry(struct str bytes, const struct directory *dir, const char *p, struct zip_entry *ret)
{
	uint64_t size = get32(p + 24), packed = get32(p + 20), offset = get32(p + 42);
	struct str extra = str_n(p + ENTRY_SIZE + get16(p + 28), get16(p + 30));
	*ret = (struct zip_entry){
	        .name = str_n(p + ENTRY_SIZE, get16(p + 28)),
	        .crc = get32(p + 16),
	        .method = get16(p + 10),
	};
	const char *data = NULL, *why = zip_bad_name(ret->name);
	if (why)
		return why;
	if (get16(p + 8) & FLAG_ENCRYPTED)
		return "it is encrypted";
	if (ret->method != ZIP_STORED && ret->method != ZIP_DEFLATED)
		return "it is packed in a way that Java can't read (neither stored nor deflated)";
	if (!read_zip64(extra, &size, &packed, &offset))
		return "its zip64 field is damaged";
	if (offset > UINT64_MAX - dir->shift)
		return "its local header is missing or damaged";
	why = check_local(bytes, dir, dir->shift + offset, ret->name, ret->method, packed, &data);
	if (why)
		return why;
	if (ret->method == ZIP_STORED ? size != packed : size / DEFLATE_LIMIT > packed)
		return "its length can't be right";
	ret->size = size;
	ret->packed = str_n(data, (size_t)packed);
	return NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	return x->ptr < y->ptr ? -1 : x->ptr > y->ptr;
}

/* Entries that share data are how a small file says to hold terabytes. */
static bool check_bomb(const struct zip *zip, size_t archive, struct err *err)
{
	StrVec parts = {0};
	uint64_t total = 0;
	bool ok = true;
	for (size_t i = 0; i < zip->entries.len; i++) {
		const struct zip_entry *e = &zip->entries.ptr[i];
		total = e->size > UINT64_MAX - total ? UINT64_MAX : total + e->size;
		if (e->packed.len)
			vec_push(&parts, e->packed);
	}
	if (parts.len)
		qsort(parts.ptr, parts.len, sizeof(*parts.ptr), by_place);
	for (size_t i = 1; ok && i < parts.len; i++)
		if (parts.ptr[i - 1].ptr + parts.ptr[i - 1].len > parts.ptr[i].ptr)
			ok = corrupt(zip, "entries overlap", err);
	vec_release(&parts);
	if (ok && total > ZIP_BOMB_SIZE && total / ZIP_BOMB_RATIO > archive) {
		err_set(err, ERR_USER, "\"%.*s\" says to hold %llu bytes in %zu: refused as a zip bomb",
		        STR_ARG(zip->path), (unsigned long long)total, archive);
		return false;
	}
	return ok;
}

bool zip_open(struct str path, struct str bytes, struct zip *ret, struct err *err)
{
	struct directory dir;
	*ret = (struct zip){.path = path};
	if (!find_directory(ret, bytes, &dir, err))
		return false;
	const char *p = bytes.ptr + dir.shift + dir.offset;
	uint64_t left = dir.size;
	bool ok = true;
	for (uint64_t i = 0; ok && i < dir.count; i++) {
		uint64_t n = left < ENTRY_SIZE ? UINT64_MAX
		                               : (uint64_t)ENTRY_SIZE + get16(p + 28) + get16(p + 30) + get16(p + 32);
		if (n > left || get32(p) != ENTRY_SIGNATURE) {
			ok = corrupt(ret, "its directory is damaged", err);
			break;
		}
		struct zip_entry e;
		const char *why = check_entry(bytes, &dir, p, &e);
		if (why) {
			ok = corrupt_entry(ret, e.name, why, err);
			break;
		}
		map_put(&ret->by_name, e.name, ret->entries.len);
		vec_push(&ret->entries, e);
		p += n;
		left -= n;
	}
	/* More than 65,535 entries without zip64: the count is cut to 16 bits. */
	if (ok && left >= ENTRY_SIZE && get32(p) == ENTRY_SIGNATURE)
		ok = corrupt(ret, "its directory has more entries than it says", err);
	ok = ok && check_bomb(ret, bytes.len, err);
	if (!ok)
		zip_close(ret);
	return ok;
}

void zip_close(struct zip *zip)
{
	vec_release(&zip->entries);
	map_release(&zip->by_name);
}

const struct zip_entry *zip_find(const struct zip *zip, struct str name)
{
	uint64_t i;
	return map_get(&zip->by_name, name, &i) ? &zip->entries.ptr[i] : NULL;
}

/* -- unpacking -- */

/* zlib counts in unsigned int; larger entries go through it in pieces. */
static unsigned piece_of(uint64_t n)
{
	return (unsigned)MIN(n, (uint64_t)1 << 30);
}

/* Inflates into exactly `size` bytes at `to`. */
static bool unpack(struct str packed, char *to, uint64_t size)
{
	z_stream z = {0};
	uint64_t in = packed.len, out = size;
	int status = Z_OK;
	CHECK(inflateInit2(&z, -MAX_WBITS) == Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)packed.ptr;
	z.next_out = (unsigned char *)to;
	while (status == Z_OK) {
		unsigned i = piece_of(in), o = piece_of(out);
		z.avail_in = i;
		z.avail_out = o;
		status = inflate(&z, Z_NO_FLUSH);
		in -= i - z.avail_in;
		out -= o - z.avail_out;
	}
	inflateEnd(&z);
	return status == Z_STREAM_END && !in && !out;
}

bool zip_read(const struct zip *zip, const struct zip_entry *e, struct buf *out, struct err *err)
{
	size_t start = out->len;
	buf_reserve(out, (size_t)e->size + 1);
	bool ok = true;
	if (e->method == ZIP_DEFLATED)
		ok = unpack(e->packed, out->ptr + start, e->size);
	else if (e->size)
		memcpy(out->ptr + start, e->packed.ptr, (size_t)e->size);
	if (!ok)
		corrupt_entry(zip, e->name, "its data is damaged", err);
	else if (crc32_z(0, (const unsigned char *)out->ptr + start, (size_t)e->size) != e->crc)
		ok = corrupt_entry(zip, e->name, "its checksum is wrong", err);
	out->len = ok ? start + (size_t)e->size : start;
	out->ptr[out->len] = 0;
	return ok;
}
