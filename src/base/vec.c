#include "base/vec.h"

void *vec_grow(void *ptr, size_t *cap, size_t need, size_t elem_size)
{
	size_t bytes, n = MAX(need, *cap + *cap / 2);
	n = MAX(n, (size_t)8);
	if (__builtin_mul_overflow(n, elem_size, &bytes))
		BUG("an array of %zu elements of %zu bytes", n, elem_size);
	*cap = n;
	return xrealloc(ptr, bytes);
}
