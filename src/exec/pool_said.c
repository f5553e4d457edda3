/* What processes of a pool say past Lisp: marks of the steps that they carry out, and a runtime's last words. All write
 * to the end of one file in memory, their standard error; as good as always nobody but the one that dies has anything
 * to say. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/pool_impl.h"
#include "os/fs.h"

/* A mark: this byte, the process's id and the index of the step, 4 bytes each, the lowest first. */
#define MARK      0x1e
#define MARK_SIZE 9
/* The file is emptied when it is larger; of what was said at most so much is read. */
#define SAID_MANY (4 << 20)
#define SAID_MAX  (64 << 10)

bool pool_said_open(struct pool *p, struct err *err)
{
	p->said_fd = memfd_create("said", MFD_CLOEXEC);
	if (p->said_fd < 0 || fcntl(p->said_fd, F_SETFL, O_APPEND) < 0)
		return err_sys(err, ERR_ENVIRONMENT, "no file can be made in memory");
	return true;
}

static off_t size_of(const struct pool *p)
{
	struct stat st;
	return fstat(p->said_fd, &st) == 0 ? st.st_size : 0;
}

void pool_said_trim(struct pool *p)
{
	if (size_of(p) > SAID_MANY && ftruncate(p->said_fd, 0) != 0)
		return; /* then it grows */
}

void proc_said_begin(struct proc *proc)
{
	proc->said_from = size_of(proc->pool);
}

static uint32_t number_at(const char *at)
{
	uint32_t n = 0;
	for (int i = 4; i-- > 0;)
		n = n << 8 | (unsigned char)at[i];
	return n;
}

size_t proc_said(const struct proc *proc, struct buf *out)
{
	char text[SAID_MAX];
	off_t size = size_of(proc->pool), from = proc->said_from > size ? 0 : proc->said_from;
	from = MAX(from, size - SAID_MAX);
	ssize_t n = pread(proc->pool->said_fd, text, sizeof(text), from);
	size_t start = out->len, step = 0;
	for (ssize_t i = 0; i < n; i++) {
		if (text[i] != MARK || n - i < MARK_SIZE) {
			buf_addc(out, text[i]);
			continue;
		}
		if (number_at(text + i + 1) == (uint32_t)proc->pid) {
			step = number_at(text + i + 5);
			out->len = start;
		}
		i += MARK_SIZE - 1;
	}
	return step;
}
