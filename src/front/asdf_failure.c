/* Why ASDF could not describe systems, as an error. */
#include "front/asdf.h"

static void note_names(struct err *err, const char *intro, const char *between, const struct sexp *list)
{
	if (!sexp_list_len(list))
		return;
	struct buf b = {0};
	for (uint32_t i = 0; i < list->len; i++)
		buf_addf(&b, "%s\"%.*s\"", i ? between : "", STR_ARG(sexp_text(list->items[i])));
	err_note(err, "%s%s", intro, buf_cstr(&b));
	buf_release(&b);
}

bool front_asdf_failure(const struct sexp *form, struct err *err)
{
	const struct sexp *kind = sexp_getf(form, 1, "kind");
	struct str message = sexp_text(sexp_getf(form, 1, "message"));
	const struct sexp *cycle = sexp_getf(form, 1, "cycle");
	if (sexp_is_keyword(kind, "missing-system")) {
		struct str name = sexp_text(sexp_getf(form, 1, "name"));
		err_set(err, ERR_USER, "system \"%.*s\" is not to be found", STR_ARG(name));
		note_names(err, "it is required by ", ", which is required by ", sexp_getf(form, 1, "required-by"));
		note_names(err, "did you mean ", " or ", sexp_getf(form, 1, "near"));
		err_note(err, "systems are looked for in this directory, CL_SOURCE_REGISTRY, ASDF's source registry, "
		              "quicklisp, qlot, ocicl and ~/common-lisp; `tenon doctor` lists the folders");
	} else if (sexp_is_keyword(kind, "cycle") && sexp_list_len(cycle)) {
		struct buf b = {0};
		for (uint32_t i = 0; i < cycle->len; i++)
			buf_addf(&b, "%s%.*s", i ? " → " : "", STR_ARG(sexp_text(cycle->items[i])));
		err_set(err, ERR_USER, "circular dependency: %s", buf_cstr(&b));
		buf_release(&b);
		const struct sexp *files = sexp_getf(form, 1, "files");
		for (uint32_t i = 0; i + 1 < cycle->len && i < sexp_list_len(files); i++)
			err_note(err, "\"%.*s\" depends on \"%.*s\": see \"%.*s\"", STR_ARG(sexp_text(cycle->items[i])),
			         STR_ARG(sexp_text(cycle->items[i + 1])), STR_ARG(sexp_text(files->items[i])));
	} else {
		err_set(err, ERR_USER, "%.*s", STR_ARG(message));
		note_names(err, "it is required by ", ", which is required by ", sexp_getf(form, 1, "required-by"));
	}
	note_names(err, "left out: ", ", ", sexp_getf(form, 1, "left-out"));
	/* What only warned before lies somewhere else. */
	const struct sexp *diags = sexp_getf(form, 1, "diagnostics");
	for (uint32_t i = 0; i < sexp_list_len(diags); i++) {
		const struct sexp *d = diags->items[i];
		if (!sexp_is_keyword(sexp_getf(d, 1, "severity"), "error"))
			continue;
		err_at(err, sexp_text(sexp_getf(d, 1, "file")), (uint32_t)sexp_int(sexp_getf(d, 1, "line"), 0),
		       (uint32_t)sexp_int(sexp_getf(d, 1, "column"), 0), (struct str){0});
		break;
	}
	return false;
}
