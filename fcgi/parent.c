#include "fcgi/parent.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/settings.h"
#include "fcgi/notify.h"
#include "fcgi/pool.h"
#include "fcgi/queue.h"
#include "fcgi/req.h"
#include "fcgi/signals.h"
#include "fcgi/title.h"

enum {
	SWEEP_MS = 1000,
	QUEUE_MS = 100,
	MOMENTS = 32, /* of a request's time, when the queue is looked at */
};

static const size_t reload_ceiling = MIB(1);

typedef struct Parent {
	const ParentStart *start;
	Board *board;
	Listener listeners[SOCKETS];
	Pool *pool;
	Settings *settings;  /* what conf points to */
	Settings *before;    /* of the old workers, while new ones start; else NULL */
	uint32_t generation; /* of the workers that serve */
	uint32_t next;       /* of the next reload */
	bool ready, reload_wanted, stopping;
	char carried[256]; /* settings that the reload left as they were */
	int64_t started_us;
	Deadline sweep, queue, watchdog;
	uint64_t dropped; /* log lines counted on the board so far */
} Parent;

uint64_t
routes_hash(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < route_count; i++)
		for (const char *c = routes[i].id;; c++) {
			hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
			if (*c == '\0')
				break;
		}
	return hash;
}

/* What the parent has come to, with its generation and how many workers are alive. */
static void
log_pool(const Parent *parent, const char *event)
{
	LogLine line;

	log_start(&line, LOG_NOTICE, event);
	log_num(&line, "generation", parent->generation);
	log_num(&line, "workers", (int64_t)pool_all(parent->pool, SLOT_WORKER));
	log_end(&line);
}

/* --- reload: the new workers first, then the end of the old */

static void
log_follow(void)
{
	log_setup(strcmp(conf->log_form, "json") == 0 ? LOG_JSON : LOG_TEXT,
	          log_level_of(conf->log_level));
}

static void
notify_reloading(void)
{
	char lines[64];

	snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld",
	         (long long)clock_mono_us());
	notify_say(lines);
}

static void
reload_refused(Parent *parent, const char *words)
{
	log_say(LOG_ERROR, "reload_refused", "%s", words);
	board_reload_set(parent->board, false, words);
	notify_say("READY=1");
}

/* Without the newline at its end. */
static const char *
faults_text(Arena *arena, Str faults)
{
	return str_text(arena,
	                str_ends(faults, S("\n")) ? str_sub(faults, 0, faults.n - 1) : faults);
}

static void
reload_begin(Parent *parent)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(reload_ceiling);
	Settings *fresh;
	Str faults, carried;

	parent->reload_wanted = false;
	board_reload_begin(parent->board); /* before the settings are read */
	notify_reloading();
	fresh = settings_read(parent->start->file, parent->start->sets, parent->start->n_sets,
	                      arena, &faults);
	if (fresh == NULL) {
		reload_refused(parent, faults_text(arena, faults));
		return;
	}
	carried = settings_carry(fresh, conf, arena);
	snprintf(parent->carried, sizeof parent->carried, "%.*s", STR_ARG(carried));
	parent->before = parent->settings;
	parent->settings = fresh;
	conf = fresh;
	log_follow();
	pool_target(parent->pool, parent->next++);
}

/* The workers of the new settings do not start: the old ones stay, and their settings. */
static void
reload_undo(Parent *parent, const char *why)
{
	char words[256];

	pool_target(parent->pool, parent->generation);
	pool_end_others(parent->pool, SLOT_WORKER, parent->generation);
	pool_end_others(parent->pool, SLOT_KEEPER, parent->generation);
	settings_free(parent->settings);
	parent->settings = parent->before;
	parent->before = NULL;
	conf = parent->settings;
	log_follow();
	snprintf(words, sizeof words, "workers with the new settings do not start; %s", why);
	reload_refused(parent, words);
}

static void
reload_finish(Parent *parent)
{
	parent->generation = parent->next - 1;
	pool_end_others(parent->pool, SLOT_WORKER, parent->generation);
	pool_end_others(parent->pool, SLOT_KEEPER, parent->generation);
	settings_free(parent->before);
	parent->before = NULL;
	board_generation_set(parent->board, parent->generation);
	if (parent->carried[0] != '\0')
		log_say(LOG_WARNING, "reload", "these need a restart: %s", parent->carried);
	log_pool(parent, "reloaded");
	board_reload_set(parent->board, true, parent->carried);
	notify_say("READY=1");
}

static void
reload_step(Parent *parent)
{
	uint32_t fresh = parent->next - 1;
	const char *why = pool_failed(parent->pool, fresh);

	if (parent->before == NULL && parent->reload_wanted)
		reload_begin(parent);
	else if (parent->before != NULL && why != NULL)
		reload_undo(parent, why);
	else if (parent->before != NULL && pool_ready(parent->pool, SLOT_KEEPER, fresh) > 0 &&
	         pool_ready(parent->pool, SLOT_WORKER, fresh) >= (size_t)conf->pool_workers)
		reload_finish(parent);
}

/* --- the end */

static void
stop_begin(Parent *parent)
{
	Listener *main = &parent->listeners[SOCKET_MAIN];
	bool ours = main->path[0] != '\0';

	parent->stopping = true;
	log_pool(parent, "stopping");
	notify_say("STOPPING=1");
	board_draining_set(parent->board, true);
	listen_unlink(main);
	/* Nobody finds a path that is gone; on another's socket new ones come for ever. */
	board_queue_close(parent->board, ours ? -1 : MAX(queue_length(main->fd), 0));
}

/*
 * The keeper last: while workers finish it says how they do, and one that dies has a successor.
 *
 * returns  whether all have ended
 */
static bool
stop_step(Parent *parent)
{
	pool_end_others(parent->pool, SLOT_WORKER, 0); /* 0 is nobody's */
	if (pool_all(parent->pool, SLOT_WORKER) > 0) {
		pool_fill(parent->pool, SLOT_KEEPER);
		return false;
	}
	listen_unlink(&parent->listeners[SOCKET_STATUS]);
	pool_end_others(parent->pool, SLOT_KEEPER, 0);
	return pool_all(parent->pool, SLOT_KEEPER) == 0;
}

/* --- the rest of a parent's day */

/* The first worker that can serve makes the service ready. */
static void
ready_step(Parent *parent)
{
	if (parent->ready || pool_ready(parent->pool, SLOT_WORKER, parent->generation) == 0)
		return;
	parent->ready = true;
	log_pool(parent, "ready");
	notify_say("READY=1");
}

/*
 * Workers whose parent was killed have been told to finish by the kernel; one that cannot,
 * because it is stopped or stuck, ends when the time for it is over.
 */
static void
orphans_end(const Parent *parent)
{
	bool late = clock_mono_us() - parent->started_us > conf->pool_drain_ms * 1000;

	for (int slot = 0; slot < BOARD_SLOTS; slot++) {
		int pid = board_orphan(parent->board, slot);

		if (pid > 1)
			kill(pid, late ? SIGKILL : SIGTERM);
	}
}

static void
sweep_step(Parent *parent)
{
	uint64_t dropped = log_dropped();

	if (!deadline_passed(parent->sweep))
		return;
	parent->sweep = deadline_in_ms(SWEEP_MS);
	orphans_end(parent);
	board_sweep(parent->board);
	board_count_add(parent->board, COUNT_LOG_DROPPED, dropped - parent->dropped);
	parent->dropped = dropped;
}

static void
queue_step(Parent *parent)
{
	if (!deadline_passed(parent->queue))
		return;
	parent->queue = deadline_in_ms(QUEUE_MS);
	board_queue_set(parent->board, queue_length(parent->listeners[SOCKET_MAIN].fd),
	                clock_mono_us(), conf->pool_request_deadline_ms * 1000 / MOMENTS);
}

static void
watchdog_step(Parent *parent)
{
	if (notify_watchdog_ms() == 0 || !deadline_passed(parent->watchdog))
		return;
	parent->watchdog = deadline_in_ms(notify_watchdog_ms());
	notify_say("WATCHDOG=1");
}

/* Sleep until a signal comes or something is due. */
static void
rest(const Parent *parent)
{
	int ms = pool_sleep_ms(parent->pool);
	struct timespec wait;

	if (notify_watchdog_ms() > 0)
		ms = MIN(ms, deadline_left_ms(parent->watchdog));
	wait = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
	ppoll(NULL, 0, &wait, signals_open());
}

static void
day(Parent *parent)
{
	for (;;) {
		if (signals_stop() && !parent->stopping)
			stop_begin(parent);
		if (signals_take_reload())
			parent->reload_wanted = true;
		if (signals_take_child())
			pool_reap(parent->pool);
		pool_watch(parent->pool);
		if (parent->stopping) {
			if (stop_step(parent))
				return;
		} else {
			pool_fill(parent->pool, SLOT_KEEPER);
			pool_fill(parent->pool, SLOT_WORKER);
			ready_step(parent);
			reload_step(parent);
		}
		sweep_step(parent);
		queue_step(parent);
		watchdog_step(parent);
		rest(parent);
	}
}

int
parent_run(const ParentStart *start)
{
	union {
		const Settings *from;
		Settings *to;
	} settings = { .from = conf };
	Parent parent = {
		.start = start,
		.board = start->board,
		.settings = settings.to,
		.started_us = clock_mono_us(),
	};

	memcpy(parent.listeners, start->listeners, sizeof parent.listeners);
	/*
	 * Generations go on from where the parent before left off: posternctl waits for a
	 * change.
	 */
	parent.generation = board_generation(start->board) + 1;
	parent.next = parent.generation + 1;
	parent.pool = pool_make(&(PoolStart){
	    .board = start->board,
	    .serving = &start->listeners[SOCKET_MAIN],
	    .status = &start->listeners[SOCKET_STATUS],
	    .lock_fd = start->lock_fd,
	});
	pool_target(parent.pool, parent.generation);
	board_routes_set(start->board, routes_hash());
	board_draining_set(start->board, false);
	board_reload_none(start->board);
	board_queue_open(start->board);
	board_generation_set(start->board, parent.generation);
	board_parent_set(start->board, getpid(), clock_now());
	title_set("posternd", "posternd: parent");
	log_pool(&parent, "started");
	day(&parent);
	board_parent_set(start->board, 0, (Instant){ 0 });
	log_pool(&parent, "stopped");
	pool_free(parent.pool);
	settings_free(parent.before);
	return EX_OK;
}
