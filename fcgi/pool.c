#include "fcgi/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/log.h"
#include "common/settings.h"
#include "fcgi/keeper.h"
#include "fcgi/req.h"
#include "fcgi/title.h"
#include "fcgi/worker.h"

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_MOST_MS = 10000,
	YOUNG_US = 1000000, /* a worker that lives so long has started well */
	GLANCE_MS = 10,     /* between looks at the board while workers start */
	LOOK_MS = 200,      /* otherwise */
};

typedef struct Child {
	int pid, slot;
	SlotKind kind;
	uint32_t generation;
	int64_t started_us;
	int64_t stopped_us; /* 0: it runs */
	int64_t told_us;    /* to end; 0: not yet */
	bool ready, killed;
} Child;

enum { KINDS = SLOT_KEEPER + 1 };

/* Starts of one kind: a keeper that cannot start delays no worker. */
typedef struct Starts {
	uint32_t fails;    /* those that failed one after the other */
	int64_t failed_us; /* when the last of them was noticed */
	int64_t next_us;   /* not before, while fails > 0 */
	uint32_t failed_generation;
	const char *why; /* the last of them */
} Starts;

struct Pool {
	PoolStart start;
	Board *board;
	uint32_t target;
	Child children[BOARD_SLOTS];
	size_t n;
	Starts starts[KINDS];
};

static const char *const kind_names[KINDS] = { "worker", "keeper" };
static const struct {
	const char *start, *ended, *died, *kill;
} events[KINDS] = {
	{ "worker_start", "worker_ended", "worker_died", "worker_kill" },
	{ "keeper_start", "keeper_ended", "keeper_died", "keeper_kill" },
};

static const char no_slot[] =
    "the board has no free slot: too many workers of earlier generations still finish";
static const char no_start[] = "the log says why";

Pool *
pool_make(const PoolStart *start)
{
	Pool *pool = calloc(1, sizeof *pool);

	CHECK(pool != NULL);
	pool->start = *start;
	pool->board = start->board;
	return pool;
}

void
pool_free(Pool *pool)
{
	free(pool);
}

void
pool_target(Pool *pool, uint32_t generation)
{
	pool->target = generation;
	for (size_t kind = 0; kind < KINDS; kind++)
		pool->starts[kind].fails = 0;
}

/* --- starting */

/* Make the next start wait, longer each time; deaths of one and the same wave count once. */
static void
start_failed(Starts *starts, int64_t started_us, uint32_t generation, const char *why)
{
	int64_t now = clock_mono_us();

	starts->failed_generation = generation;
	starts->why = why;
	if (starts->fails > 0 && started_us < starts->failed_us)
		return;
	starts->fails++;
	starts->failed_us = now;
	starts->next_us = now + INT64_C(1000) * backoff_ms(starts->fails, BACKOFF_FIRST_MS,
	                                                   BACKOFF_MOST_MS, UINT32_MAX);
}

static void child_run(const Pool *pool, SlotKind kind, int slot, int parent)
    __attribute__((noreturn));

static void
child_run(const Pool *pool, SlotKind kind, int slot, int parent)
{
	const PoolStart *start = &pool->start;
	WorkerStart worker = {
		.board = pool->board,
		.slot = slot,
		.listen_fd = start->serving->fd,
		.tcp = start->serving->tcp,
		.generation = pool->target,
		.keeper = kind == SLOT_KEEPER,
	};

	/* A parent that died before this line is seen by the look after it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_SUCCESS);
	/* The lock is the parent's: it must go with it, not with us. */
	close(start->lock_fd);
	if (kind == SLOT_KEEPER) {
		title_set("posternd-keeper", "posternd: keeper");
		exit(keeper_main(&worker, start->status->fd, start->status->tcp));
	}
	close(start->status->fd);
	title_set("posternd-worker", "posternd: worker %d", slot);
	exit(worker_main(&worker));
}

static bool
child_start(Pool *pool, SlotKind kind)
{
	int parent = getpid(), pid, slot;
	int64_t now = clock_mono_us();
	Starts *starts = &pool->starts[kind];

	slot = pool->n < BOARD_SLOTS ? board_slot_take(pool->board, parent) : -1;
	if (slot < 0) {
		log_say(LOG_ERROR, events[kind].start, "%s", no_slot);
		start_failed(starts, now, pool->target, no_slot);
		return false;
	}
	board_slot_set(pool->board, slot, pool->target, deadline_in_ms(WORKER_START_MS));
	board_slot_kind_set(pool->board, slot, kind);
	pid = fork();
	if (pid == 0)
		child_run(pool, kind, slot, parent);
	if (pid < 0) {
		log_say(LOG_ERROR, events[kind].start, "fork: %s", strerror(errno));
		board_slot_free(pool->board, slot);
		start_failed(starts, now, starts->failed_generation, no_start);
		return false;
	}
	board_slot_pid_set(pool->board, slot, pid);
	if (kind == SLOT_WORKER)
		board_count_add(pool->board, COUNT_WORKERS_STARTED, 1);
	pool->children[pool->n++] = (Child){ .pid = pid,
		                             .slot = slot,
		                             .kind = kind,
		                             .generation = pool->target,
		                             .started_us = now };
	return true;
}

static size_t
wanted(SlotKind kind)
{
	return kind == SLOT_WORKER ? (size_t)conf->pool_workers : 1;
}

/* Living children of a generation that were not told to end. */
static size_t
count(const Pool *pool, SlotKind kind, uint32_t generation)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += pool->children[i].kind == kind &&
		     pool->children[i].generation == generation &&
		     pool->children[i].told_us == 0;
	return n;
}

void
pool_fill(Pool *pool, SlotKind kind)
{
	const Starts *starts = &pool->starts[kind];
	size_t n = count(pool, kind, pool->target);

	if (starts->fails > 0) {
		if (n >= wanted(kind) || clock_mono_us() < starts->next_us ||
		    n > pool_ready(pool, kind, pool->target))
			return;
		child_start(pool, kind);
		return;
	}
	while (n < wanted(kind) && child_start(pool, kind))
		n++;
}

/* --- ending */

/*
 * Was it the start that failed? A kill from outside says nothing of a worker that could serve.
 */
static bool
died_young(const Child *child, const BoardWorker *seen, int status)
{
	if (child->told_us != 0 || child->killed)
		return false;
	if (!child->ready)
		return true;
	return seen->requests == 0 && clock_mono_us() - child->started_us < YOUNG_US &&
	       !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static const char *
route_name(int route)
{
	return route >= 0 && (size_t)route < route_count ? routes[route].id : NULL;
}

static void
death_log(const Child *child, const BoardWorker *seen, int status)
{
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	LogLine line;

	log_start(&line,
	          good            ? LOG_INFO
	          : child->killed ? LOG_WARNING
	                          : LOG_ERROR,
	          good ? events[child->kind].ended : events[child->kind].died);
	log_num(&line, kind_names[child->kind], child->pid);
	log_num(&line, "slot", child->slot);
	if (WIFSIGNALED(status))
		log_str(&line, "signal", str_of(sigabbrev_np(WTERMSIG(status))));
	else
		log_num(&line, "status", WEXITSTATUS(status));
	if (!good && seen->request_id[0] != '\0') {
		log_str(&line, "request_id", str_of(seen->request_id));
		if (route_name(seen->route) != NULL)
			log_str(&line, "route", str_of(route_name(seen->route)));
		log_num(&line, "ms", (clock_mono_us() - seen->since_us) / 1000);
	}
	log_num(&line, "requests", (int64_t)seen->requests);
	log_end(&line);
}

static void
child_died(Pool *pool, size_t i, int status)
{
	Child child = pool->children[i];
	BoardWorker seen = { 0 };

	board_worker(pool->board, child.slot, &seen);
	child.ready = child.ready || seen.state > WORKER_STARTING;
	pool->children[i] = pool->children[--pool->n];
	death_log(&child, &seen, status);
	if (child.kind == SLOT_WORKER && !child.killed &&
	    !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		board_count_add(pool->board, COUNT_WORKERS_CRASHED, 1);
	board_slot_free(pool->board, child.slot);
	if (died_young(&child, &seen, status))
		start_failed(&pool->starts[child.kind], child.started_us, child.generation,
		             no_start);
}

void
pool_reap(Pool *pool)
{
	int status, pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		size_t i = 0;

		while (i < pool->n && pool->children[i].pid != pid)
			i++;
		if (i == pool->n)
			continue; /* a child that whoever executed us had */
		if (WIFSTOPPED(status))
			pool->children[i].stopped_us = clock_mono_us();
		else if (WIFCONTINUED(status))
			pool->children[i].stopped_us = 0;
		else
			child_died(pool, i, status);
	}
}

static void
child_tell(Child *child)
{
	if (child->told_us == 0 && kill(child->pid, SIGTERM) == 0)
		child->told_us = clock_mono_us();
}

void
pool_end_others(Pool *pool, SlotKind kind, uint32_t generation)
{
	for (size_t i = 0; i < pool->n; i++)
		if (pool->children[i].kind == kind &&
		    pool->children[i].generation != generation)
			child_tell(&pool->children[i]);
}

/* --- watching */

static bool
past(int64_t since_us, int64_t limit_ms, int64_t now)
{
	return since_us != 0 && now > since_us + limit_ms * 1000;
}

/* Why a child has to be killed; NULL when it may live. */
static const char *
doomed(const Child *child, const BoardWorker *seen, int64_t now)
{
	if (past(seen->deadline_us, conf->pool_hard_limit_ms, now))
		return "past its hard limit";
	if (past(child->stopped_us, conf->pool_hard_limit_ms, now))
		return "stopped";
	if (past(child->told_us, conf->pool_drain_ms, now))
		return "did not end in time";
	return NULL;
}

static void
child_kill(Pool *pool, Child *child, const BoardWorker *seen, const char *reason)
{
	LogLine line;

	log_start(&line, LOG_ERROR, events[child->kind].kill);
	log_num(&line, kind_names[child->kind], child->pid);
	log_num(&line, "slot", child->slot);
	log_str(&line, "reason", str_of(reason));
	if (seen->request_id[0] != '\0')
		log_str(&line, "request_id", str_of(seen->request_id));
	if (route_name(seen->route) != NULL)
		log_str(&line, "route", str_of(route_name(seen->route)));
	log_end(&line);
	child->killed = true;
	if (child->kind == SLOT_WORKER)
		board_count_add(pool->board, COUNT_WORKERS_KILLED, 1);
	if (!child->ready && child->told_us == 0)
		start_failed(&pool->starts[child->kind], child->started_us, child->generation,
		             no_start);
	kill(child->pid, SIGKILL);
}

void
pool_watch(Pool *pool)
{
	int64_t now = clock_mono_us();

	for (size_t i = 0; i < pool->n; i++) {
		Child *child = &pool->children[i];
		Starts *starts = &pool->starts[child->kind];
		BoardWorker seen;
		const char *reason;

		if (child->killed || !board_worker(pool->board, child->slot, &seen))
			continue;
		child->ready = child->ready || seen.state > WORKER_STARTING;
		if (starts->fails > 0 && child->ready &&
		    child->started_us > starts->failed_us && now - child->started_us > YOUNG_US)
			starts->fails = 0;
		reason = doomed(child, &seen, now);
		if (reason != NULL)
			child_kill(pool, child, &seen, reason);
	}
}

size_t
pool_ready(const Pool *pool, SlotKind kind, uint32_t generation)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += pool->children[i].kind == kind &&
		     pool->children[i].generation == generation &&
		     pool->children[i].told_us == 0 && pool->children[i].ready;
	return n;
}

size_t
pool_all(const Pool *pool, SlotKind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += pool->children[i].kind == kind;
	return n;
}

const char *
pool_failed(const Pool *pool, uint32_t generation)
{
	for (size_t kind = 0; kind < KINDS; kind++)
		if (pool->starts[kind].fails > 0 &&
		    pool->starts[kind].failed_generation == generation)
			return pool->starts[kind].why;
	return NULL;
}

static int
sleep_ms(const Pool *pool, SlotKind kind)
{
	const Starts *starts = &pool->starts[kind];
	size_t n = count(pool, kind, pool->target);
	int64_t wait_us = starts->next_us - clock_mono_us();

	if (pool_ready(pool, kind, pool->target) < n)
		return GLANCE_MS;
	if (starts->fails > 0 && n < wanted(kind) && wait_us > 0)
		return (int)MIN(wait_us / 1000 + 1, LOOK_MS);
	return LOOK_MS;
}

int
pool_sleep_ms(const Pool *pool)
{
	return MIN(sleep_ms(pool, SLOT_WORKER), sleep_ms(pool, SLOT_KEEPER));
}
