#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store_impl.h"

#define RESULT_LINE "tenon-result 1\n"
#define TEXT_LINE   "tenon-text 1\n"
#define SUM_LEN     (4 + DIGEST_HEX + 1) /* "sum HEX\n" */
#define TOUCH_S     3600

/* -- writing -- */

static void put_head(struct buf *b, const char *first, const struct digest *key)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(key, hex);
	buf_addf(b, "%skey %s\n", first, hex);
}

static void put_counted(struct buf *b, const char *name, struct str s)
{
	buf_addf(b, "%s %zu\n", name, s.len);
	buf_adds(b, s);
	buf_addc(b, '\n');
}

static bool put_entry(struct store *s, const struct digest *key, struct buf *b, struct err *err)
{
	char hex[DIGEST_HEX + 1], name[ENTRY_NAME];
	struct digest sum = digest_of(buf_str(b));
	digest_hex(&sum, hex);
	buf_addf(b, "sum %s\n", hex);
	entry_name(key, name);
	bool ok = entry_write(s, s->ac, name, buf_str(b), 0644);
	if (!ok)
		err_sys(err, ERR_ENVIRONMENT, "cannot write to the store \"%s\"", s->root);
	buf_release(b);
	return ok;
}

static int by_path(const void *x, const void *y)
{
	const struct result_output *const *a = x, *const *b = y;
	return str_cmp((*a)->path, (*b)->path);
}

static void put_outputs(struct buf *b, const struct action_result *r)
{
	const struct result_output **sorted = xmalloc(MAX(r->noutputs, 1) * sizeof(struct result_output *));
	for (size_t i = 0; i < r->noutputs; i++)
		sorted[i] = &r->outputs[i];
	qsort(sorted, r->noutputs, sizeof(*sorted), by_path);
	for (size_t i = 0; i < r->noutputs; i++) {
		const struct result_output *o = sorted[i];
		char hex[DIGEST_HEX + 1];
		digest_hex(&o->digest, hex);
		buf_addf(b, "output %s %llu %o %zu ", hex, (unsigned long long)o->size, o->mode, o->path.len);
		buf_adds(b, o->path);
		buf_addc(b, '\n');
	}
	free(sorted);
}

bool store_put_action(struct store *s, const struct digest *key, const struct action_result *r, struct err *err)
{
	struct buf b = {0};
	put_head(&b, RESULT_LINE, key);
	put_counted(&b, "label", r->label);
	buf_addf(&b, "cpu-ns %llu\nwall-ns %llu\n", (unsigned long long)r->cpu_ns, (unsigned long long)r->wall_ns);
	put_outputs(&b, r);
	put_counted(&b, "diagnostics", r->diagnostics);
	put_counted(&b, "facts", r->facts);
	return put_entry(s, key, &b, err);
}

bool store_put_text(struct store *s, const struct digest *key, struct str text, struct err *err)
{
	struct buf b = {0};
	put_head(&b, TEXT_LINE, key);
	put_counted(&b, "text", text);
	return put_entry(s, key, &b, err);
}

/* -- parsing: each takes what it names from the front of *rest, or fails -- */

static bool take(struct str *rest, struct str what)
{
	if (!str_has_prefix(*rest, what))
		return false;
	*rest = str_drop(*rest, what.len);
	return true;
}

/* Digits of a base up to `end`. */
static bool take_number(struct str *rest, unsigned base, char end, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;
	for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] < (char)('0' + base); i++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(rest->ptr[i] - '0'), &v))
			return false;
	if (i == 0 || i == rest->len || rest->ptr[i] != end)
		return false;
	*rest = str_drop(*rest, i + 1);
	*ret = v;
	return true;
}

static bool take_digest(struct str *rest, char end, struct digest *ret)
{
	if (rest->len <= DIGEST_HEX || rest->ptr[DIGEST_HEX] != end || !digest_parse(str_n(rest->ptr, DIGEST_HEX), ret))
		return false;
	*rest = str_drop(*rest, DIGEST_HEX + 1);
	return true;
}

/* `n` bytes and a newline. */
static bool take_bytes(struct str *rest, uint64_t n, struct str *ret)
{
	if (n >= rest->len || rest->ptr[n] != '\n')
		return false;
	*ret = str_n(rest->ptr, n);
	*rest = str_drop(*rest, n + 1);
	return true;
}

static bool take_counted(struct str *rest, struct str name, struct str *ret)
{
	uint64_t n;
	return take(rest, name) && take_number(rest, 10, '\n', &n) && take_bytes(rest, n, ret);
}

enum entry_kind entry_open(struct str all, const struct digest *key, struct str *ret_body)
{
	struct digest sum, named;
	if (all.len < SUM_LEN)
		return ENTRY_BAD;
	struct str body = str_n(all.ptr, all.len - SUM_LEN), tail = str_drop(all, all.len - SUM_LEN);
	if (!take(&tail, STR("sum ")) || !take_digest(&tail, '\n', &sum))
		return ENTRY_BAD;
	struct digest real = digest_of(body);
	enum entry_kind kind = take(&body, STR(RESULT_LINE)) ? ENTRY_RESULT
	                       : take(&body, STR(TEXT_LINE)) ? ENTRY_TEXT
	                                                     : ENTRY_BAD;
	if (!digest_eq(&sum, &real) || !take(&body, STR("key ")) || !take_digest(&body, '\n', &named) ||
	    !digest_eq(&named, key))
		return ENTRY_BAD;
	*ret_body = body;
	return kind;
}

static bool take_output(struct str *rest, struct result_output *ret)
{
	uint64_t mode, len;
	if (!take_digest(rest, ' ', &ret->digest) || !take_number(rest, 10, ' ', &ret->size) ||
	    !take_number(rest, 8, ' ', &mode) || !take_number(rest, 10, ' ', &len) ||
	    !take_bytes(rest, len, &ret->path) || mode > UINT32_MAX)
		return false;
	ret->mode = (uint32_t)mode;
	return true;
}

bool result_parse(struct arena *a, struct str body, struct action_result *ret)
{
	struct action_result r = {0};
	if (!take_counted(&body, STR("label "), &r.label) || !take(&body, STR("cpu-ns ")) ||
	    !take_number(&body, 10, '\n', &r.cpu_ns) || !take(&body, STR("wall-ns ")) ||
	    !take_number(&body, 10, '\n', &r.wall_ns))
		return false;
	Vec(struct result_output) outputs = {0};
	bool ok = true;
	while (ok && take(&body, STR("output "))) {
		struct result_output o = {0};
		ok = take_output(&body, &o);
		vec_push(&outputs, o);
	}
	ok = ok && take_counted(&body, STR("diagnostics "), &r.diagnostics) &&
	     take_counted(&body, STR("facts "), &r.facts) && body.len == 0;
	if (ok) {
		r.noutputs = outputs.len;
		r.outputs = arena_new_n(a, struct result_output, outputs.len);
		if (outputs.len)
			memcpy(r.outputs, outputs.ptr, outputs.len * sizeof(*outputs.ptr));
		*ret = r;
	}
	vec_release(&outputs);
	return ok;
}

/* -- reading -- */

/* *ret_all lives in `a`, and is NUL-terminated behind its end; {NULL,0} if the entry is absent. */
static bool load(struct store *s, struct arena *a, const char *name, struct str *ret_all, struct err *err)
{
	struct stat st;
	int fd = openat(s->ac, name, O_RDONLY | O_CLOEXEC);
	*ret_all = (struct str){0};
	if (fd < 0 && errno == ENOENT)
		return true;
	bool ok = fd >= 0 && fstat(fd, &st) == 0;
	ssize_t n = 0;
	if (ok) {
		char *p = arena_bytes(a, (size_t)st.st_size + 1);
		while ((n = read(fd, p, (size_t)st.st_size)) < 0 && errno == EINTR)
			continue;
		p[MAX(n, 0)] = 0;
		*ret_all = str_n(p, (size_t)MAX(n, 0));
		if (n >= 0 && st.st_mtime < time(NULL) - TOUCH_S)
			futimens(fd, NULL);
	}
	if (!ok || n < 0)
		ok = err_sys(err, ERR_ENVIRONMENT, "cannot read \"%s/ac/%s\"", s->root, name);
	if (fd >= 0)
		close(fd);
	return ok;
}

bool store_get_action(struct store *s, struct arena *a, const struct digest *key, bool require_outputs,
                      struct action_result *ret, bool *ret_found, struct err *err)
{
	char name[ENTRY_NAME];
	struct str all, body;
	struct action_result r;
	entry_name(key, name);
	if (!load(s, a, name, &all, err))
		return false;
	*ret_found = false;
	if (!all.ptr)
		return true;
	if (entry_open(all, key, &body) != ENTRY_RESULT || !result_parse(a, body, &r)) {
		unlinkat(s->ac, name, 0);
		return true;
	}
	for (size_t i = 0; require_outputs && i < r.noutputs; i++)
		if (!store_has(s, &r.outputs[i].digest, r.outputs[i].size))
			return true;
	*ret = r;
	*ret_found = true;
	return true;
}

bool store_get_text(struct store *s, const struct digest *key, struct buf *out, bool *ret_found, struct err *err)
{
	char name[ENTRY_NAME];
	struct str all, body, text;
	struct arena a = {0};
	entry_name(key, name);
	bool ok = load(s, &a, name, &all, err);
	bool found = ok && all.ptr && entry_open(all, key, &body) == ENTRY_TEXT &&
	             take_counted(&body, STR("text "), &text) && body.len == 0;
	if (found)
		buf_adds(out, text);
	else if (ok && all.ptr)
		unlinkat(s->ac, name, 0);
	arena_release(&a);
	if (ok)
		*ret_found = found;
	return ok;
}
