#pragma once

/* What is to be done when a transaction has committed, as rows. */

#include "common/model.h"

typedef struct OutboxNew {
	Uuid id;
	Str kind;
	Json payload; /* an object, of the kind's own model */
} OutboxNew;
MODEL_OF(OutboxNew);

/* A row that was taken up. */
typedef struct OutboxItem {
	Uuid id;
	Str kind;
	Json payload;
	int64_t attempts; /* this one counted in; no other attempt has this number */
	Instant created_at;
} OutboxItem;
MODEL_OF(OutboxItem);

typedef struct OutboxNext {
	OptInt left_ms;  /* until a row is due, 0 or less when one is; none: there is none */
	int64_t waiting; /* rows of other kinds */
} OutboxNext;
MODEL_OF(OutboxNext);

typedef struct OutboxState {
	int64_t attempts;
	OptStr last_error;
	OptTime done_at, gave_up_at;
} OutboxState;
MODEL_OF(OutboxState);

typedef struct OutboxCount {
	Str kind;
	int64_t waiting, done, gave_up;
	OptTime oldest_at; /* of those that wait */
	OptStr last_error;
} OutboxCount;
MODEL_OF(OutboxCount);
