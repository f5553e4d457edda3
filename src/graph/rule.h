/* rule.h - the built-in rules and their attributes: one table.
 *
 * What a target may say and must say is data. Readers of targets check against it, messages take names from it, and
 * docs/TARGETS.md is held to it by a test. What a rule does is the business of rules/. */
#ifndef TENON_GRAPH_RULE_H
#define TENON_GRAPH_RULE_H

#include "graph/target.h"

enum attr_flag {
	ATTR_REQUIRED = 1,
	ATTR_ONE_OF = 2,  /* exactly one of the attributes with this flag must be there */
	ATTR_OUTPUT = 4,  /* names files that the target writes, relative to its package */
	ATTR_ONE_OUT = 8, /* as ATTR_ONE_OF, a second group */
};

struct attr_schema {
	struct str name; /* without the colon */
	enum attr_type type;
	unsigned flags;
	struct str doc; /* one line */
};

struct rule_schema {
	struct str name;
	struct str doc;
	const struct attr_schema *attrs; /* its own; rule_common holds what all rules have */
	uint32_t nattrs;
	/* What it writes where no attribute says so: the target's name with this behind it. NULL ptr: nothing. */
	struct str default_out;
	bool is_test;   /* `test` runs it */
	bool is_binary; /* `run` runs it */
};

extern const struct rule_schema rule_table[];
extern const uint32_t rule_table_len;
/* Attributes of every rule: name, deps, visibility, tags, doc. */
extern const struct attr_schema rule_common[];
extern const uint32_t rule_common_len;
/* The form `action` of a workspace's own rule, with the attributes of a genrule. Not in rule_table. */
extern const struct rule_schema rule_action_schema;

const struct rule_schema *rule_find(struct str name);                              /* NULL if there is none */
const struct attr_schema *rule_attr(const struct rule_schema *r, struct str name); /* its own or common; or NULL */

#endif
