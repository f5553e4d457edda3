/* Rules for Common Lisp. A target becomes a system of ASDF's, which is built like any other; programs and tests are
 * made with what that gives. Words, read by build/lisp_executor.c:
 *
 *     build SYSTEM [NAME TEXT]...         .asd files; @ROOT@ and @OUT@ in them are folders, the latter relative
 *     save FUNCTION PATH [--compress]
 *     test FORM */
#include "lang/sexp.h"
#include "os/fs.h"
#include "rules/target_impl.h"

/* "//app/ui:words" is the system "words@app.ui". */
static struct str system_name(const struct rule_context *c)
{
	struct str dir = target_dir(c->an->table, c->id);
	char *name = str_dupz(c->arena, str_fmt(c->arena, "%.*s@%.*s", STR_ARG(c->target->name), STR_ARG(dir)));
	for (char *p = name; *p; p++)
		*p = *p == '/' ? '.' : *p >= 'A' && *p <= 'Z' ? (char)(*p | 32) : *p;
	return str_from(name);
}

static void add_string(struct buf *out, struct str s)
{
	sexp_print_string(s, out);
	buf_addc(out, ' ');
}

static void add_depends(struct rule_context *c, struct buf *out)
{
	const struct attr *deps = target_attr(c->target, "deps"), *systems = target_attr(c->target, "systems");
	buf_addz(out, "  :depends-on (");
	for (uint32_t i = 0; deps && i < deps->len; i++)
		if (rule_products(c, deps->labels[i])->lisp_system.len)
			add_string(out, rule_products(c, deps->labels[i])->lisp_system);
	for (uint32_t i = 0; systems && i < systems->len; i++)
		add_string(out, systems->strings[i]);
	buf_addz(out, ")\n");
}

static void add_component(struct buf *out, const char *kind, const struct target_file_ref *f)
{
	struct str stem = f->path;
	if (str_has_suffix(stem, STR(".lisp")))
		stem.len -= 5;
	buf_addf(out, "   (:%s ", kind);
	add_string(out, stem);
	buf_addf(out, ":pathname #p\"%s%.*s\")\n", f->producer == NO_ID ? "" : "@OUT@/", STR_ARG(f->path));
}

/* Each file sees those before it, if they are to be taken in order, and what the target depends on. */
static struct str definition(struct rule_context *c, struct str name, const FileRefVec *srcs, const FileRefVec *data)
{
	struct buf b = {0};
	const struct attr *features = target_attr(c->target, "features");
	buf_addz(&b, "(asdf:defsystem ");
	sexp_print_string(name, &b);
	buf_addz(&b, "\n  :pathname #p\"@ROOT@/\"\n");
	add_depends(c, &b);
	if (target_bool(c->target, "serial", false))
		buf_addz(&b, "  :serial t\n");
	if (features && features->len) {
		buf_addz(&b, "  :around-compile \"(lambda (compile) (let ((*features* (list*");
		for (uint32_t i = 0; i < features->len; i++)
			buf_addf(&b, " :%.*s", STR_ARG(features->strings[i]));
		buf_addz(&b, " *features*))) (funcall compile)))\"\n");
	}
	buf_addz(&b, "  :components (\n");
	for (size_t i = 0; i < data->len; i++)
		add_component(&b, "static-file", &data->ptr[i]);
	for (size_t i = 0; i < srcs->len; i++)
		add_component(&b, "file", &srcs->ptr[i]);
	buf_addz(&b, "  ))\n");
	struct str ret = str_dup(c->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

static void add_definition(StrVec *out, struct str name, struct str text)
{
	for (size_t i = 0; i < out->len; i += 2)
		if (str_eq(out->ptr[i], name))
			return;
	vec_push(out, name);
	vec_push(out, text);
}

static void take_deps(struct rule_context *c, struct target_action *t)
{
	const struct attr *deps = target_attr(c->target, "deps");
	for (uint32_t i = 0; deps && i < deps->len; i++) {
		const struct target_products *p = rule_products(c, deps->labels[i]);
		if (!p->lisp_system.len)
			continue;
		vec_push(&t->after, p->lisp_build);
		for (size_t k = 0; k < p->lisp_definitions.len; k += 2)
			add_definition(&c->products->lisp_definitions, p->lisp_definitions.ptr[k],
			               p->lisp_definitions.ptr[k + 1]);
	}
}

/* "app/words.session": what loads the system. */
static action_id build_system(struct rule_context *c, struct str name, struct str asd, const FileRefVec *inputs)
{
	struct str dir = target_dir(c->an->table, c->id);
	action_id id = rule_action_new(c, "lisp", "lisp", str_eqc(c->target->rule, "lisp-library") ? "" : "build");
	struct target_action *t = rule_action_get(c, id);
	t->always = true;
	vec_push(&t->argv, STR("build"));
	vec_push(&t->argv, name);
	if (asd.len)
		add_definition(&c->products->lisp_definitions, name, asd);
	for (size_t i = 0; i < inputs->len; i++)
		target_add_input(t, inputs->ptr[i]);
	take_deps(c, t);
	const StrVec *all = &c->products->lisp_definitions;
	for (size_t i = 0; i < all->len; i++)
		vec_push(&t->argv, all->ptr[i]);
	rule_output(c, id,
	            str_fmt(c->arena, "%.*s%s%.*s.session", STR_ARG(dir), dir.len ? "/" : "", STR_ARG(c->target->name)),
	            false);
	c->products->lisp_system = name;
	c->products->lisp_build = id;
	return id;
}

static bool check_lisp(struct rule_context *c, struct err *err)
{
	const struct attr *lisp = target_attr(c->target, "lisp");
	if (!lisp || str_eqc(target_string(c->target, "lisp", STR("sbcl")), "sbcl"))
		return true;
	return rule_err(c, lisp, err, "this Lisp is not known here; sbcl is");
}

static bool define(struct rule_context *c, action_id *ret, struct err *err)
{
	FileRefVec srcs = {0}, data = {0};
	if (!check_lisp(c, err))
		return false;
	rule_files(c, target_attr(c->target, "srcs"), &srcs);
	rule_files(c, target_attr(c->target, "data"), &data);
	struct str name = system_name(c), asd = definition(c, name, &srcs, &data);
	rule_add_files(&srcs, &data);
	*ret = build_system(c, name, asd, &srcs);
	vec_release(&srcs);
	vec_release(&data);
	return true;
}

bool rule_lisp_library(struct rule_context *c, struct err *err)
{
	action_id id;
	return define(c, &id, err);
}

bool rule_asdf_system(struct rule_context *c, struct err *err)
{
	const FileRefVec nothing = {0};
	if (!check_lisp(c, err))
		return false;
	build_system(c, target_string(c->target, "system", c->target->name), (struct str){0}, &nothing);
	return true;
}

static struct target_action *with_session(struct rule_context *c, action_id built, const char *mnemonic,
                                          const char *step, action_id *ret)
{
	action_id id = *ret = rule_action_new(c, mnemonic, "lisp", step);
	struct target_action *t = rule_action_get(c, id);
	struct str session = rule_action_get(c, built)->outputs.ptr[0].path;
	target_add_input(t, (struct target_file_ref){.path = session, .producer = built});
	return t;
}

bool rule_lisp_binary(struct rule_context *c, struct err *err)
{
	action_id built, id;
	if (!define(c, &built, err))
		return false;
	struct target_action *t = with_session(c, built, "lisp-binary", "", &id);
	vec_push(&t->argv, STR("save"));
	vec_push(&t->argv, target_string(c->target, "main", (struct str){0}));
	vec_push(&t->argv, rule_out(c, 0));
	if (target_bool(c->target, "compression", false))
		vec_push(&t->argv, STR("--compress"));
	vec_push(&t->outputs, ((struct target_output){.path = rule_out(c, 0), .executable = true}));
	struct target_file_ref program = {.path = rule_out(c, 0), .producer = id};
	rule_add_file(&c->products->files, program);
	vec_push(&c->products->run.words, target_command_file(c->arena, &c->products->run, program));
	return true;
}

bool rule_lisp_test(struct rule_context *c, struct err *err)
{
	action_id built, id;
	if (!define(c, &built, err))
		return false;
	if (!c->an->tools->want_tests)
		return true;
	struct target_action *t = with_session(c, built, "lisp-test", "test", &id);
	t->is_test = true;
	t->timeout_s = (unsigned)target_int(c->target, "timeout", 300);
	rule_environment_attr(c->arena, &t->env, target_attr(c->target, "env"));
	vec_push(&t->argv, STR("test"));
	vec_push(&t->argv, target_string(c->target, "run", (struct str){0}));
	FileRefVec data = {0};
	rule_files(c, target_attr(c->target, "data"), &data);
	for (size_t i = 0; i < data.len; i++)
		target_add_input(t, data.ptr[i]);
	vec_release(&data);
	vec_push(&c->products->tests, id);
	return true;
}
