#include "store/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fs.h"

static bool hex_is(const struct digest *d, const char *hex)
{
	char got[DIGEST_HEX + 1];
	digest_hex(d, got);
	return strcmp(got, hex) == 0;
}

/* The examples of FIPS 180-4's test vectors. */
static void test_vectors(void)
{
	struct digest d = digest_of(STR(""));
	tap_ok(hex_is(&d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "no bytes");
	d = digest_of(STR("abc"));
	tap_ok(hex_is(&d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "abc");
	char *million = malloc(1000000);
	memset(million, 'a', 1000000);
	d = digest_of(str_n(million, 1000000));
	tap_ok(hex_is(&d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"), "a million a");
	char path[] = "/tmp/digest-test-XXXXXX";
	close(mkstemp(path));
	struct digest f;
	uint64_t size;
	CHECK(fs_write_atomic(path, str_n(million, 1000000), 0600, false, NULL));
	tap_ok(digest_of_file(path, &f, &size, NULL) && digest_eq(&f, &d) && size == 1000000, "of a file");
	unlink(path);
	struct err err = {0};
	tap_ok(!digest_of_file(path, &f, &size, &err) && err.errnum == ENOENT, "of a missing file");
	tap_ok(!digest_of_file("/", &f, NULL, &err) && err.errnum == EISDIR, "of a folder");
	err_clear(&err);
	free(million);
}

static void test_hex(void)
{
	struct digest d = digest_of(STR("x")), e;
	char hex[DIGEST_HEX + 1];
	digest_hex(&d, hex);
	tap_ok(digest_parse(str_from(hex), &e) && digest_eq(&d, &e), "there and back");
	tap_ok(!digest_parse(str_n(hex, 63), &e), "too short");
	hex[5] = 'G';
	tap_ok(!digest_parse(str_from(hex), &e), "not a digit");
	hex[5] = 'A';
	tap_ok(!digest_parse(str_from(hex), &e), "capitals are not written");
	struct digest zero = {0};
	tap_ok(digest_is_zero(&zero) && !digest_is_zero(&d), "zero");
}

static struct digest two(const char *n1, const char *v1, const char *n2, const char *v2)
{
	struct hasher *h = hasher_new(STR("test"));
	hasher_str(h, n1, str_from(v1));
	hasher_str(h, n2, str_from(v2));
	return hasher_end(h);
}

static void test_hasher(void)
{
	struct digest a = two("a", "b", "c", "d"), b = two("a", "b", "c", "d");
	tap_ok(digest_eq(&a, &b), "the same fields, the same digest");
	/* Shifts of bytes from one field to the next. */
	const struct digest others[] = {two("ab", "", "c", "d"), two("a", "bc", "", "d"), two("a", "b", "cd", ""),
	                                two("c", "d", "a", "b")};
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		tap_ok(!digest_eq(&a, &others[i]), "other fields, another digest (%zu)", i);
	struct hasher *h = hasher_new(STR("test"));
	hasher_u64(h, "n", 0x6161616161616161u);
	struct digest n = hasher_end(h);
	h = hasher_new(STR("test"));
	hasher_str(h, "n", STR("aaaaaaaa"));
	struct digest s = hasher_end(h);
	tap_ok(!digest_eq(&n, &s), "a number is not the text of its bytes");
	h = hasher_new(STR("tes"));
	hasher_u64(h, "n", 0x6161616161616161u);
	s = hasher_end(h);
	tap_ok(!digest_eq(&n, &s), "the domain counts");
}

static void test_checksum(void)
{
	char bytes[200];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	int same = 0;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		uint64_t sum = checksum64(bytes, n);
		for (size_t i = 0; i < n; i++) {
			for (int bit = 0; bit < 8; bit++) {
				bytes[i] ^= (char)(1 << bit);
				same += checksum64(bytes, n) == sum;
				bytes[i] ^= (char)(1 << bit);
			}
		}
		same += n > 0 && checksum64(bytes, n - 1) == sum;
	}
	tap_eq_int(same, 0, "every flipped bit and every lost byte changes the checksum");
	memset(bytes, 0, sizeof(bytes));
	tap_ok(checksum64(bytes, 64) != checksum64(bytes, 96), "zeros of another length too");
}

int main(void)
{
	test_vectors();
	test_hex();
	test_hasher();
	test_checksum();
	return tap_done();
}
