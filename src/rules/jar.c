/* jar.c - writing what jar_plan found: archives' entries as they are, the rest packed in several threads. */
#include "rules/jar.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "os/fs.h"
#include "rules/jar_plan.h"

/* Members are prepared in batches, so that only this many are held in memory at once. */
#define BATCH   1024u
#define THREADS 64u

struct prepared {
	struct buf packed;
	struct zip_piece piece;
	struct err err;
	bool ok;
};

struct batch {
	const struct jar_plan *plan;
	const struct jar_member *members;
	struct prepared *results;
	size_t n;
	atomic_size_t next;
};

static bool prepare(const struct jar_plan *p, const struct jar_member *m, struct buf *scratch, struct prepared *ret)
{
	const struct jar_source *s = &p->sources.ptr[m->input];
	buf_clear(scratch);
	if (m->entry) {
		const struct zip_entry *e = m->entry;
		ret->piece = (struct zip_piece){e->packed, e->size, e->crc, e->method};
		return s->input->trusted || zip_read(&s->zip, e, scratch, &ret->err);
	}
	if (!jar_member_read(p, m, scratch, &ret->err))
		return false;
	zip_pack(buf_str(scratch), ZIP_LEVEL, &ret->packed, &ret->piece);
	return true;
}

static void *work(void *ctx)
{
	struct batch *b = ctx;
	struct buf scratch = {0};
	size_t i;
	while ((i = atomic_fetch_add(&b->next, 1)) < b->n)
		b->results[i].ok = prepare(b->plan, &b->members[i], &scratch, &b->results[i]);
	buf_release(&scratch);
	return NULL;
}

static void prepare_batch(struct batch *b, unsigned threads)
{
	pthread_t ids[THREADS];
	unsigned started = 0;
	/* A thread that can't be had is done without. */
	for (unsigned i = 1; i < MIN(threads, THREADS) && i < b->n; i++)
		if (pthread_create(&ids[started], NULL, work, b) == 0)
			started++;
	work(b);
	for (unsigned i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
}

/* -- the file -- */

struct output {
	int fd;
	const char *path;
	struct buf pending;
};

static bool write_all(struct output *o, struct str bytes, struct err *err)
{
	while (bytes.len) {
		ssize_t n = write(o->fd, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, ERR_USER, "cannot write \"%s\"", o->path);
		bytes = str_drop(bytes, (size_t)n);
	}
	return true;
}

static bool flush(struct output *o, struct err *err)
{
	bool ok = write_all(o, buf_str(&o->pending), err);
	buf_clear(&o->pending);
	return ok;
}

static bool sink(void *ctx, struct str bytes, struct err *err)
{
	struct output *o = ctx;
	if (bytes.len < 65536) {
		buf_adds(&o->pending, bytes);
		return o->pending.len < (1u << 20) || flush(o, err);
	}
	return flush(o, err) && write_all(o, bytes, err);
}

static bool write_members(const struct jar_plan *p, struct zip_writer *w, struct err *err)
{
	struct prepared *results = xcalloc(BATCH, sizeof(*results));
	bool ok = true;
	for (size_t from = 0; ok && from < p->members.len; from += BATCH) {
		struct batch b = {.plan = p, .members = p->members.ptr + from, .results = results};
		b.n = MIN((size_t)BATCH, p->members.len - from);
		prepare_batch(&b, p->request->threads);
		for (size_t i = 0; i < b.n; i++) {
			struct prepared *r = &results[i];
			if (ok && !r->ok) {
				if (err)
					err_move(err, &r->err);
				ok = false;
			}
			ok = ok && zip_put(w, b.members[i].name, &r->piece, err);
			p->report->copied += b.members[i].entry != NULL;
			p->report->packed += b.members[i].path != NULL;
			buf_release(&r->packed);
			err_clear(&r->err);
			*r = (struct prepared){0};
		}
	}
	p->report->entries = w->count;
	free(results);
	return ok && zip_finish(w, err);
}

bool jar_write(struct arena *a, const struct jar_request *r, const char *path, struct jar_report *ret, struct err *err)
{
	*ret = (struct jar_report){0};
	struct jar_plan plan = {.request = r, .arena = a, .report = ret};
	char *part = str_dupz(a, str_fmt(a, "%s.part-%ld", path, (long)getpid()));
	struct output o = {.fd = -1, .path = part};
	struct zip_writer w = {.sink = {.write = sink, .ctx = &o}};
	bool ok = jar_plan(&plan, err) && fs_mkdirs_parent(path, err);
	if (ok) {
		o.fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		ok = o.fd >= 0 || err_sys(err, ERR_USER, "cannot write \"%s\"", path);
	}
	ok = ok && write_members(&plan, &w, err) && flush(&o, err);
	if (o.fd >= 0 && close(o.fd) != 0 && ok)
		ok = err_sys(err, ERR_USER, "cannot write \"%s\"", path);
	if (ok && rename(part, path) != 0)
		ok = err_sys(err, ERR_USER, "cannot write \"%s\"", path);
	if (!ok && o.fd >= 0)
		unlink(part);
	/* The labels and names that notes hold may lie in the archives. */
	for (size_t i = 0; i < ret->notes.len; i++) {
		struct jar_note *n = &ret->notes.ptr[i];
		n->name = str_dup(a, n->name);
		n->other = str_dup(a, n->other);
	}
	zip_writer_release(&w);
	buf_release(&o.pending);
	jar_plan_release(&plan);
	if (!ok)
		jar_report_release(ret);
	return ok;
}

void jar_report_release(struct jar_report *r)
{
	vec_release(&r->notes);
}

void jar_note_text(const struct jar_note *n, struct buf *out)
{
	buf_addf(out, "\"%.*s\": ", STR_ARG(n->name));
	switch (n->kind) {
	case JAR_CONFLICT:
		buf_addf(out, "that of \"%.*s\" is kept, not that of \"%.*s\"", STR_ARG(n->kept), STR_ARG(n->lost));
		break;
	case JAR_CASE:
		buf_addf(out, "\"%.*s\" differs in case only", STR_ARG(n->other));
		break;
	case JAR_RENAMED:
		buf_addf(out, "a folder in \"%.*s\", so the file of \"%.*s\" becomes \"%.*s\"", STR_ARG(n->lost),
		         STR_ARG(n->kept), STR_ARG(n->other));
		break;
	case JAR_STALE:
		buf_addf(out, "left out of \"%.*s\", since the source is that of \"%.*s\"", STR_ARG(n->lost),
		         STR_ARG(n->kept));
		break;
	case JAR_VERSION:
		buf_addf(out, "left out of \"%.*s\", since the class is that of \"%.*s\"", STR_ARG(n->lost),
		         STR_ARG(n->kept));
		break;
	case JAR_CLASSPATH:
		buf_addf(out, "\"%.*s\" needs jars besides: %.*s", STR_ARG(n->lost), STR_ARG(n->other));
		break;
	}
}
