#include "fcgi/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi/process.h"
#include "fcgi/title.h"

enum {
	ALARM_MS = 250, /* past its deadline the child ends itself */
	KILL_MS = 500,  /* and is killed */
};

void
delivery_set(Delivery *delivery, Outcome outcome, Str words)
{
	Str cut = words;

	delivery->outcome = outcome;
	while (cut.n >= sizeof delivery->words)
		cut = str_points_cut(cut, str_points(cut) - 1);
	memcpy(delivery->words, cut.p == NULL ? "" : cut.p, cut.n);
	delivery->words[cut.n] = '\0';
}

static void child_run(int fd, int keeper, Deliver deliver, Ctx *ctx, const void *thing)
    __attribute__((noreturn));

/*
 * Nothing of the keeper's is used but memory: its descriptors are closed, unheard by their
 * peers.
 */
static void
child_run(int fd, int keeper, Deliver deliver, Ctx *ctx, const void *thing)
{
	Delivery made = { 0 };
	int64_t left_ms = deadline_left_ms(ctx->deadline) + ALARM_MS;
	struct itimerval alarm = {
		.it_value = { left_ms / 1000, left_ms % 1000 * 1000 },
	};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
	process_descriptors(fd, -1);
	title_set("postern-courier", "posternd: courier");
	signal(SIGTERM, SIG_IGN); /* who stops all of us lets each finish; the keeper decides */
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &alarm, NULL);
	deliver(ctx, thing, &made);
	_exit(write(fd, &made, sizeof made) == sizeof made ? 0 : 1); /* a pipe takes it whole */
}

bool
courier_send(Courier *courier, Deliver deliver, Ctx *ctx, const void *thing, Deadline by)
{
	int keeper = getpid(), ends[2], pid, wrong;

	CHECK(courier->fd < 0);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	ctx->deadline = by;
	pid = fork();
	if (pid == 0) {
		ctx->db = NULL;
		child_run(ends[1], keeper, deliver, ctx, thing);
	}
	wrong = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		errno = wrong;
		return false;
	}
	*courier = (Courier){ .pid = pid,
		              .fd = ends[0],
		              .until = { by.at_us + KILL_MS * INT64_C(1000) } };
	return true;
}

/* It has ended, or ends now: take what it has said, or say how it ended. */
static void
take(Courier *courier, bool late, Delivery *out)
{
	Delivery said;
	ssize_t n = late ? 0 : read(courier->fd, &said, sizeof said);
	int status = 0;

	if (late || n > 0) /* what it had to say is said; it may be stopped */
		kill(courier->pid, SIGKILL);
	while (waitpid(courier->pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	if (n == sizeof said)
		*out = said;
	else if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
		delivery_set(out, OUTCOME_LATER, S("it was not over in time"));
	else {
		out->outcome = OUTCOME_LATER;
		snprintf(out->words, sizeof out->words, "its process ended with %s %d",
		         WIFSIGNALED(status) ? "signal" : "status",
		         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	close(courier->fd);
	*courier = COURIER_NONE;
}

bool
courier_back(Courier *courier, Delivery *out)
{
	struct pollfd pipe = { .fd = courier->fd, .events = POLLIN };
	bool ended = poll(&pipe, 1, 0) > 0;

	if (!ended && !deadline_passed(courier->until))
		return false;
	take(courier, !ended, out);
	return true;
}

void
courier_wait(Courier *courier, Deadline by, Delivery *out)
{
	struct pollfd pipe = { .fd = courier->fd, .events = POLLIN };
	Deadline end = deadline_min(by, courier->until);
	int ready;

	while ((ready = poll(&pipe, 1, deadline_left_ms(end))) < 0)
		CHECK(errno == EINTR);
	take(courier, ready == 0, out);
}
