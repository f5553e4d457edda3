/* digest.h - SHA-256 (FIPS 180-4), by OpenSSL's EVP.
 *
 * A digest is a plain value. The builder frames every field with its name and length, so that no two sequences of
 * fields give the same bytes. */
#ifndef TENON_STORE_DIGEST_H
#define TENON_STORE_DIGEST_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

struct digest {
	uint8_t bytes[32];
};
#define DIGEST_HEX 64
typedef Vec(struct digest) DigestVec;

bool digest_eq(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);
struct digest digest_of(struct str bytes);
/* Content of a file and its size in bytes (ret_size may be NULL). */
bool digest_of_file(const char *path, struct digest *ret, uint64_t *ret_size, struct err *err);
/* The rest of an open file, written to `copy_to` on the way (-1: nowhere). False with errno. */
bool digest_of_fd(int fd, int copy_to, struct digest *ret, uint64_t *ret_size);
void digest_hex(const struct digest *d, char ret[DIGEST_HEX + 1]);
bool digest_parse(struct str hex, struct digest *ret);

/* hasher: fields in, digest out.
 *     struct hasher *h = hasher_new(STR("tenon-action-1"));
 *     hasher_str(h, "op", op); hasher_digest(h, "source", &d);
 *     struct digest key = hasher_end(h);     // also frees */
struct hasher;
struct hasher *hasher_new(struct str domain);
void hasher_str(struct hasher *h, const char *name, struct str value);
void hasher_u64(struct hasher *h, const char *name, uint64_t value);
void hasher_digest(struct hasher *h, const char *name, const struct digest *d);
struct digest hasher_end(struct hasher *h);

/* A fast 64-bit checksum (over 8-byte words of this machine) against torn and damaged local files, not against malice.
 * Never part of a key. */
uint64_t checksum64(const void *bytes, size_t n);

#endif
