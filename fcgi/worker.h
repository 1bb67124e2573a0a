#pragma once

/*
 * One worker: a process that takes requests off the socket, one at a time, until told to end.
 *
 * The parent has opened the socket and the board, taken the slot, raised the limits and blocked
 * the signals of fcgi/signals.h; a worker opens them where it waits. Settings are in conf.
 * Nothing that libraries made before the fork is used here.
 */

#include "common/board.h"
#include "common/ctx.h"
#include "fcgi/wire.h"

#define WORKER_START_MS 10000 /* a worker has to be able to serve; above what it waits for */

typedef struct WorkerStart {
	Board *board;
	int slot;            /* on the board, WORKER_STARTING */
	int listen_fd;       /* listening, non-blocking, close-on-exec */
	bool tcp;            /* peers are checked against listen.allow */
	uint32_t generation; /* rises with each reload; 0: of no pool */
	bool keeper;         /* it is the keeper who serves; see fcgi/keeper.h */
} WorkerStart;

/*
 * Serve until told to stop (TERM), or until due for replacement (max_requests, memory).
 *
 * Sets its slot to WORKER_IDLE when it can serve: the parent waits for that, at most
 * WORKER_START_MS + pool.hard_limit_ms, before it drains the workers of the generation before.
 *
 * returns  exit status: 0, or one of sysexits.h when it cannot serve, after a line in the log
 */
int worker_main(const WorkerStart *start) MUST_USE;

/* --- what the keeper does in the same way */

/* The request that the wire holds, through the rooms; what it leaves is settled. */
void worker_serve(const WorkerStart *start, Wire *wire, Ctx *ctx);

/* At the end of all that asks the database: its cost is counted, and what it left is let go. */
void worker_settle(Board *board, Ctx *ctx);

/* What a process has counted for itself, as far as the board knows it. */
typedef struct WorkerCounts {
	WireCounts wire;
	uint64_t dropped; /* log lines; at first log_dropped(): those are the parent's */
} WorkerCounts;

void worker_counts(Board *board, const Wire *wire, WorkerCounts *seen);

/* TERM is noted, the other signals of a terminal are not heeded. */
void worker_signals(void);
bool worker_told_to_stop(void);
