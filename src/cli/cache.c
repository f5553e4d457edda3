/* cache stat, verify, gc: what the store holds, for people and for programs. */
#include <stdio.h>

#include "cli/commands.h"
#include "wire/json.h"

#define SECONDS_PER_DAY   86400
#define DEFAULT_MAX_BYTES ((uint64_t)10 << 30)

static void print_bytes(const char *what, uint64_t count, uint64_t bytes)
{
	printf("%s: %llu, %.1f MiB\n", what, (unsigned long long)count, (double)bytes / 1048576);
}

static void put_number(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_int(j, (int64_t)n);
}

static void put_stats(struct json *j, const struct store_stats *st)
{
	put_number(j, "files", st->blobs);
	put_number(j, "file_bytes", st->blob_bytes);
	put_number(j, "actions", st->actions);
	put_number(j, "action_bytes", st->action_bytes);
	put_number(j, "unfinished_files", st->tmp_files);
}

/* One object, on a line of its own. */
static void begin(struct json *j, const struct session *s)
{
	json_object(j);
	json_key(j, "store");
	json_strz(j, store_root(s->store));
}

static void end(struct json *j)
{
	json_end(j);
	printf("%.*s\n", (int)j->out->len, j->out->ptr);
	buf_release(j->out);
}

static bool stat_store(struct session *s, bool as_json, struct err *err)
{
	struct store_stats st;
	if (!store_stat(s->store, &st, err))
		return false;
	if (as_json) {
		struct buf text = {0};
		struct json j = {.out = &text};
		begin(&j, s);
		put_stats(&j, &st);
		end(&j);
		return true;
	}
	printf("store: %s\n", store_root(s->store));
	print_bytes("files", st.blobs, st.blob_bytes);
	print_bytes("actions", st.actions, st.action_bytes);
	if (st.tmp_files)
		printf("unfinished files: %llu\n", (unsigned long long)st.tmp_files);
	return true;
}

static void tell_verified(const struct session *s, const struct store_verify_report *r, bool as_json)
{
	if (as_json) {
		struct buf text = {0};
		struct json j = {.out = &text};
		begin(&j, s);
		put_number(&j, "checked", r->checked);
		put_number(&j, "bytes", r->bytes);
		put_number(&j, "corrupt", r->corrupt);
		put_number(&j, "dangling", r->dangling);
		json_key(&j, "problems");
		json_array(&j);
		for (size_t i = 0; i < r->problems.len; i++)
			json_str(&j, r->problems.ptr[i]);
		json_end(&j);
		end(&j);
		return;
	}
	for (size_t i = 0; i < r->problems.len; i++)
		printf("%.*s\n", STR_ARG(r->problems.ptr[i]));
	printf("%llu entries, %.1f MiB checked: %llu corrupt (removed), %llu dangling\n",
	       (unsigned long long)r->checked, (double)r->bytes / 1048576, (unsigned long long)r->corrupt,
	       (unsigned long long)r->dangling);
}

static bool verify(struct cli *cli, struct session *s, bool as_json, int *ret_code, struct err *err)
{
	struct store_verify_report r = {0};
	if (!store_verify(s->store, &cli->arena, &r, err))
		return false;
	tell_verified(s, &r, as_json);
	*ret_code = r.corrupt ? err_exit_code(ERR_ENVIRONMENT) : 0;
	vec_release(&r.problems);
	return true;
}

static bool gc(struct cli *cli, struct session *s, bool as_json, struct err *err)
{
	const struct options *o = &cli->options;
	struct store_stats removed = {0};
	uint64_t max_bytes = o->max_size ? o->max_size : DEFAULT_MAX_BYTES;
	unsigned days = (unsigned)((o->max_age_s + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY);
	if (!store_gc(s->store, max_bytes, days, &removed, err))
		return false;
	if (as_json) {
		struct buf text = {0};
		struct json j = {.out = &text};
		begin(&j, s);
		json_key(&j, "removed");
		json_object(&j);
		put_stats(&j, &removed);
		json_end(&j);
		end(&j);
		return true;
	}
	print_bytes("removed files", removed.blobs, removed.blob_bytes);
	print_bytes("removed actions", removed.actions, removed.action_bytes);
	return true;
}

/* The options know no other words for it, nor other formats than three. */
static bool carry_out(struct cli *cli, struct session *s, int *ret_code, struct err *err)
{
	struct str what = cli->options.args.len ? cli->options.args.ptr[0] : (struct str){0};
	bool as_json = cli->options.format == FORMAT_JSON;
	if (cli->options.format == FORMAT_DOT)
		return err_set(err, ERR_USER, "cache has no graph to print: --format text or json");
	if (!session_init(s, &cli->build, &cli->events.sink, err) || !store_open(s->store_dir, &s->store, err))
		return false;
	if (str_eqc(what, "stat"))
		return stat_store(s, as_json, err);
	if (str_eqc(what, "verify"))
		return verify(cli, s, as_json, ret_code, err);
	if (str_eqc(what, "gc"))
		return gc(cli, s, as_json, err);
	err_set(err, ERR_USER, "cache takes stat, verify or gc, not \"%.*s\"", STR_ARG(what));
	err_note(err, "`tenon help cache` says what they do");
	return false;
}

int command_cache(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct err err = {0};
	int code = 0;
	if (!carry_out(cli, &s, &code, &err))
		code = cli_fail(cli, &err);
	session_close(&s);
	return code;
}
