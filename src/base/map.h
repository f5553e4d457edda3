/* map.h - the one hash map: byte strings to 64-bit values.
 *
 * Open addressing with linear probing; keys are borrowed slices that must
 * outlive the map (intern them or keep them in an arena). There is no removal:
 * nothing here needs it. Iterate in insertion order with map.entries, so that
 * no output ever depends on the hash function.
 *
 *     struct map m = {0};
 *     map_put(&m, STR("a"), 1);
 *     uint64_t v;
 *     if (map_get(&m, STR("a"), &v)) ...
 *     map_release(&m);
 */
#ifndef TENON_BASE_MAP_H
#define TENON_BASE_MAP_H

#include "base/str.h"
#include "base/vec.h"

struct map_entry {
	struct str key;
	uint64_t value;
};

struct map {
	Vec(struct map_entry) entries; /* in order of first insertion */
	uint64_t *slots;               /* upper half: of the key's hash; lower: index into entries + 1; 0 is free */
	size_t nslots;                 /* a power of two, or 0 */
};

void map_release(struct map *m);
bool map_get(const struct map *m, struct str key, uint64_t *ret_value);
bool map_has(const struct map *m, struct str key);
/* Inserts or replaces. */
void map_put(struct map *m, struct str key, uint64_t value);
/* Inserts if absent and returns true; else returns false and *ret_value (may be NULL) is what is there. */
bool map_add(struct map *m, struct str key, uint64_t value, uint64_t *ret_value);

/* Interned strings: equal strings get equal dense ids, from 0. Owns its bytes. */
struct arena;
struct intern {
	struct map map;
	struct arena *arena; /* where the strings live; set by the caller, borrowed */
};
uint32_t intern_id(struct intern *in, struct str s);
struct str intern_str(const struct intern *in, uint32_t id);
void intern_release(struct intern *in);

#endif
