/* vec.h - growable arrays of one type.
 *
 *     Vec(struct str) names = {0};
 *     vec_push(&names, STR("a"));
 *     for (size_t i = 0; i < names.len; i++) use(names.ptr[i]);
 *     vec_release(&names);
 *
 * A named vector type: typedef Vec(struct str) StrVec; declares it once. */
#ifndef TENON_BASE_VEC_H
#define TENON_BASE_VEC_H

#include "base/base.h"
#include "base/str.h"

#define Vec(T)                                                                                                         \
	struct {                                                                                                       \
		T *ptr;                                                                                                \
		size_t len, cap;                                                                                       \
	}

/* Grows to hold `need` elements; aborts when memory is gone. */
void *vec_grow(void *ptr, size_t *cap, size_t need, size_t elem_size);

/* What the analyzer can't see: room means that there is memory. */
#ifdef __clang_analyzer__
#define VEC_INVARIANT(v)                                                                                               \
	do {                                                                                                           \
		if ((v)->cap && !(v)->ptr)                                                                             \
			__builtin_unreachable();                                                                       \
	} while (0)
#else
#define VEC_INVARIANT(v) ((void)0)
#endif

#define vec_reserve(v, n)                                                                                              \
	do {                                                                                                           \
		if ((n) > (v)->cap)                                                                                    \
			(v)->ptr = vec_grow((v)->ptr, &(v)->cap, (n), sizeof(*(v)->ptr));                              \
		VEC_INVARIANT(v);                                                                                      \
	} while (0)
#define vec_push(v, ...)                                                                                               \
	do {                                                                                                           \
		vec_reserve((v), (v)->len + 1);                                                                        \
		(v)->ptr[(v)->len++] = (__VA_ARGS__);                                                                  \
	} while (0)
#define vec_pop(v)   ((v)->ptr[--(v)->len])
#define vec_last(v)  ((v)->ptr[(v)->len - 1])
#define vec_clear(v) ((void)((v)->len = 0))
#define vec_release(v)                                                                                                 \
	do {                                                                                                           \
		free((v)->ptr);                                                                                        \
		(v)->ptr = NULL;                                                                                       \
		(v)->len = (v)->cap = 0;                                                                               \
	} while (0)

typedef Vec(struct str) StrVec;
typedef Vec(uint32_t) U32Vec;

#include <stdlib.h>

#endif
