#include "fcgi/keeper.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/db.h"
#include "common/db_listen.h"
#include "common/log.h"
#include "common/settings.h"
#include "fcgi/jobs.h"
#include "fcgi/keys.h"
#include "fcgi/outbox.h"
#include "fcgi/revoke.h"
#include "fcgi/tokens.h"

enum {
	PING_MS = 500,
	ANSWER_MS = 1000,
	ALIVE_MS = 5000, /* past it plus the hard limit the parent takes us for hung */
	LOOK_MS = 1000,  /* that we sleep at most */
};

static const size_t request_bytes = MIB(16);

typedef struct Keeper {
	const WorkerStart *start;
	Wire *wire;
	Ctx ctx;
	DbListen *listen;
	Outbox *outbox;
	int wake;  /* an epoll set: readable when there is something to do for step() */
	int timer; /* of it */
	WorkerCounts counts;
	bool hears;
	bool told; /* that it does not: once each time */
} Keeper;

/* --- messages */

static void
on_heard(void *to, Str words)
{
	Keeper *keeper = to;

	if (!outbox_heard(keeper->outbox, words))
		revoke_heard(keeper->start->board, words);
}

static void
on_begun(void *to)
{
	Keeper *keeper = to;

	board_epochs_void(keeper->start->board);
	outbox_look(keeper->outbox);
}

static void
on_proved(void *to, int64_t at_us)
{
	Keeper *keeper = to;

	board_heard_set(keeper->start->board, revoke_source(), at_us);
	if (!keeper->hears)
		log_say(LOG_NOTICE, "listener_hears", "workers trust what they keep");
	keeper->hears = true;
	keeper->told = false;
}

static void
on_lost(void *to, Str why)
{
	Keeper *keeper = to;

	if (!keeper->told)
		log_say(LOG_WARNING, "listener_deaf",
		        "%.*s; workers trust nothing that they keep", STR_ARG(why));
	keeper->hears = false;
	keeper->told = true;
}

static DbListen *
listen_start(Keeper *keeper)
{
	bool own = *conf->database_listen_dsn != '\0';

	return db_listen_open(&(DbListenConfig){
	    .dsn = own ? conf->database_listen_dsn : conf->database_dsn,
	    .name = "postern keeper",
	    .channel = REVOKE_CHANNEL,
	    .ping_ms = PING_MS,
	    .answer_ms = ANSWER_MS,
	    .heard = on_heard,
	    .begun = on_begun,
	    .proved = on_proved,
	    .lost = on_lost,
	    .to = keeper,
	});
}

/* --- what ends the wait */

static bool
wake_open(Keeper *keeper)
{
	struct epoll_event event = { .events = EPOLLIN };

	keeper->wake = epoll_create1(EPOLL_CLOEXEC);
	keeper->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return keeper->wake >= 0 && keeper->timer >= 0 &&
	       epoll_ctl(keeper->wake, EPOLL_CTL_ADD, keeper->timer, &event) == 0;
}

/*
 * The listener's socket is another after each loss, the outbox's with each delivery, maybe of
 * the same number.
 *
 * fd  -1: none
 */
static void
wake_on(const Keeper *keeper, int fd, short wanted)
{
	struct epoll_event event = {
		.events = ((wanted & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
		          ((wanted & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0),
	};

	if (fd >= 0 && epoll_ctl(keeper->wake, EPOLL_CTL_MOD, fd, &event) < 0)
		CHECK(errno == ENOENT &&
		      epoll_ctl(keeper->wake, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void
wake_at(const Keeper *keeper, Deadline at)
{
	int64_t us = MAX(at.at_us, INT64_C(1)); /* 0 would mean never */
	struct itimerspec when = { .it_value = { us / 1000000, us % 1000000 * 1000 } };
	uint64_t over;

	if (read(keeper->timer, &over, sizeof over) < 0)
		CHECK(errno == EAGAIN);
	CHECK(timerfd_settime(keeper->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

/* --- its day */

/*
 * One of those who ask the database, which may keep us waiting: who has been due for longest.
 *
 * returns  when one is due again
 */
static Deadline
database_step(Keeper *keeper)
{
	if (outbox_due(keeper->outbox).at_us < jobs_due().at_us)
		outbox_step(keeper->outbox, &keeper->ctx);
	else
		jobs_step(&keeper->ctx);
	worker_settle(keeper->start->board, &keeper->ctx);
	return deadline_min(outbox_due(keeper->outbox), jobs_due());
}

/* What is due at this moment. The database is asked only while it is known to answer. */
static void
step(Keeper *keeper)
{
	Deadline next = deadline_in_ms(LOOK_MS);
	short wanted;
	int fd;

	db_listen_step(keeper->listen);
	outbox_watch(keeper->outbox);
	if (keeper->hears)
		next = deadline_min(next, database_step(keeper));
	fd = db_listen_socket(keeper->listen, &wanted);
	wake_on(keeper, fd, wanted);
	wake_on(keeper, outbox_socket(keeper->outbox), POLLIN);
	wake_at(keeper, deadline_min(next, db_listen_due(keeper->listen)));
	board_request_deadline(keeper->start->board, keeper->start->slot,
	                       deadline_in_ms(ALIVE_MS));
}

static void
day(Keeper *keeper)
{
	Board *board = keeper->start->board;
	int slot = keeper->start->slot;

	for (bool stop = false;; stop = worker_told_to_stop()) {
		board_state_set(board, slot, stop ? WORKER_DRAINING : WORKER_IDLE);
		if (!stop)
			step(keeper);
		if (wire_next(keeper->wire, stop ? WIRE_SHUT : WIRE_OPEN) == WIRE_REQUEST)
			worker_serve(keeper->start, keeper->wire, &keeper->ctx);
		else if (stop)
			return;
		worker_counts(board, keeper->wire, &keeper->counts);
	}
}

int
keeper_main(const WorkerStart *start, int status_fd, bool status_tcp)
{
	Keeper keeper = { .start = start, .counts.dropped = log_dropped() };

	worker_signals();
	if (!wake_open(&keeper)) {
		log_say(LOG_ERROR, "keeper_start", "%s", strerror(errno));
		return EX_OSERR;
	}
	keeper.wire = wire_open(&(WireConfig){
	    .listen_fd = status_fd,
	    .tcp = status_tcp,
	    .head_ms = (int)conf->pool_head_deadline_ms,
	    .allow = conf->listen_allow.v,
	    .n_allow = conf->listen_allow.n,
	    .wake_fd = keeper.wake,
	});
	if (keeper.wire == NULL) {
		log_say(LOG_ERROR, "keeper_start", "%s", strerror(errno));
		return EX_OSERR;
	}
	keeper.ctx.arena = arena_open(request_bytes);
	keeper.ctx.db = db_open(&(DbConfig){
	    .dsn = conf->database_dsn,
	    .named = strcmp(conf->database_prepare, "named") == 0,
	    .statement_ms = JOBS_MS,
	    .name = "postern keeper",
	});
	keys_watch(start->board);
	keeper.outbox = outbox_open(start->board);
	keeper.listen = listen_start(&keeper);
	day(&keeper);
	outbox_close(keeper.outbox, &keeper.ctx, deadline_in_ms(conf->pool_drain_ms / 2));
	worker_settle(start->board, &keeper.ctx);
	worker_counts(start->board, keeper.wire, &keeper.counts);
	tokens_wipe();
	db_listen_close(keeper.listen);
	db_close(keeper.ctx.db);
	wire_close(keeper.wire);
	arena_close(keeper.ctx.arena);
	close(keeper.wake);
	close(keeper.timer);
	return EX_OK;
}
