#pragma once

/*
 * What a piece of work carries: its memory, its deadline, its connections.
 *
 * One for each request, one for each run of a tool. Everything that can fail takes it first.
 */

#include "common/clock.h"
#include "common/uuid.h"

typedef struct Ctx {
	Arena *arena;
	Deadline deadline;
	struct Db *db;             /* NULL where there is no database */
	struct Cache *cache;       /* NULL where there is no Redis */
	struct Upstream *upstream; /* NULL where nothing is called */
	Str request_id;            /* sent upstream and logged */
	Str traceparent;           /* W3C, ours; sent upstream; none when there is no request */
	struct Revoked *revoked; /* what fcgi/revoke.h has to do when the transaction is over */
} Ctx;
