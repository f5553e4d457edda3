#include "base/map.h"

#include <stdlib.h>

#include "base/arena.h"

void map_release(struct map *m)
{
	vec_release(&m->entries);
	free(m->slots);
	*m = (struct map){0};
}

/* The slot that holds `key`, or the free one where it would go. The table is never full. Half of the hash stands in the
 * slot, so that keys, which are far away in memory, are compared only where they are very likely equal. */
static size_t find_slot(const struct map *m, struct str key, uint32_t hash)
{
	size_t mask = m->nslots - 1, i = hash & mask;
	for (; m->slots[i]; i = (i + 1) & mask)
		if (m->slots[i] >> 32 == hash && str_eq(m->entries.ptr[(uint32_t)m->slots[i] - 1].key, key))
			break;
	return i;
}

static uint32_t hash_of(struct str key)
{
	return (uint32_t)(str_hash(key) >> 32);
}

static void grow(struct map *m)
{
	uint64_t *old = m->slots;
	size_t nold = m->nslots;
	m->nslots = MAX(nold * 2, (size_t)16);
	m->slots = xcalloc(m->nslots, sizeof(*m->slots));
	size_t mask = m->nslots - 1;
	for (size_t i = 0; i < nold; i++) {
		if (!old[i])
			continue;
		size_t at = old[i] >> 32 & mask;
		while (m->slots[at])
			at = (at + 1) & mask;
		m->slots[at] = old[i];
	}
	free(old);
}

bool map_get(const struct map *m, struct str key, uint64_t *ret_value)
{
	if (!m->nslots)
		return false;
	uint32_t at = (uint32_t)m->slots[find_slot(m, key, hash_of(key))];
	if (at && ret_value)
		*ret_value = m->entries.ptr[at - 1].value;
	return at != 0;
}

bool map_has(const struct map *m, struct str key)
{
	return map_get(m, key, NULL);
}

/* The entry of `key`, and whether it is new. */
static struct map_entry *insert(struct map *m, struct str key, bool *ret_new)
{
	if ((m->entries.len + 1) * 4 > m->nslots * 3)
		grow(m);
	uint32_t hash = hash_of(key);
	size_t slot = find_slot(m, key, hash);
	*ret_new = !m->slots[slot];
	if (*ret_new) {
		CHECK(m->entries.len < UINT32_MAX - 1);
		vec_push(&m->entries, (struct map_entry){key, 0});
		m->slots[slot] = (uint64_t)hash << 32 | (uint32_t)m->entries.len;
	}
	return &m->entries.ptr[(uint32_t)m->slots[slot] - 1];
}

bool map_add(struct map *m, struct str key, uint64_t value, uint64_t *ret_value)
{
	bool new;
	struct map_entry *e = insert(m, key, &new);
	if (new)
		e->value = value;
	else if (ret_value)
		*ret_value = e->value;
	return new;
}

void map_put(struct map *m, struct str key, uint64_t value)
{
	bool new;
	insert(m, key, &new)->value = value;
}

uint32_t intern_id(struct intern *in, struct str s)
{
	uint64_t id;
	if (map_get(&in->map, s, &id))
		return (uint32_t)id;
	id = in->map.entries.len;
	map_add(&in->map, str_dup(in->arena, s), id, NULL);
	return (uint32_t)id;
}

struct str intern_str(const struct intern *in, uint32_t id)
{
	CHECK(id < in->map.entries.len);
	return in->map.entries.ptr[id].key;
}

void intern_release(struct intern *in)
{
	map_release(&in->map);
}
