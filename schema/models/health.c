#include "schema/models/health.h"

/* clang-format off */
MODEL(Health,
	FIELD(Health, status, .about = "ok while the process serves"));

MODEL(Ready,
	FIELD(Ready, status,   .about = "ok"),
	FIELD(Ready, database, .about = "ok when the database answers"),
	FIELD(Ready, schema,   .about = "ok when the database has what the program was built for"),
	FIELD(Ready, keys,     .about = "ok when there is a key to sign with"),
	FIELD(Ready, redis,    .about = "ok, off, or degraded: everything works without it"));

MODEL(StatusWorker,
	FIELD(StatusWorker, pid),
	FIELD(StatusWorker, slot,         .about = "its place on the board"),
	FIELD(StatusWorker, state,        .about = "starting, idle, busy or draining"),
	FIELD(StatusWorker, route,        .nullable = true, .about = "of the request it serves"),
	FIELD(StatusWorker, request_id,   .nullable = true, .about = "of the request it serves"),
	FIELD(StatusWorker, since_ms,     .about = "time in this state, ms"),
	FIELD(StatusWorker, requests,     .about = "served so far"),
	FIELD(StatusWorker, memory_bytes, .about = "resident memory"));

MODEL(StatusLane,
	FIELD(StatusLane, name),
	FIELD(StatusLane, in_use, .about = "workers that routes of this lane hold"));

MODEL(StatusKeeper,
	FIELD(StatusKeeper, pid, .about = "0 while it is replaced"));

MODEL(Status,
	FIELD(Status, pid,          .about = "of the parent"),
	FIELD(Status, version),
	FIELD(Status, started_at),
	FIELD_OF(Status, workers, StatusWorker),
	FIELD_OF(Status, keeper, StatusKeeper),
	FIELD_OF(Status, lanes, StatusLane),
	FIELD(Status, listen_queue, .about = "connections that wait to be accepted"));
/* clang-format on */
