/* Commands to the running server: status, reload, drain. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/board.h"
#include "common/json.h"
#include "fcgi/ctl.h"
#include "fcgi/report.h"
#include "fcgi/status.h"
#include "fcgi/worker.h"

enum { GLANCE_NS = 20000000, SLACK_MS = 2000 };

static const size_t text_ceiling = MIB(16);

/* The board of a server that runs; NULL after saying why not, with the exit status. */
static const Board *
board_of(const Settings *settings, int *status)
{
	const Board *board = board_attach(settings->run_dir);
	Instant started;

	*status = EX_UNAVAILABLE;
	if (board == NULL && errno != ENOENT) {
		*status = errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE;
		fprintf(stderr, "posternctl: the board in %s: %s\n", settings->run_dir,
		        strerror(errno));
		return NULL;
	}
	if (board != NULL && board_parent(board, &started) != 0)
		return board;
	fprintf(stderr, "posternctl: no server runs in %s\n", settings->run_dir);
	board_close(board);
	return NULL;
}

int
ctl_status(int argc, char **argv, const Settings *settings)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(text_ceiling);
	bool json = ctl_flag(&argc, argv, "--json");
	Buf out = { .arena = arena };
	const Board *board;
	Status status;
	int failed;

	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	board = board_of(settings, &failed);
	if (board == NULL)
		return failed;
	status_fill(arena, board, &status);
	board_close(board);
	if (json)
		json_write(&out, &Status_model, &status);
	else
		report_status(&out, &status);
	if (json)
		buf_byte(&out, '\n');
	return ctl_print(buf_str(&out));
}

static bool
signal_send(int pid, int number)
{
	if (pid > 0 && kill(pid, number) == 0) /* 0 would be ourselves and who called us */
		return true;
	if (pid > 0)
		fprintf(stderr, "posternctl: process %d: %s\n", pid, strerror(errno));
	else
		fputs("posternctl: the server has ended\n", stderr);
	return false;
}

static void
glance(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = GLANCE_NS }, NULL);
}

/* One reload at a time, so that no caller reads another's outcome. -1 after saying why not. */
static int
reload_turn(const Settings *settings, Deadline deadline)
{
	int fd;

	while ((fd = board_lock(settings->run_dir)) < 0 && errno == EWOULDBLOCK &&
	       !deadline_passed(deadline))
		glance();
	if (fd < 0)
		fprintf(stderr, "posternctl: waiting for another reload: %s\n",
		        errno == EWOULDBLOCK ? "it does not end" : strerror(errno));
	return fd;
}

/*
 * Wait until the server says how a reload ended that began later than those of `before`: one
 * that somebody else's HUP had begun may have read what the settings were earlier.
 */
static int
reload_wait(const Board *board, const BoardReload *before, Deadline deadline)
{
	BoardReload now;
	Instant started;

	for (;; glance()) {
		board_reload(board, &now);
		if (now.count > before->begun)
			break;
		if (board_parent(board, &started) == 0) {
			fputs("posternctl: the server has ended\n", stderr);
			return EX_UNAVAILABLE;
		}
		if (deadline_passed(deadline)) {
			fputs("posternctl: the server has not answered; its log says why\n",
			      stderr);
			return EX_TEMPFAIL;
		}
	}
	if (!now.good) {
		fprintf(stderr, "%s\n", now.words);
		return EX_CONFIG;
	}
	if (now.words[0] != '\0')
		fprintf(stderr, "these need a restart: %s\n", now.words);
	printf("generation %u serves\n", board_generation(board));
	return EX_OK;
}

int
ctl_reload(int argc, char **argv, const Settings *settings)
{
	int64_t one_ms = WORKER_START_MS + settings->pool_hard_limit_ms;
	Deadline deadline = deadline_in_ms(2 * one_ms + SLACK_MS); /* one that runs, and ours */
	CLEANUP(closep) int turn = -1;
	const Board *board;
	BoardReload before;
	Instant started;
	int status;

	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	board = board_of(settings, &status);
	if (board == NULL)
		return status;
	status = EX_TEMPFAIL;
	turn = reload_turn(settings, deadline);
	if (turn >= 0) {
		board_reload(board, &before);
		status = EX_NOPERM;
		if (signal_send(board_parent(board, &started), SIGHUP))
			status = reload_wait(board, &before, deadline);
	}
	board_close(board);
	return status;
}

int
ctl_drain(int argc, char **argv, const Settings *settings)
{
	const Board *board;
	/* The workers', and after them the keeper's for a delivery; see fcgi/keeper.h. */
	Deadline deadline = deadline_in_ms(settings->pool_drain_ms * 3 / 2 + SLACK_MS);
	Instant started;
	int status;

	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	board = board_of(settings, &status);
	if (board == NULL)
		return status;
	status = EX_NOPERM;
	if (signal_send(board_parent(board, &started), SIGTERM)) {
		while (board_parent(board, &started) != 0 && !deadline_passed(deadline))
			glance();
		status = board_parent(board, &started) == 0 ? EX_OK : EX_TEMPFAIL;
	}
	if (status == EX_TEMPFAIL)
		fputs("posternctl: the server has not ended; its log says why\n", stderr);
	board_close(board);
	return status;
}
