/* The class file by hand: The Java Virtual Machine Specification, chapter 4. There is no branch in the code, so that
 * the verifier needs no stack maps. */
#include "rules/jar_launcher.h"

#include "front/clojure.h"

#define CLASS_VERSION 52 /* Java 8 */

enum { TAG_UTF8 = 1, TAG_CLASS = 7, TAG_STRING = 8, TAG_METHOD = 10, TAG_NAME_AND_TYPE = 12 };

static void add_u2(struct buf *out, unsigned v)
{
	buf_addc(out, (char)(v >> 8));
	buf_addc(out, (char)v);
}

static void add_u4(struct buf *out, unsigned v)
{
	add_u2(out, v >> 16);
	add_u2(out, v & 0xffff);
}

/* Constants are numbered from 1, in the order in which they are added. */
struct pool {
	struct buf *out;
	unsigned n;
};

static unsigned add_utf8(struct pool *p, struct str text)
{
	buf_addc(p->out, TAG_UTF8);
	add_u2(p->out, (unsigned)text.len);
	buf_adds(p->out, text);
	return ++p->n;
}

/* A class, or a string. */
static unsigned add_named(struct pool *p, int tag, struct str text)
{
	unsigned name = add_utf8(p, text);
	buf_addc(p->out, (char)tag);
	add_u2(p->out, name);
	return ++p->n;
}

static unsigned add_pair(struct pool *p, int tag, unsigned a, unsigned b)
{
	buf_addc(p->out, (char)tag);
	add_u2(p->out, a);
	add_u2(p->out, b);
	return ++p->n;
}

static unsigned add_method(struct pool *p, struct str class, struct str name, struct str type)
{
	unsigned of = add_named(p, TAG_CLASS, class), n = add_utf8(p, name), t = add_utf8(p, type);
	return add_pair(p, TAG_METHOD, of, add_pair(p, TAG_NAME_AND_TYPE, n, t));
}

enum op {
	ICONST_0 = 0x03,
	ICONST_1 = 0x04,
	ICONST_2 = 0x05,
	LDC_W = 0x13,
	ALOAD_0 = 0x2a,
	ALOAD_1 = 0x2b,
	ASTORE_1 = 0x4c,
	AASTORE = 0x53,
	IADD = 0x60,
	RETURN = 0xb1,
	INVOKESTATIC = 0xb8,
	ANEWARRAY = 0xbd,
	ARRAYLENGTH = 0xbe,
};

static void op(struct buf *code, enum op o)
{
	buf_addc(code, (char)o);
}

static void op2(struct buf *code, enum op o, unsigned operand)
{
	op(code, o);
	add_u2(code, operand);
}

static void put(struct buf *code, enum op index, unsigned string)
{
	op(code, ALOAD_1);
	op(code, index);
	op2(code, LDC_W, string);
	op(code, AASTORE);
}

static void make_code(struct pool *p, struct str ns, struct buf *code)
{
	unsigned string = add_named(p, TAG_CLASS, STR("java/lang/String"));
	unsigned option = add_named(p, TAG_STRING, STR("-m")), name = add_named(p, TAG_STRING, ns);
	unsigned copy = add_method(p, STR("java/lang/System"), STR("arraycopy"),
	                           STR("(Ljava/lang/Object;ILjava/lang/Object;II)V"));
	unsigned call = add_method(p, STR("clojure/main"), STR("main"), STR("([Ljava/lang/String;)V"));
	op(code, ALOAD_0);
	op(code, ARRAYLENGTH);
	op(code, ICONST_2);
	op(code, IADD);
	op2(code, ANEWARRAY, string);
	op(code, ASTORE_1);
	put(code, ICONST_0, option);
	put(code, ICONST_1, name);
	op(code, ALOAD_0);
	op(code, ICONST_0);
	op(code, ALOAD_1);
	op(code, ICONST_2);
	op(code, ALOAD_0);
	op(code, ARRAYLENGTH);
	op2(code, INVOKESTATIC, copy);
	op(code, ALOAD_1);
	op2(code, INVOKESTATIC, call);
	op(code, RETURN);
}

struct str jar_launcher(struct arena *a, struct str ns, struct buf *out)
{
	struct str class = clojure_ns_path(a, ns);
	struct buf constants = {0}, code = {0};
	struct pool p = {.out = &constants};
	unsigned self = add_named(&p, TAG_CLASS, class), super = add_named(&p, TAG_CLASS, STR("java/lang/Object"));
	unsigned name = add_utf8(&p, STR("main")), type = add_utf8(&p, STR("([Ljava/lang/String;)V"));
	unsigned attribute = add_utf8(&p, STR("Code"));
	make_code(&p, ns, &code);
	add_u4(out, 0xcafebabe);
	add_u4(out, CLASS_VERSION);
	add_u2(out, p.n + 1);
	buf_adds(out, buf_str(&constants));
	add_u2(out, 0x31); /* public final super */
	add_u2(out, self);
	add_u2(out, super);
	add_u2(out, 0); /* interfaces */
	add_u2(out, 0); /* fields */
	add_u2(out, 1); /* methods */
	add_u2(out, 0x9);
	add_u2(out, name);
	add_u2(out, type);
	add_u2(out, 1);
	add_u2(out, attribute);
	add_u4(out, (unsigned)code.len + 12);
	add_u2(out, 5); /* stack: an array, an index, an array, an index, a length */
	add_u2(out, 2); /* locals */
	add_u4(out, (unsigned)code.len);
	buf_adds(out, buf_str(&code));
	add_u2(out, 0); /* exceptions */
	add_u2(out, 0); /* attributes of the code */
	add_u2(out, 0); /* attributes of the class */
	buf_release(&constants);
	buf_release(&code);
	return str_fmt(a, "%.*s.class", STR_ARG(class));
}
