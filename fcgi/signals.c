#include "fcgi/signals.h"

static volatile sig_atomic_t stop_seen, reload_seen, child_seen;

static const int ours[] = {
	SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2, SIGPIPE
};
static sigset_t open_mask;

static void
note(int signal_number)
{
	switch (signal_number) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		stop_seen = 1;
		break;
	case SIGHUP:
		reload_seen = 1;
		break;
	case SIGCHLD:
		child_seen = 1;
		break;
	default: /* woken up, and nothing else */
		break;
	}
}

void
signals_setup(void)
{
	struct sigaction action = { .sa_handler = note };
	sigset_t mask;

	sigfillset(&action.sa_mask);
	sigemptyset(&mask);
	for (size_t i = 0; i < COUNT(ours); i++) {
		CHECK(sigaction(ours[i], &action, NULL) == 0);
		sigaddset(&mask, ours[i]);
	}
	/* Whoever started us may have blocked anything: the mask is set, not added to. */
	CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
	sigemptyset(&open_mask);
}

const sigset_t *
signals_open(void)
{
	return &open_mask;
}

bool
signals_stop(void)
{
	return stop_seen != 0;
}

bool
signals_take_reload(void)
{
	bool seen = reload_seen != 0;

	reload_seen = 0;
	return seen;
}

bool
signals_take_child(void)
{
	bool seen = child_seen != 0;

	child_seen = 0;
	return seen;
}
