/* store_impl.h - what the files that implement store.h share. */
#ifndef TENON_STORE_STORE_IMPL_H
#define TENON_STORE_STORE_IMPL_H

#include "store/store.h"

struct store {
	char *root;
	int cas, ac, tmp; /* the folders */
	int lock;         /* ROOT/gc.lock, held shared */
};

/* "ab/abcd..." and the buffer for it. */
#define ENTRY_NAME (3 + DIGEST_HEX + 1)
void entry_name(const struct digest *d, char ret[ENTRY_NAME]);
/* A name in ROOT/tmp. */
#define TEMP_NAME 48
void temp_name(char ret[TEMP_NAME]);
/* Renames ROOT/tmp/TEMP to NAME in the folder `to`, making NAME's folder. False with errno. */
bool entry_place(struct store *s, const char *temp, int to, const char *name);
/* Writes an entry: temporary file, rename. Leaves nothing on failure; false with errno. */
bool entry_write(struct store *s, int to, const char *name, struct str bytes, unsigned mode);

enum entry_kind { ENTRY_RESULT, ENTRY_TEXT, ENTRY_BAD };
/* Checks the frame of an action cache file: first line, key, checksum. *ret_body is what stands between. */
enum entry_kind entry_open(struct str all, const struct digest *key, struct str *ret_body);
bool result_parse(struct arena *a, struct str body, struct action_result *ret);
/* Removes what is older than a day from ROOT/tmp; returns how many names. */
uint64_t tmp_clean(struct store *s);

#endif
