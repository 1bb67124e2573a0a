#pragma once

/* What operators ask: is it alive, can it work, what is it doing? */

#include "common/model.h"

typedef struct Health {
	Str status;
} Health;
MODEL_OF(Health);

/* "ok", or what fails. */
typedef struct Ready {
	Str status, database, schema, keys, redis;
} Ready;
MODEL_OF(Ready);

typedef struct StatusWorker {
	int64_t pid, slot;
	Str state;
	OptStr route, request_id;
	int64_t since_ms, requests, memory_bytes;
} StatusWorker;
MODEL_OF(StatusWorker);

typedef struct StatusLane {
	Str name;
	int64_t in_use;
} StatusLane;
MODEL_OF(StatusLane);

typedef struct StatusKeeper {
	int64_t pid; /* 0: it is being replaced */
} StatusKeeper;
MODEL_OF(StatusKeeper);

typedef struct Status {
	int64_t pid;
	Str version;
	Instant started_at;
	List workers; /* of StatusWorker */
	StatusKeeper keeper;
	List lanes; /* of StatusLane */
	int64_t listen_queue;
} Status;
MODEL_OF(Status);
