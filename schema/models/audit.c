#include "schema/models/audit.h"

/* clang-format off */
MODEL(AuditNew,
	FIELD(AuditNew, actor_id),
	FIELD(AuditNew, action),
	FIELD(AuditNew, target),
	FIELD(AuditNew, address),
	FIELD(AuditNew, user_agent),
	FIELD(AuditNew, request_id),
	FIELD(AuditNew, detail, .object = true));
/* clang-format on */
