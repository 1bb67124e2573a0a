#include "schema/models/outbox.h"

/* clang-format off */
MODEL(OutboxNew,
	FIELD(OutboxNew, id),
	FIELD(OutboxNew, kind),
	FIELD(OutboxNew, payload, .object = true, .secret = true));

MODEL(OutboxItem,
	FIELD(OutboxItem, id),
	FIELD(OutboxItem, kind),
	FIELD(OutboxItem, payload, .object = true, .secret = true),
	FIELD(OutboxItem, attempts),
	FIELD(OutboxItem, created_at));

MODEL(OutboxNext,
	FIELD(OutboxNext, left_ms),
	FIELD(OutboxNext, waiting));

MODEL(OutboxState,
	FIELD(OutboxState, attempts),
	FIELD(OutboxState, last_error),
	FIELD(OutboxState, done_at),
	FIELD(OutboxState, gave_up_at));

MODEL(OutboxCount,
	FIELD(OutboxCount, kind),
	FIELD(OutboxCount, waiting),
	FIELD(OutboxCount, oldest_at),
	FIELD(OutboxCount, done),
	FIELD(OutboxCount, gave_up),
	FIELD(OutboxCount, last_error));
/* clang-format on */
