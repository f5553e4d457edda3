/* arena.h - memory by lifetime: allocations that end together.
 *
 *     struct arena a = {0};
 *     struct node *n = arena_new(&a, struct node);   // zeroed
 *     arena_release(&a);                              // all of it
 *
 * Never fails: aborts when memory is gone. Not thread safe. */
#ifndef TENON_BASE_ARENA_H
#define TENON_BASE_ARENA_H

#include "base/base.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *head;
	char *next, *end;
	size_t used; /* bytes handed out, for statistics */
};

void arena_release(struct arena *a);
/* Zeroed memory, aligned for any type. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
#define arena_new(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_n(a, type, n) ((type *)arena_alloc_n((a), (n), sizeof(type)))
void *arena_alloc_n(struct arena *a, size_t n, size_t size); /* aborts on overflow */
char *arena_bytes(struct arena *a, size_t n);                /* no alignment, not zeroed */

#endif
