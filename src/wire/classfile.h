/* classfile.h - what a Java class file refers to: classes, and static calls with constant strings.
 *
 *     struct classfile c = {0};
 *     if (classfile_parse(path, bytes, &c, err))
 *             ... c.refs, c.calls ...
 *     classfile_release(&c);
 *
 * Names are the virtual machine's: "clojure/lang/RT", inner classes with '$', arrays reduced to what they are arrays
 * of. Texts are modified UTF-8 as in the file, and point into `bytes`. The format: The Java Virtual Machine
 * Specification, chapter 4; any version up to today's is read, since new ones only add kinds of constants. */
#ifndef TENON_WIRE_CLASSFILE_H
#define TENON_WIRE_CLASSFILE_H

#include "base/err.h"
#include "base/vec.h"

/* A class that the file names: in code, in the types of its members, or as its super class. */
struct class_ref {
	struct str owner;
	struct str member; /* of the first instruction that uses the class; may be empty */
	uint32_t line;     /* of that instruction; 0 where the file has no line numbers for it */
};

/* A static call whose last arguments are constant strings: RT.var("ns", "name"), Class.forName("a.B"). */
struct class_call {
	struct str owner, name;
	struct str args[2]; /* the last ones, in order; with nargs 1 only args[0] */
	unsigned nargs;
	/* Where the value is used first, when it was kept in a static field (Clojure's constants are), else where the
	 * call is; 0: unknown. */
	uint32_t line;
};

struct classfile {
	struct str name, super, source; /* source: "core.clj", or empty */
	Vec(struct class_ref) refs;     /* each class once, in the order of the constant pool; not the class itself */
	Vec(struct class_call) calls;   /* in the order of the code */
};

/* `path` is for errors: ERR_USER, and nothing is left in *ret. */
bool classfile_parse(struct str path, struct str bytes, struct classfile *ret, struct err *err);
void classfile_release(struct classfile *c);

#endif
