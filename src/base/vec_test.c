#include "base/vec.h"

#include "base/tap.h"

struct odd {
	char bytes[13];
};

int main(void)
{
	Vec(uint64_t) v = {0};
	vec_release(&v);
	for (uint64_t i = 0; i < 1000000; i++)
		vec_push(&v, i * i);
	bool same = true;
	for (uint64_t i = 0; i < v.len; i++)
		same &= v.ptr[i] == i * i;
	tap_ok(same && v.len == 1000000, "a million elements");
	tap_ok(v.cap < 1600000, "grows by half");
	tap_eq_int(vec_last(&v), (int64_t)999999 * 999999, "last");
	tap_eq_int(vec_pop(&v), (int64_t)999999 * 999999, "pop");
	tap_eq_int(v.len, 999999, "pop shortens");
	size_t cap = v.cap;
	vec_clear(&v);
	tap_ok(v.len == 0 && v.cap == cap, "clear keeps the memory");
	vec_reserve(&v, cap + 1);
	tap_ok(v.cap > cap && v.len == 0, "reserve grows without adding");
	vec_release(&v);
	tap_ok(!v.ptr && !v.len && !v.cap, "release");

	Vec(struct odd) odds = {0};
	for (int i = 0; i < 100; i++)
		vec_push(&odds, (struct odd){.bytes = {(char)i, [12] = (char)-i}});
	tap_ok(odds.ptr[77].bytes[0] == 77 && odds.ptr[77].bytes[12] == -77, "elements of an odd size");
	vec_release(&odds);
	return tap_done();
}
