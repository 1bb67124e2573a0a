#pragma once

/*
 * Messages of the database (NOTIFY), on a connection of its own, without ever waiting.
 *
 * Hearing nothing proves nothing: the connection may be dead, or the server's end of it, or a
 * pooler may have given it to somebody else. So a message of our own is sent every ping_ms, and
 * what is true when it comes back is told to proved(): messages come in the order of their
 * COMMITs. No answer within answer_ms, and the connection is made anew, at the next host, with
 * the back-off of common/db.h.
 */

#include "common/clock.h"

typedef struct DbListen DbListen;

typedef struct DbListenConfig {
	const char *dsn, *name; /* as in DbConfig */
	const char *channel;    /* of [a-z_] */
	int ping_ms, answer_ms;

	/* A message; words live until it returns. Ours begin with "p:" and are not told. */
	void (*heard)(void *to, Str words);
	/* We listen from here on: what was sent before may have been missed. */
	void (*begun)(void *to);
	/* All that was committed before at_us (monotonic) has been heard. */
	void (*proved)(void *to, int64_t at_us);
	/* The connection is lost; why lives until it returns. */
	void (*lost)(void *to, Str why);
	void *to;
} DbListenConfig;

/* Resolves host names now. Copies what config points at. */
DbListen *db_listen_open(const DbListenConfig *config);
void db_listen_close(DbListen *listen);

/* Do what can be done at this moment. */
void db_listen_step(DbListen *listen);

/* When there is something to do again: these poll() events on this descriptor (-1: none) ... */
int db_listen_socket(const DbListen *listen, short *events);
/* ... or this moment. Both change with each step. */
Deadline db_listen_due(const DbListen *listen);
