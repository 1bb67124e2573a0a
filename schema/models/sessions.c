#include "schema/models/sessions.h"

/* clang-format off */
MODEL(SessionNew,
	FIELD(SessionNew, id),
	FIELD(SessionNew, user_id),
	FIELD(SessionNew, kid),
	FIELD(SessionNew, address),
	FIELD(SessionNew, user_agent),
	FIELD(SessionNew, amr));

MODEL(Session,
	FIELD(Session, id),
	FIELD(Session, user_id),
	FIELD(Session, kid),
	FIELD(Session, gen),
	FIELD(Session, acked_at),
	FIELD(Session, handed_at),
	FIELD(Session, replays),
	FIELD(Session, created_at),
	FIELD(Session, idle_expires_at),
	FIELD(Session, absolute_expires_at),
	FIELD(Session, revoked_at),
	FIELD(Session, revoke_reason),
	FIELD(Session, address),
	FIELD(Session, user_agent),
	FIELD(Session, amr),
	FIELD(Session, auth_time));

MODEL(SessionRights,
	FIELD(SessionRights, user_id),
	FIELD(SessionRights, status, .names = user_status_names),
	FIELD(SessionRights, ended),
	FIELD(SessionRights, left_ms),
	FIELD(SessionRights, gen),
	FIELD(SessionRights, acked),
	FIELD(SessionRights, permissions));
/* clang-format on */
