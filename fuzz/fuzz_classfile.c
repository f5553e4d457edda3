/* fuzz_classfile.c - the parser of class files on any bytes: no crash, and all texts lie in the file. */
#include "wire/classfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct str s, struct str bytes)
{
	CHECK(!s.len || (s.ptr >= bytes.ptr && s.ptr + s.len <= bytes.ptr + bytes.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_n((const char *)data, size);
	struct classfile c;
	struct err err = {0};
	if (!classfile_parse(STR("input"), bytes, &c, &err)) {
		CHECK(err.kind == ERR_USER && err.message.len && !c.refs.ptr && !c.calls.ptr);
		err_clear(&err);
		return 0;
	}
	check_inside(c.name, bytes);
	check_inside(c.source, bytes);
	for (size_t i = 0; i < c.refs.len; i++) {
		CHECK(c.refs.ptr[i].owner.len);
		check_inside(c.refs.ptr[i].owner, bytes);
		check_inside(c.refs.ptr[i].member, bytes);
	}
	for (size_t i = 0; i < c.calls.len; i++)
		for (unsigned k = 0; k < c.calls.ptr[i].nargs; k++)
			check_inside(c.calls.ptr[i].args[k], bytes);
	classfile_release(&c);
	return 0;
}
