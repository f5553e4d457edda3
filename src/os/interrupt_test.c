#include "os/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/tap.h"

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1 && p.revents == POLLIN;
}

int main(void)
{
	struct err err = {0};
	tap_eq_int(interrupt_fd(), -1, "nothing to wait for before it is installed");
	interrupt_install();
	tap_ok(!is_readable(interrupt_fd()) && !interrupt_signal() && interrupt_check(&err), "quiet at first");
	kill(getpid(), SIGTERM);
	tap_eq_int(interrupt_signal(), SIGTERM, "the signal is noted");
	tap_ok(is_readable(interrupt_fd()) && is_readable(interrupt_fd()), "every wait sees it");
	tap_ok(!interrupt_check(&err) && err.kind == ERR_TRANSIENT, "and every check");
	err_clear(&err);
	struct sigaction now;
	sigaction(SIGTERM, NULL, &now);
	tap_ok(now.sa_handler == SIG_DFL, "a second one has its default action");
	kill(getpid(), SIGINT);
	tap_eq_int(interrupt_signal(), SIGTERM, "the first one counts");
	return tap_done();
}
