#pragma once

/* One thing that somebody did, for the trail. */

#include "common/model.h"

typedef struct AuditNew {
	OptUuid actor_id;
	Str action; /* "user.patch" */
	OptStr target, address, user_agent, request_id;
	OptJson detail; /* an object; nothing: empty */
} AuditNew;
MODEL_OF(AuditNew);
