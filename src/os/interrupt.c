#include "os/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static int wake_fd = -1;

static void on_signal(int sig)
{
	int saved = errno;
	uint64_t one = 1;
	if (!caught)
		caught = sig;
	signal(sig, SIG_DFL);
	(void)!write(wake_fd, &one, sizeof(one)); /* fails only where the counter is full: readable already */
	errno = saved;
}

void interrupt_install(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal}, before;
	CHECK(wake_fd < 0);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		BUG("no descriptor for signals");
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i] != SIGHUP || sigaction(SIGHUP, NULL, &before) != 0 || before.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
}

int interrupt_signal(void)
{
	return caught;
}

int interrupt_fd(void)
{
	return wake_fd;
}

bool interrupt_check(struct err *err)
{
	return !caught || err_set(err, ERR_TRANSIENT, "interrupted");
}
