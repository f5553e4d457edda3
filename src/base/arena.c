#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK   4096
#define LARGEST_CHUNK (1u << 20)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

static struct arena_chunk *new_chunk(size_t size)
{
	if (size > SIZE_MAX - sizeof(struct arena_chunk))
		BUG("an allocation of %zu bytes", size);
	struct arena_chunk *c = xmalloc(sizeof(*c) + size);
	c->size = size;
	return c;
}

/* Makes room for `need` bytes in one piece. */
static char *add_chunk(struct arena *a, size_t need)
{
	size_t size = a->head ? MIN(a->head->size * 2, (size_t)LARGEST_CHUNK) : FIRST_CHUNK;
	if (a->head && need > size / 4) {
		/* Large: gets a chunk of its own behind the head, whose rest stays in use. */
		struct arena_chunk *c = new_chunk(need);
		c->next = a->head->next;
		a->head->next = c;
		return c->bytes;
	}
	struct arena_chunk *c = new_chunk(MAX(size, need));
	c->next = a->head;
	a->head = c;
	a->next = c->bytes + need;
	a->end = c->bytes + c->size;
	return c->bytes;
}

void arena_release(struct arena *a)
{
	while (a->head) {
		struct arena_chunk *next = a->head->next;
		free(a->head);
		a->head = next;
	}
	*a = (struct arena){0};
}

static size_t room(const struct arena *a)
{
	return a->head ? (size_t)(a->end - a->next) : 0;
}

char *arena_bytes(struct arena *a, size_t n)
{
	a->used += n;
	if (!a->head || room(a) < n)
		return add_chunk(a, n);
	char *p = a->next;
	a->next += n;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size_t pad = a->head ? (align - (uintptr_t)a->next % align) % align : 0;
	char *p;
	a->used += size;
	if (a->head && room(a) >= pad && room(a) - pad >= size) {
		p = a->next + pad;
		a->next = p + size;
	} else {
		p = add_chunk(a, size);
	}
	return memset(p, 0, size);
}

void *arena_alloc_n(struct arena *a, size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		BUG("an array of %zu elements of %zu bytes", n, size);
	return arena_alloc(a, total);
}
