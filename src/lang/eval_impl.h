/* eval_impl.h - what the evaluator and its built-in functions share. For src/lang/ only. */
#ifndef TENON_LANG_EVAL_IMPL_H
#define TENON_LANG_EVAL_IMPL_H

#include "lang/eval.h"

/* Local names, innermost first; closures hold on to them. */
struct scope {
	const struct scope *up;
	struct str name;
	struct value value;
};

struct function {
	struct str name;           /* "fn" where it has none */
	const struct sexp *params; /* a vector */
	struct sexp *const *body;
	uint32_t nbody;
	const struct scope *scope;
	struct module *module; /* where its free names are looked up */
	uint32_t file;
	struct place place;
};

/* A call: for messages. */
struct call {
	const char *name;
	struct place place; /* of the form */
};

struct builtin {
	const char *name;
	int8_t min, max; /* number of arguments; max -1: any */
	bool (*f)(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret);
};

/* A form whose arguments are not evaluated first. */
typedef bool special_form(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret);
struct special {
	const char *name;
	special_form *f;
};

/* Tables of functions; end with a NULL name. */
extern const struct builtin builtins_core[], builtins_text[], builtins_seq[], builtins_build[];

/* False, with the error "steps are used up", when there are no `n` left. */
bool eval_charge(struct eval *ev, struct place p, uint64_t n);
bool eval_fail(struct eval *ev, struct place p, const char *fmt, ...) PRINTF_LIKE(3, 4); /* false */
/* Calls a function, built-in function, rule or keyword. */
bool eval_apply(struct eval *ev, struct value f, const struct value *args, uint32_t n, struct place p,
                struct value *ret);
/* "NAME wants WHAT, not KIND: VALUE", at the argument or, if that has no place, at the call. False. */
bool eval_wants(struct eval *ev, const struct call *c, struct value got, const char *what);
/* Refuses what is nested too deep. */
bool eval_make_list(struct eval *ev, struct place p, const struct value *items, uint32_t n, struct value *ret);
bool eval_make_map(struct eval *ev, struct place p, const struct value *pairs, uint32_t n, struct value *ret);
/* A string of its own in the arena; costs steps. */
bool eval_make_string(struct eval *ev, struct place p, struct str s, struct value *ret);
/* A growing array of values in plain memory becomes a list in the arena. */
typedef Vec(struct value) Values;
bool eval_take_list(struct eval *ev, struct place p, const Values *items, struct value *ret);
/* Keys of maps are strings, keywords, integers and booleans. */
bool eval_check_key(struct eval *ev, struct place p, struct value key);
/* The map with `key` set to `value`. */
bool eval_map_put(struct eval *ev, struct place p, struct value map, struct value key, struct value value,
                  struct value *ret);

/* -- eval.c -- */

struct place eval_place(const struct eval *ev, const struct sexp *s);
bool eval_note(struct eval *ev, const char *fmt, ...) PRINTF_LIKE(2, 3); /* adds to the error; false */
bool eval_form(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret);

/* -- eval_bind.c -- */

/* A symbol that may be a name; `what` is for the message. */
bool eval_check_name(struct eval *ev, const struct sexp *s, const char *what);
/* Binds the names of pattern `p`, a symbol, vector or map, to the parts of `v`. */
bool eval_bind(struct eval *ev, const struct scope **scope, const struct sexp *p, struct value v);
/* As for a vector [a b & rest] and its items. `what` is the name of the function whose parameters they are, or empty.
 */
bool eval_bind_vector(struct eval *ev, const struct scope **scope, const struct sexp *p, const struct value *items,
                      uint32_t n, struct place place, struct str what);

/* -- eval_special.c -- */

const struct special *eval_find_special(struct str name); /* NULL if it is none */
bool eval_body(struct eval *ev, const struct scope *scope, struct sexp *const *forms, uint32_t n, struct place p,
               struct value *ret);
/* "expected SHAPE", at the form. False. */
bool eval_wants_form(struct eval *ev, const struct sexp *s, const char *shape);
/* A function whose parameters are item `params` of form `s`, and whose body follows them. */
bool eval_make_function(struct eval *ev, const struct scope *scope, struct str name, const struct sexp *s,
                        uint32_t params, struct value *ret);

/* -- eval_top.c -- */

/* Evaluates one form of a file. */
bool eval_top(struct eval *ev, const struct sexp *s, eval_declare *declare, void *ctx);

#endif
