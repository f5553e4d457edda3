/* zip.h - zip archives: a strict reader and a deterministic writer.
 *
 * Reading goes by the central directory of an archive that lies in memory (map the file). Own code instead of
 * libarchive, which streams: jars need random access, the packed bytes of an entry as they are, and both headers of an
 * entry compared.
 *
 *     struct zip zip;
 *     if (zip_open(STR("a.jar"), bytes, &zip, err))
 *             for (size_t i = 0; i < zip.entries.len; i++)
 *                     zip_read(&zip, &zip.entries.ptr[i], &out, err);
 *     zip_close(&zip);
 *
 * zip_open refuses what could do harm later: names that lead out of a folder, parts that overlap, lengths that no
 * deflated data can have, archives that say to hold ZIP_BOMB_SIZE bytes at over ZIP_BOMB_RATIO times their own size.
 * Errors are ERR_USER and name the archive, and the entry where there is one.
 *
 * Writing: entries go out in the order of the calls, to a sink; headers hold fixed times and nothing of the machine, so
 * equal calls give equal bytes for one release of zlib (zip_packer() belongs in keys). Lengths stand in the local
 * headers, since JarInputStream cannot read stored entries otherwise. Zip64 where a count, length or offset needs it.
 *
 *     struct zip_writer w = {.sink = sink};
 *     ... zip_pack(bytes, &packed, &piece), zip_put(&w, name, &piece, err) ...
 *     ok = zip_finish(&w, err);
 *     zip_writer_release(&w);
 *
 * zip_pack may run in any number of threads. The format: APPNOTE.TXT 6.3. */
#ifndef TENON_WIRE_ZIP_H
#define TENON_WIRE_ZIP_H

#include "base/err.h"
#include "base/map.h"

#define ZIP_STORED   0
#define ZIP_DEFLATED 8

#define ZIP_BOMB_SIZE  (UINT64_C(1) << 30)
#define ZIP_BOMB_RATIO 200

/* Measured on the 3,600 classes of Clojure 1.11 (7.1 MB, most of them small): level 1 takes 0.16 s for 3.50 MB, level 6
 * 0.18 s for 3.36 MB, level 9 0.19 s for 3.36 MB. */
#define ZIP_LEVEL 6

struct zip_entry {
	struct str name;   /* UTF-8; a folder's ends with '/' */
	struct str packed; /* the data as it lies in the archive */
	uint64_t size;     /* unpacked, in bytes */
	uint32_t crc;      /* of the unpacked bytes */
	uint16_t method;   /* ZIP_STORED or ZIP_DEFLATED */
};

struct zip {
	struct str path;               /* for errors */
	Vec(struct zip_entry) entries; /* in the order of the central directory; names may repeat */
	struct map by_name;            /* to the index of the last entry of that name: the one that Java finds */
};

/* `path` and `bytes` must outlive *ret; names point into `bytes`. */
bool zip_open(struct str path, struct str bytes, struct zip *ret, struct err *err);
void zip_close(struct zip *zip);
/* NULL if there is none. */
const struct zip_entry *zip_find(const struct zip *zip, struct str name);
/* Appends the entry's bytes, checked against length and checksum. On failure `out` is as it was. */
bool zip_read(const struct zip *zip, const struct zip_entry *e, struct buf *out, struct err *err);
/* Why no entry may have this name, or NULL. */
const char *zip_bad_name(struct str name);

/* -- writing -- */

struct zip_sink {
	bool (*write)(void *ctx, struct str bytes, struct err *err);
	void *ctx;
};
struct zip_sink zip_sink_buf(struct buf *out);

struct zip_piece {
	struct str packed;
	uint64_t size;
	uint32_t crc;
	uint16_t method;
};

/* Deflates into `out` (appended, or stored where that is shorter); ret->packed points into `out`. */
void zip_pack(struct str bytes, int level, struct buf *out, struct zip_piece *ret);
/* What the packed bytes depend on besides the input, for keys: zlib's version. */
const char *zip_packer(void);

struct zip_writer {
	struct zip_sink sink; /* set by the caller, all else zero */
	struct buf directory;
	uint64_t offset, count;
};
/* Writes one entry; `name` must be a good one and new. Class files get a time two seconds (the format's resolution)
 * later than all else: Clojure loads a class only if it is newer than its source. */
bool zip_put(struct zip_writer *w, struct str name, const struct zip_piece *piece, struct err *err);
bool zip_finish(struct zip_writer *w, struct err *err);
void zip_writer_release(struct zip_writer *w);

#endif
