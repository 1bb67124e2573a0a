#pragma once

/*
 * The parent's children: started, watched, replaced, told to end.
 *
 * Workers of the target generation are kept at pool.workers, beside one keeper. One that dies
 * before it can serve, or within a second of its start without having served, delays the next
 * start of its kind, ever longer, and until starts succeed again they are made one at a time:
 * never a storm of forks.
 */

#include "fcgi/listen.h"

typedef struct Pool Pool;

/* The listeners live as long as the pool. lock_fd is closed in children. */
typedef struct PoolStart {
	Board *board;
	const Listener *serving, *status;
	int lock_fd;
} PoolStart;

/* Free it with pool_free(), when all children have ended. */
Pool *pool_make(const PoolStart *start);
void pool_free(Pool *pool);

/* The generation that is kept whole from now on. Others are not replaced. */
void pool_target(Pool *pool, uint32_t generation);

/* Look at children that have died, stopped or gone on. */
void pool_reap(Pool *pool);

/* Start what is missing of a kind of the target generation, as far as the delay allows. */
void pool_fill(Pool *pool, SlotKind kind);

/* Tell those of a kind that are not of this generation to finish and end. */
void pool_end_others(Pool *pool, SlotKind kind, uint32_t generation);

/* Kill what is past its hard limit, stopped, or too long at its end. Notes who can serve. */
void pool_watch(Pool *pool);

/* Those of a generation that can serve and were not told to end; all that are alive. */
size_t pool_ready(const Pool *pool, SlotKind kind, uint32_t generation);
size_t pool_all(const Pool *pool, SlotKind kind);

/* Why a child of this generation could not start, in words; NULL: none has failed so. */
const char *pool_failed(const Pool *pool, uint32_t generation);

/* How long the parent may sleep, in milliseconds, unless a signal comes. */
int pool_sleep_ms(const Pool *pool);
