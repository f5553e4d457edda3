#include "wire/classfile.h"

#include <stdlib.h>

#include "base/map.h"

enum { UTF8 = 1, INTEGER = 3, FLOAT, LONG, DOUBLE, CLASS, STRING, FIELD, METHOD, INTERFACE_METHOD, NAME_AND_TYPE };
enum { METHOD_HANDLE = 15, METHOD_TYPE, DYNAMIC, INVOKE_DYNAMIC, MODULE, PACKAGE };
enum {
	OP_LDC = 18,
	OP_LDC_W = 19,
	OP_TABLESWITCH = 170,
	OP_LOOKUPSWITCH = 171,
	OP_GETSTATIC = 178,
	OP_PUTSTATIC = 179,
	OP_INVOKESTATIC = 184,
	OP_CHECKCAST = 192,
	OP_WIDE = 196,
	OP_IINC = 132,
	OPCODES = 202
};

/* Bytes of each instruction; '0': its length depends on its operands. In runs of eight. */
static const char lengths[OPCODES + 1] = "11111111"
                                         "11111111"
                                         "23233222"
                                         "22111111"
                                         "11111111"
                                         "11111111"
                                         "11111122"
                                         "22211111"
                                         "11111111"
                                         "11111111"
                                         "11111111"
                                         "11111111"
                                         "11111111"
                                         "11111111"
                                         "11111111"
                                         "11111111"
                                         "11113111"
                                         "11111111"
                                         "11111111"
                                         "13333333"
                                         "33333333"
                                         "32001111"
                                         "11333333"
                                         "35532311"
                                         "33110433"
                                         "55";

/* A reader that stays at the end once something was missing. */
struct cursor {
	const unsigned char *at, *end;
	bool bad;
};

static const unsigned char *take(struct cursor *c, size_t n)
{
	if (c->bad || (size_t)(c->end - c->at) < n) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	return c->at - n;
}

static uint32_t number(struct cursor *c, size_t n)
{
	const unsigned char *p = take(c, n);
	uint32_t v = 0;
	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static struct cursor sub(struct cursor *c, size_t n)
{
	const unsigned char *p = take(c, n);
	return p ? (struct cursor){p, p + n, false} : (struct cursor){.bad = true};
}

struct constant {
	uint8_t tag;
	uint16_t a, b;   /* indices, by tag */
	uint32_t line;   /* of the first instruction that uses it */
	uint16_t member; /* CLASS: the FIELD or METHOD through which that was, or 0 */
	struct str text; /* UTF8 */
};

struct line {
	uint32_t pc, line;
};

struct call {
	struct class_call call;
	uint16_t field; /* constant of the field that the result went to, or 0 */
};

struct parser {
	struct constant *pool;
	uint32_t npool;
	Vec(struct call) calls;
	Vec(struct line) lines; /* of the method at hand */
	struct classfile *out;
};

static const struct constant *constant(const struct parser *p, uint32_t i, uint8_t tag)
{
	return i < p->npool && p->pool[i].tag == tag ? &p->pool[i] : NULL;
}

static struct str utf8(const struct parser *p, uint32_t i)
{
	const struct constant *c = constant(p, i, UTF8);
	return c ? c->text : (struct str){0};
}

static struct str class_name(const struct parser *p, uint32_t i)
{
	const struct constant *c = constant(p, i, CLASS);
	return c ? utf8(p, c->a) : (struct str){0};
}

static struct str member_name(const struct parser *p, uint32_t i)
{
	const struct constant *c = i < p->npool ? constant(p, p->pool[i].b, NAME_AND_TYPE) : NULL;
	return c ? utf8(p, c->a) : (struct str){0};
}

static const char *read_pool(struct parser *p, struct cursor *c)
{
	p->npool = number(c, 2);
	p->pool = xcalloc(p->npool + 1, sizeof(*p->pool));
	for (uint32_t i = 1; i < p->npool && !c->bad; i++) {
		struct constant *k = &p->pool[i];
		k->tag = (uint8_t)number(c, 1);
		switch (k->tag) {
		case UTF8: {
			size_t n = number(c, 2);
			k->text = str_n((const char *)take(c, n), n);
			break;
		}
		case INTEGER:
		case FLOAT:
			take(c, 4);
			break;
		case LONG:
		case DOUBLE:
			take(c, 8);
			i++; /* takes two places */
			break;
		case METHOD_HANDLE:
			take(c, 3);
			break;
		case CLASS:
		case STRING:
		case METHOD_TYPE:
		case MODULE:
		case PACKAGE:
			k->a = (uint16_t)number(c, 2);
			break;
		case FIELD:
		case METHOD:
		case INTERFACE_METHOD:
		case NAME_AND_TYPE:
		case DYNAMIC:
		case INVOKE_DYNAMIC:
			k->a = (uint16_t)number(c, 2);
			k->b = (uint16_t)number(c, 2);
			break;
		default:
			return c->bad ? NULL : "it has a constant of unknown kind";
		}
	}
	return NULL;
}

/* -- code -- */

static int by_pc(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	if (x->pc != y->pc)
		return x->pc < y->pc ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void read_lines(struct parser *p, struct cursor c)
{
	for (uint32_t n = number(&c, 2); n && !c.bad; n--) {
		uint32_t pc = number(&c, 2), line = number(&c, 2);
		vec_push(&p->lines, (struct line){pc, line});
	}
}

static bool length_of_switch(struct cursor c, unsigned op, uint32_t pc, uint32_t *ret)
{
	uint32_t pad = 3 - pc % 4;
	take(&c, 1 + pad + 4);
	uint32_t low = number(&c, 4), high = op == OP_TABLESWITCH ? number(&c, 4) : 0;
	uint64_t body = op == OP_TABLESWITCH ? 8 + 4 * ((uint64_t)(high - low) + 1) : 4 + 8 * (uint64_t)low;
	if (c.bad || body > 65536)
		return false;
	*ret = 1 + pad + 4 + (uint32_t)body;
	return true;
}

/* Notes the line of the first use of constant `i`. */
static void use_constant(struct parser *p, uint32_t i, uint32_t line)
{
	if (i < p->npool && !p->pool[i].line)
		p->pool[i].line = line;
}

/* The constant strings on top of the stack, as far as they are known. */
struct strings {
	struct str top[2];
	unsigned n;
};

static void push_string(struct strings *s, struct str text)
{
	if (s->n == 2)
		s->top[0] = s->top[1];
	else
		s->n++;
	s->top[s->n - 1] = text;
}

static void add_call(struct parser *p, uint32_t i, const struct strings *s, uint32_t line)
{
	if (!s->n || !(constant(p, i, METHOD) || constant(p, i, INTERFACE_METHOD)))
		return;
	struct call call = {.call = {.owner = class_name(p, p->pool[i].a),
	                             .name = member_name(p, i),
	                             .args = {s->top[0], s->top[1]},
	                             .nargs = s->n,
	                             .line = line}};
	vec_push(&p->calls, call);
}

static const char *walk_code(struct parser *p, struct cursor code)
{
	const unsigned char *start = code.at;
	struct strings strings = {0};
	size_t next_line = 0;
	uint32_t line = 0;
	bool after_call = false; /* only a cast lies between the last call and here */
	while (code.at < code.end) {
		uint32_t pc = (uint32_t)(code.at - start), n;
		unsigned op = *code.at;
		while (next_line < p->lines.len && p->lines.ptr[next_line].pc <= pc)
			line = p->lines.ptr[next_line++].line;
		if (op == OP_TABLESWITCH || op == OP_LOOKUPSWITCH) {
			if (!length_of_switch(code, op, pc, &n))
				return "its code is damaged";
		} else if (op == OP_WIDE) {
			n = code.end - code.at > 1 && code.at[1] == OP_IINC ? 6 : 4;
		} else if (op >= OPCODES) {
			return "its code has an unknown instruction";
		} else {
			n = (uint32_t)(lengths[op] - '0');
		}
		struct cursor c = sub(&code, n);
		if (c.bad)
			return "its code is cut short";
		take(&c, 1);
		bool has_constant = op == OP_LDC || op == OP_LDC_W || (op >= OP_GETSTATIC && op <= 187) || op == 189 ||
		                    op == OP_CHECKCAST || op == 193 || op == 197;
		uint32_t i = !has_constant ? 0 : number(&c, op == OP_LDC ? 1 : 2);
		if (has_constant && op != OP_PUTSTATIC)
			use_constant(p, i, line);
		if ((op == OP_LDC || op == OP_LDC_W) && constant(p, i, STRING)) {
			push_string(&strings, utf8(p, p->pool[i].a));
			after_call = false;
			continue;
		}
		size_t before = p->calls.len;
		if (op == OP_INVOKESTATIC)
			add_call(p, i, &strings, line);
		if (op == OP_PUTSTATIC && after_call)
			vec_last(&p->calls).field = (uint16_t)i;
		after_call = p->calls.len > before || (after_call && op == OP_CHECKCAST);
		strings.n = 0;
	}
	return NULL;
}

static const char *read_code(struct parser *p, struct cursor c)
{
	take(&c, 4); /* stack and locals */
	struct cursor code = sub(&c, number(&c, 4));
	take(&c, 8 * (size_t)number(&c, 2)); /* handlers; their classes are in the pool like any other */
	uint32_t count = number(&c, 2);
	vec_clear(&p->lines);
	for (uint32_t i = 0; i < count && !c.bad; i++) {
		struct str name = utf8(p, number(&c, 2));
		struct cursor body = sub(&c, number(&c, 4));
		if (str_eqc(name, "LineNumberTable"))
			read_lines(p, body);
	}
	if (c.bad)
		return "a method's code is cut short";
	if (p->lines.len)
		qsort(p->lines.ptr, p->lines.len, sizeof(*p->lines.ptr), by_pc);
	return walk_code(p, code);
}

/* -- the whole -- */

static void add_ref(struct parser *p, struct map *seen, struct str owner, const struct constant *via)
{
	while (owner.len && *owner.ptr == '[')
		owner = str_drop(owner, 1);
	/* An array's class is named by a descriptor. */
	bool descriptor = owner.len && owner.ptr[owner.len - 1] == ';';
	if (descriptor)
		owner = str_slice(owner, 1, owner.len - 1);
	else if (via && via->text.len && owner.len == 1)
		return; /* an array of a primitive type */
	struct class_ref ref = {.owner = owner};
	if (via) {
		ref.line = via->line;
		ref.member = via->member ? member_name(p, via->member) : (struct str){0};
	}
	if (owner.len && !str_eq(owner, p->out->name) && map_add(seen, owner, p->out->refs.len, NULL))
		vec_push(&p->out->refs, ref);
}

static void add_descriptor(struct parser *p, struct map *seen, struct str d)
{
	while (d.len) {
		if (*d.ptr != 'L') {
			d = str_drop(d, 1);
			continue;
		}
		size_t end = str_find(d, ';');
		add_ref(p, seen, str_slice(d, 1, end), NULL);
		d = str_drop(d, MIN(end + 1, d.len));
	}
}

/* Fields or methods: their types are uses, their code is walked. */
static const char *read_members(struct parser *p, struct cursor *c, U32Vec *descriptors)
{
	const char *why = NULL;
	for (uint32_t n = number(c, 2); n && !c->bad && !why; n--) {
		take(c, 4);
		vec_push(descriptors, number(c, 2));
		for (uint32_t attributes = number(c, 2); attributes && !c->bad && !why; attributes--) {
			struct str name = utf8(p, number(c, 2));
			struct cursor body = sub(c, number(c, 4));
			if (!c->bad && str_eqc(name, "Code"))
				why = read_code(p, body);
		}
	}
	return why;
}

static void collect(struct parser *p, const U32Vec *descriptors)
{
	struct map seen = {0};
	/* A class is used where one of its members is. */
	for (uint32_t i = 1; i < p->npool; i++) {
		struct constant *k = &p->pool[i];
		if (k->tag != FIELD && k->tag != METHOD && k->tag != INTERFACE_METHOD)
			continue;
		struct constant *class = constant(p, k->a, CLASS) ? &p->pool[k->a] : NULL;
		bool first = class && k->line &&
		             (!class->line || k->line < class->line || (k->line == class->line && !class->member));
		if (first) {
			class->line = k->line;
			class->member = (uint16_t)i;
		}
	}
	for (uint32_t i = 1; i < p->npool; i++) {
		struct constant class = p->pool[i];
		if (class.tag != CLASS)
			continue;
		struct str name = utf8(p, class.a);
		class.text = name.len && *name.ptr == '[' ? name : (struct str){0};
		add_ref(p, &seen, name, &class);
	}
	for (uint32_t i = 1; i < p->npool; i++) {
		if (p->pool[i].tag == NAME_AND_TYPE)
			add_descriptor(p, &seen, utf8(p, p->pool[i].b));
		else if (p->pool[i].tag == METHOD_TYPE)
			add_descriptor(p, &seen, utf8(p, p->pool[i].a));
	}
	for (size_t i = 0; i < descriptors->len; i++)
		add_descriptor(p, &seen, utf8(p, descriptors->ptr[i]));
	map_release(&seen);
	for (size_t i = 0; i < p->calls.len; i++) {
		struct call *call = &p->calls.ptr[i];
		if (call->field && call->field < p->npool && p->pool[call->field].line)
			call->call.line = p->pool[call->field].line;
		vec_push(&p->out->calls, call->call);
	}
}

static const char *parse(struct parser *p, struct cursor c, U32Vec *descriptors)
{
	if (number(&c, 4) != 0xcafebabeu)
		return "it does not begin like one";
	take(&c, 4); /* version */
	const char *why = read_pool(p, &c);
	if (why)
		return why;
	take(&c, 2); /* access */
	p->out->name = class_name(p, number(&c, 2));
	p->out->super = class_name(p, number(&c, 2));
	take(&c, 2 * (size_t)number(&c, 2)); /* interfaces: in the pool */
	why = read_members(p, &c, descriptors);
	if (!why)
		why = read_members(p, &c, descriptors);
	for (uint32_t n = number(&c, 2); n && !c.bad && !why; n--) {
		struct str name = utf8(p, number(&c, 2));
		struct cursor body = sub(&c, number(&c, 4));
		if (str_eqc(name, "SourceFile"))
			p->out->source = utf8(p, number(&body, 2));
	}
	if (why)
		return why;
	if (c.bad)
		return "it is cut short";
	if (!p->out->name.len)
		return "it has no name";
	collect(p, descriptors);
	return NULL;
}

bool classfile_parse(struct str path, struct str bytes, struct classfile *ret, struct err *err)
{
	struct parser p = {.out = ret};
	U32Vec descriptors = {0};
	const unsigned char *start = (const unsigned char *)bytes.ptr;
	*ret = (struct classfile){0};
	const char *why = parse(&p, (struct cursor){start, start + bytes.len, false}, &descriptors);
	free(p.pool);
	vec_release(&p.calls);
	vec_release(&p.lines);
	vec_release(&descriptors);
	if (!why)
		return true;
	classfile_release(ret);
	return err_set(err, ERR_USER, "\"%.*s\" is not a class file that can be read: %s", STR_ARG(path), why);
}

void classfile_release(struct classfile *c)
{
	vec_release(&c->refs);
	vec_release(&c->calls);
}
