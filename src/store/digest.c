#include "store/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Fetching the algorithm takes locks and look-ups, more than hashing a small text does: it is fetched once and never
 * changes. */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	CHECK(sha256);
}

struct hasher {
	EVP_MD_CTX *ctx;
};

static EVP_MD_CTX *begin(void)
{
	pthread_once(&fetch_once, fetch);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CHECK(ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
	return ctx;
}

static void add(EVP_MD_CTX *ctx, const void *p, size_t n)
{
	CHECK(EVP_DigestUpdate(ctx, p, n) == 1);
}

static struct digest end(EVP_MD_CTX *ctx)
{
	struct digest d;
	CHECK(EVP_DigestFinal_ex(ctx, d.bytes, NULL) == 1);
	EVP_MD_CTX_free(ctx);
	return d;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool digest_is_zero(const struct digest *d)
{
	static const struct digest zero;
	return digest_eq(d, &zero);
}

struct digest digest_of(struct str bytes)
{
	EVP_MD_CTX *ctx = begin();
	add(ctx, bytes.ptr, bytes.len);
	return end(ctx);
}

bool digest_of_fd(int fd, int copy_to, struct digest *ret, uint64_t *ret_size)
{
	char chunk[65536];
	EVP_MD_CTX *ctx = begin();
	uint64_t size = 0;
	ssize_t n;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		add(ctx, chunk, (size_t)n);
		size += (uint64_t)n;
		ssize_t done = 0, k = 0;
		while (copy_to >= 0 && done < n &&
		       ((k = write(copy_to, chunk + done, (size_t)(n - done))) >= 0 || errno == EINTR))
			done += MAX(k, 0);
		if (k < 0)
			break;
	}
	int e = errno;
	struct digest d = end(ctx);
	errno = e;
	if (n != 0)
		return false;
	*ret = d;
	if (ret_size)
		*ret_size = size;
	return true;
}

bool digest_of_file(const char *path, struct digest *ret, uint64_t *ret_size, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, ERR_USER, "cannot open \"%s\"", path);
	bool ok = digest_of_fd(fd, -1, ret, ret_size);
	if (!ok)
		err_sys(err, ERR_USER, "cannot read \"%s\"", path);
	close(fd);
	return ok;
}

void digest_hex(const struct digest *d, char ret[DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < sizeof(d->bytes); i++) {
		ret[2 * i] = digits[d->bytes[i] >> 4];
		ret[2 * i + 1] = digits[d->bytes[i] & 15];
	}
	ret[DIGEST_HEX] = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse(struct str hex, struct digest *ret)
{
	struct digest d;
	if (hex.len != DIGEST_HEX)
		return false;
	for (size_t i = 0; i < sizeof(d.bytes); i++) {
		int hi = hex_value(hex.ptr[2 * i]), lo = hex_value(hex.ptr[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		d.bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = d;
	return true;
}

/* -- fields: kind, length of the name, name, length of the value, value; lengths as 8 bytes, lowest first -- */

static void add_u64(EVP_MD_CTX *ctx, uint64_t v)
{
	uint8_t bytes[8];
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	add(ctx, bytes, sizeof(bytes));
}

static void add_counted(EVP_MD_CTX *ctx, struct str s)
{
	add_u64(ctx, s.len);
	add(ctx, s.ptr, s.len);
}

static void add_name(struct hasher *h, char kind, const char *name)
{
	add(h->ctx, &kind, 1);
	add_counted(h->ctx, str_from(name));
}

struct hasher *hasher_new(struct str domain)
{
	struct hasher *h = xmalloc(sizeof(*h));
	h->ctx = begin();
	add_counted(h->ctx, domain);
	return h;
}

void hasher_str(struct hasher *h, const char *name, struct str value)
{
	add_name(h, 's', name);
	add_counted(h->ctx, value);
}

void hasher_u64(struct hasher *h, const char *name, uint64_t value)
{
	add_name(h, 'u', name);
	add_u64(h->ctx, value);
}

void hasher_digest(struct hasher *h, const char *name, const struct digest *d)
{
	add_name(h, 'd', name);
	add(h->ctx, d->bytes, sizeof(d->bytes));
}

struct digest hasher_end(struct hasher *h)
{
	struct digest d = end(h->ctx);
	free(h);
	return d;
}

/* -- checksum -- */

#define LANES 4
#define PRIME 0x9e3779b97f4a7c15u

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * PRIME;
	return h ^ (h >> 29);
}

uint64_t checksum64(const void *bytes, size_t n)
{
	const char *p = bytes;
	/* Independent lanes, so that the multiplications overlap. */
	uint64_t lane[LANES] = {1, 2, 3, 4}, word[LANES];
	size_t left = n;
	for (; left >= sizeof(word); left -= sizeof(word), p += sizeof(word)) {
		memcpy(word, p, sizeof(word));
		for (unsigned i = 0; i < LANES; i++)
			lane[i] = mix(lane[i], word[i]);
	}
	memset(word, 0, sizeof(word));
	if (left)
		memcpy(word, p, left);
	uint64_t h = n;
	for (unsigned i = 0; i < LANES; i++)
		h = mix(h, mix(lane[i], word[i]));
	return h;
}
