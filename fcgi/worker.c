#include "fcgi/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/cache.h"
#include "common/db.h"
#include "common/log.h"
#include "common/upstream.h"
#include "fcgi/keys.h"
#include "fcgi/rooms.h"
#include "fcgi/tokens.h"
#include "schema/verify.h"

enum {
	REQUEST_BYTES = 256 * 1024 * 1024, /* far above what limits on input allow */
	START_MS = 3000,                   /* for the database, before the first request */
	MEMORY_EVERY = 64,                 /* requests between two looks at one's own memory */
};

static volatile sig_atomic_t stop_seen;

static void
on_stop(int signal)
{
	(void)signal;
	stop_seen = 1;
}

void
worker_signals(void)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &ignore, NULL); /* a terminal sends it to all; the parent tells us */
	sigaction(SIGQUIT, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

bool
worker_told_to_stop(void)
{
	return stop_seen != 0;
}

/* The rooms between gate and answer, in the order in which they refuse. */
static const struct {
	const char *name;
	const Problem *(*enter)(Req *rq);
} rooms[] = {
	{ "route", route_find },   /* 404 405; HEAD, OPTIONS, CORS */
	{ "admit", admit },        /* 503 413 415 406, 401, 403, 429 */
	{ "intake", intake_read }, /* 400 422: path, query, headers and body into one struct */
	{ "work", work_do },       /* transaction, handler, body of the answer */
};

static void
serve(Req *rq)
{
	const Problem *p;

	rq->room = "gate";
	p = gate_open(rq);
	for (size_t i = 0; p == NULL && !rq->done && i < COUNT(rooms); i++) {
		rq->room = rooms[i].name;
		p = rooms[i].enter(rq);
	}
	answer_send(rq, p);
}

typedef struct Worker {
	const WorkerStart *start;
	Wire *wire;
	Ctx ctx;
	uint64_t requests, requests_max;
	Deadline accepting; /* when told to stop: for those who wait on the socket */
	WorkerCounts counts;
} Worker;

/* Resident memory in bytes; 0 when the kernel does not tell. */
static int64_t
memory_resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long size, resident = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lld %lld", &size, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * sysconf(_SC_PAGESIZE);
}

void
worker_counts(Board *board, const Wire *wire, WorkerCounts *seen)
{
	WorkerCounts now = { .wire = wire_counts(wire), .dropped = log_dropped() };
	const WireCounts *to = &now.wire, *from = &seen->wire;

	board_count_add(board, COUNT_HEADS_REFUSED, to->refused - from->refused);
	board_count_add(board, COUNT_HEADS_TIMED_OUT, to->timed_out - from->timed_out);
	board_count_add(board, COUNT_PEERS_CLOSED, to->closed - from->closed);
	board_count_add(board, COUNT_PEERS_EVICTED, to->evicted - from->evicted);
	board_count_add(board, COUNT_LOG_DROPPED, now.dropped - seen->dropped);
	*seen = now;
}

void
worker_settle(Board *board, Ctx *ctx)
{
	DbCost cost = db_cost(ctx->db);

	board_count_add(board, COUNT_DB_STATEMENTS, cost.statements);
	board_count_add(board, COUNT_DB_WAIT_US, (uint64_t)cost.wait_us);
	board_count_add(board, COUNT_DB_CONNECTS, cost.connects);
	board_count_add(board, COUNT_DB_FAULTS, cost.faults);
	db_settle(ctx->db);
	arena_reset(ctx->arena);
}

static void
cache_report(Worker *w)
{
	const char *words;

	if (w->ctx.cache == NULL)
		return;
	switch (cache_news(w->ctx.cache, &words)) {
	case CACHE_LOST:
		log_say(LOG_WARNING, "redis_lost", "%s; this host does without", words);
		break;
	case CACHE_BACK:
		log_say(LOG_NOTICE, "redis_back", "it answers again");
		break;
	case CACHE_NO_NEWS:
		break;
	}
}

void
worker_serve(const WorkerStart *start, Wire *wire, Ctx *ctx)
{
	Req rq = {
		.ctx = ctx,
		.wire = wire,
		.board = start->board,
		.slot = start->slot,
		.keeper = start->keeper,
		.listen_fd = start->listen_fd,
		.start_us = wire_first_byte_us(wire),
		.headers = { .arena = ctx->arena },
		.out = { .arena = ctx->arena },
	};

	serve(&rq);
	worker_settle(start->board, ctx);
}

static void
request_done(Worker *w)
{
	worker_serve(w->start, w->wire, &w->ctx);
	worker_counts(w->start->board, w->wire, &w->counts);
	cache_report(w);
	w->requests++;
}

/* Has the worker served its share, or grown too large? */
static bool
is_over(const Worker *w)
{
	if (w->requests_max > 0 && w->requests >= w->requests_max)
		return true;
	if (w->requests % MEMORY_EVERY == 1) {
		int64_t bytes = memory_resident();

		board_memory_set(w->start->board, w->start->slot, bytes);
		return conf->pool_memory_max_bytes > 0 && bytes > conf->pool_memory_max_bytes;
	}
	return false;
}

/*
 * Whom to let in. Those who wait on the socket of a pool that ends would be turned away when it
 * closes, so they are served first; in a reload the new workers do that.
 */
static WireDoor
door(Worker *w, bool over)
{
	int64_t ms = conf->pool_drain_ms - conf->pool_request_deadline_ms;

	if (!worker_told_to_stop())
		return over ? WIRE_SHUT : WIRE_OPEN;
	if (w->accepting.at_us == 0) /* what is begun later could not be finished */
		w->accepting = deadline_in_ms(MAX(ms, conf->pool_drain_ms / 2));
	return w->start->generation != 0 && board_draining(w->start->board) &&
	               !deadline_passed(w->accepting)
	           ? WIRE_WAITING
	           : WIRE_SHUT;
}

static void
loop(Worker *w)
{
	for (bool over = false;; over = over || is_over(w)) {
		WireDoor now = door(w, over);

		board_state_set(w->start->board, w->start->slot,
		                now == WIRE_OPEN ? WORKER_IDLE : WORKER_DRAINING);
		if (wire_next(w->wire, now) == WIRE_REQUEST)
			request_done(w);
		else if (now != WIRE_OPEN)
			return;
	}
}

/* A tenth more or less, so that workers that began together do not end together. */
static uint64_t
requests_jittered(int64_t requests)
{
	uint64_t random, spread = (uint64_t)requests / 5;

	random_bytes(&random, sizeof random);
	return (uint64_t)requests - spread / 2 + (spread > 0 ? random % spread : 0);
}

/*
 * Is the database the one that the queries were checked against? One that cannot be reached is
 * no reason not to start: /healthz is answered, and the question is asked again before the
 * first request that needs it.
 */
static bool
database_fits(Worker *w)
{
	const Problem *p;
	bool fits;

	w->ctx.deadline = deadline_in_ms(START_MS);
	p = schema_verify(&w->ctx);
	fits = p == NULL || p->code != P_internal;
	if (p != NULL)
		log_say(p->code == P_internal ? LOG_ERROR : LOG_WARNING, "database", "%s",
		        p->inside == NULL ? problem_rows[p->code].code : p->inside);
	worker_settle(w->start->board, &w->ctx);
	return fits;
}

int
worker_main(const WorkerStart *start)
{
	Worker w = {
		.start = start,
		.requests_max = requests_jittered(conf->pool_max_requests),
		.counts.dropped = log_dropped(),
	};
	bool fits;

	worker_signals();
	w.ctx.arena = arena_open(REQUEST_BYTES);
	w.wire = wire_open(&(WireConfig){
	    .listen_fd = start->listen_fd,
	    .tcp = start->tcp,
	    .head_ms = (int)conf->pool_head_deadline_ms,
	    .body_ms = (int)conf->pool_request_deadline_ms,
	    .gather_max = (size_t)conf->pool_gather_bytes,
	    .allow = conf->listen_allow.v,
	    .n_allow = conf->listen_allow.n,
	    .board = start->generation == 0 ? NULL : start->board,
	});
	w.ctx.db = db_open(&(DbConfig){
	    .dsn = conf->database_dsn,
	    .named = strcmp(conf->database_prepare, "named") == 0,
	    .statement_ms = (int)conf->pool_request_deadline_ms,
	    .name = "postern",
	});
	w.ctx.cache = cache_open(&(CacheConfig){
	    .url = conf->redis_url,
	    .prefix = conf->redis_prefix,
	    .timeout_ms = (int)conf->redis_timeout_ms,
	    .board = start->board,
	});
	w.ctx.upstream = upstream_open();
	keys_watch(start->board);
	board_memory_set(start->board, start->slot, memory_resident());
	fits = database_fits(&w);
	if (fits)
		loop(&w);
	worker_counts(start->board, w.wire, &w.counts);
	tokens_wipe();
	upstream_close(w.ctx.upstream);
	cache_close(w.ctx.cache);
	db_close(w.ctx.db);
	wire_close(w.wire);
	arena_close(w.ctx.arena);
	return fits ? EX_OK : EX_CONFIG;
}
