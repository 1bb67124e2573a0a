#pragma once

/*
 * The parent's children: started, watched, replaced, told to end.
 *
 * Workers of the target generation are kept at pool.workers. One that dies before it can serve,
 * or within a second of its start without having served, delays the next start, ever longer, and
 * until starts succeed again they are made one at a time: never a storm of forks.
 */

#include "common/board.h"

typedef struct Pool Pool;

/* lock_fd is closed in children. Free it with pool_free(), when all of them have ended. */
Pool *pool_make(Board *board, int listen_fd, bool tcp, int lock_fd);
void pool_free(Pool *pool);

/* The generation that is kept whole from now on. Others are not replaced. */
void pool_target(Pool *pool, uint32_t generation);

/* Look at children that have died, stopped or gone on. */
void pool_reap(Pool *pool);

/* Start what is missing of the target generation, as far as the delay allows. */
void pool_fill(Pool *pool);

/* Tell all workers of a generation, or of all others, to finish and end. */
void pool_end(Pool *pool, uint32_t generation);
void pool_end_others(Pool *pool, uint32_t generation);

/* Kill what is past its hard limit, stopped, or too long at its end. Notes who can serve. */
void pool_watch(Pool *pool);

/* Living workers of a generation that were not told to end; those of them that can serve. */
size_t pool_count(const Pool *pool, uint32_t generation);
size_t pool_ready(const Pool *pool, uint32_t generation);
size_t pool_all(const Pool *pool);

/* Has a worker of this generation failed at its start? */
bool pool_failed(const Pool *pool, uint32_t generation);

/* How long the parent may sleep, in milliseconds, unless a signal comes. */
int pool_sleep_ms(const Pool *pool);
