#pragma once

/*
 * Sessions: one row each, from login to its end. The state machine of refresh tokens lives on
 * them.
 */

#include "schema/models/accounts.h"

/* A row to insert. kid: of the secret that signs its refresh tokens. */
typedef struct SessionNew {
	Uuid id, user_id;
	Str kid;
	OptStr address, user_agent;
	StrList amr; /* how the user proved who it is: RFC 8176 */
} SessionNew;
MODEL_OF(SessionNew);

typedef struct Session {
	Uuid id, user_id;
	Str kid;
	int64_t gen;       /* generation of the refresh token handed out last, from 1 */
	OptTime acked_at;  /* when it was first used, which proves that the client has it */
	Instant handed_at; /* when it was last given out */
	int64_t replays;   /* how often the generation before was shown since */
	Instant created_at, idle_expires_at, absolute_expires_at;
	OptTime revoked_at;
	OptStr revoke_reason, address, user_agent;
	StrList amr;
	Instant auth_time;
} Session;
MODEL_OF(Session);

/* What a request may do, asked by the session of its access token. */
typedef struct SessionRights {
	Uuid user_id;
	UserStatus status;
	bool ended;      /* revoked or expired */
	int64_t left_ms; /* until it expires */
	int64_t gen;
	bool acked;
	StrList permissions; /* of the roles that the user has and the token names */
} SessionRights;
MODEL_OF(SessionRights);
