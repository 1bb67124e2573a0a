#pragma once

/*
 * The parent: watches its workers and their keeper, reloads, drains. It serves nobody and
 * parses nothing from a client.
 *
 * TERM, INT or QUIT: workers finish what they have begun, within pool.drain_ms, then the keeper
 * ends, then it returns. HUP: the configuration is read anew; a bad one changes nothing. Of a
 * good one new workers and a new keeper are made, and only when they can serve are the old ones
 * told to finish.
 */

#include "fcgi/listen.h"

typedef struct ParentStart {
	Board *board;
	Listener listeners[SOCKETS];
	int lock_fd;
	const char *file;        /* of settings; NULL: none */
	const char *const *sets; /* of the command line */
	size_t n_sets;
} ParentStart;

/* Returns the exit status. conf is set and owned by the parent from now on. */
int parent_run(const ParentStart *start) MUST_USE;

/* A number that changes with the table of routes; counters by route belong to it. */
uint64_t routes_hash(void);
