#include "fcgi/session.h"

#include "common/db.h"
#include "fcgi/audit.h"
#include "fcgi/copies.h"
#include "fcgi/keys.h"
#include "fcgi/refresh.h"
#include "fcgi/revoke.h"
#include "fcgi/tokens.h"
#include "queries.gen.h"

static const int64_t claims_ms_most = INT64_C(86400000); /* tokens live no longer */

/* The token of "Bearer token"; two headers joined by a comma are none. */
static const Problem *
bearer_token(const Req *rq, Str *token)
{
	Str header = req_header(rq, "HTTP_AUTHORIZATION");
	Str scheme = str_sub(header, 0, str_find(header, ' '));

	*token = STR_NONE;
	if (header.p == NULL)
		return NULL;
	if (!str_eq_nocase(scheme, S("Bearer")))
		return problem_inside(rq->ctx, P_token_invalid,
		                      "the scheme of Authorization is not Bearer");
	*token = str_trim(str_sub(header, scheme.n, header.n));
	if (token->n == 0)
		return problem_inside(rq->ctx, P_token_invalid, "Authorization holds no token");
	return NULL;
}

static const Problem *
claims_read(Req *rq, Str token, bool ended_too, Claims *claims)
{
	JwtRules rules = {
		.find = keys_find,
		.issuer = str_of(conf->auth_issuer),
		.audience = str_of(conf->auth_audience),
		.now = clock_now(),
		.ended_too = ended_too,
	};

	return jwt_read(rq->ctx, token, &rules, claims);
}

const Problem *
session_claims(Req *rq, bool ended_too, Claims *claims, bool *found)
{
	Str token;

	TRY(bearer_token(rq, &token));
	*found = token.n > 0;
	return *found ? claims_read(rq, token, ended_too, claims) : NULL;
}

/* Bits of the permissions that routes ask for. */
static uint64_t
rights_of(StrList permissions)
{
	uint64_t rights = 0;

	for (size_t i = 0; i < permissions.n; i++)
		for (unsigned who = 0; who < WHOS; who++)
			if (permission_names[who] != NULL &&
			    str_eq(permissions.v[i], str_of(permission_names[who])))
				rights |= UINT64_C(1) << who;
	return rights;
}

static void
caller_set(Req *rq, Uuid session_id, StrList roles, const SessionRights *row)
{
	rq->caller = (Caller){
		.known = true,
		.user_id = row->user_id,
		.session_id = session_id,
		.roles = roles,
		.permissions = row->permissions,
		.rights = rights_of(row->permissions),
	};
}

/* What the database gives to a session whose token names these roles. */
static const Problem *
rights_ask(Req *rq, Uuid session_id, StrList roles, SessionRights *row)
{
	bool found;

	TRY(q_session_rights(rq->ctx, session_id, roles, row, &found));
	if (!found || row->ended || row->status == USER_DISABLED)
		return problem(P_session_revoked);
	caller_set(rq, session_id, roles, row);
	return NULL;
}

const Problem *
session_confirm(Req *rq)
{
	Who who = rq->route->who;
	SessionRights row;

	if (!rq->caller.known)
		return NULL;
	TRY(rights_ask(rq, rq->caller.session_id, rq->caller.roles, &row));
	return who == bearer || caller_may(rq, who) ? NULL : problem(P_forbidden);
}

/* ------------------------------------------------------------- tokens that were seen before */

/* Note what the rights of these claims depend on; false when they are not to be kept. */
static bool
epochs_note(const Board *board, const Claims *claims, uint64_t keys_sum, Token *token)
{
	size_t n = 0;

	if (claims->roles.n + 3 > TOKENS_EPOCHS)
		return false;
	token->epochs[n++] = revoke_keys_epoch();
	token->epochs[n++] = revoke_uuid_epoch(EPOCH_SESSION, claims->sid);
	token->epochs[n++] = revoke_uuid_epoch(EPOCH_USER, claims->sub);
	for (size_t i = 0; i < claims->roles.n; i++)
		token->epochs[n++] = board_epoch_of(EPOCH_ROLE, claims->roles.v[i]);
	token->n_epochs = n;
	token->sum = board_epochs_sum(board, token->epochs, n);
	/* the key that verified it may have gone in the meantime */
	return keys_epoch() == keys_sum;
}

static bool
is_of(const Claims *claims, const SessionRights *row)
{
	return uuid_eq(row->user_id, claims->sub) && claims->gen <= row->gen;
}

/*
 * A host that hears nothing does with a copy of the rights. One that does not know of the
 * token's generation is too old for it, young as it may be.
 */
static bool
copy_take(Req *rq, const Claims *claims, const Token *token, CopyAsked *asked)
{
	const CopyOf of = { claims->sid, claims->roles, token->epochs, token->n_epochs };
	SessionRights row;

	if (rq->route->fresh || revoke_hears(rq->board) || !copies_find(rq, &of, asked, &row) ||
	    !is_of(claims, &row))
		return false;
	board_count_add(rq->board, COUNT_CACHE_COPIES, 1);
	caller_set(rq, claims->sid, claims->roles, &row);
	return true;
}

/* Verify the token and ask the database, unless a copy does; keep what it says. */
static const Problem *
session_ask(Req *rq, Str bytes, const uint8_t digest[SHA256_BYTES])
{
	uint64_t keys_sum = keys_epoch();
	CopyAsked asked = { 0 };
	SessionRights row;
	Token token = { 0 };
	Claims claims;
	bool keep;

	TRY(claims_read(rq, bytes, false, &claims));
	keep = epochs_note(rq->board, &claims, keys_sum, &token);
	if (keep && copy_take(rq, &claims, &token, &asked))
		return NULL;
	TRY(rights_ask(rq, claims.sid, claims.roles, &row));
	if (!is_of(&claims, &row)) {
		rq->caller = (Caller){ 0 };
		return problem_inside(rq->ctx, P_token_invalid,
		                      "the token is not of its session");
	}
	copies_put(rq, &asked, &row);
	token.nbf_s = claims.nbf - JWT_LEEWAY_S;
	token.exp_s = claims.exp + JWT_LEEWAY_S;
	token.until_us = clock_mono_us() + MIN(row.left_ms, claims_ms_most) * 1000;
	token.caller = rq->caller;
	if (keep)
		tokens_keep(digest, &token);
	return NULL;
}

const Problem *
session_admit(Req *rq)
{
	uint8_t digest[SHA256_BYTES];
	Str token;

	if (rq->route->own_token)
		return NULL;
	TRY(bearer_token(rq, &token));
	if (token.n == 0)
		return NULL;
	sha256(token, digest);
	if (!rq->route->fresh && revoke_hears(rq->board) &&
	    tokens_find(digest, rq->board, rq->ctx->arena, &rq->caller))
		return NULL;
	return session_ask(rq, token, digest);
}

/* ------------------------------------------------------------------ new sessions */

static const Problem *
access_make(Req *rq, const User *user, const Session *session, Str *token)
{
	int64_t now_s = clock_now().us / 1000000;
	Claims claims = {
		.iss = str_of(conf->auth_issuer),
		.aud = str_of(conf->auth_audience),
		.sub = user->id,
		.sid = session->id,
		.jti = uuid7_make(),
		.iat = now_s,
		.nbf = now_s,
		.exp = now_s + conf->auth_access_ttl_s,
		.gen = session->gen,
		.roles = user->roles,
	};
	Key *key;
	Str kid;

	TRY(keys_signer(rq->ctx, &key, &kid));
	return jwt_make(rq->ctx, key, kid, &claims, token);
}

const Problem *
session_open(Req *rq, LoginOut *out)
{
	Ctx *ctx = rq->ctx;
	Str address = address_text(ctx->arena, rq->address), agent = user_agent(rq);
	SessionNew new = {
		.id = uuid7_make(),
		.user_id = out->user.id,
		.address = { .given = true, .has = address.n > 0, .v = address },
		.user_agent = { .given = true, .has = agent.n > 0, .v = agent },
		.amr = { (Str[]){ S("pwd") }, 1 },
	};
	Session session;
	Hmac *hmac;

	TRY(keys_secret(ctx, "refresh", &new.kid, &hmac));
	session = (Session){ .id = new.id, .gen = 1 };
	TRY(access_make(rq, &out->user, &session, &out->access_token));
	out->token_type = S("Bearer");
	out->expires_in = conf->auth_access_ttl_s;
	out->refresh_token = refresh_make(ctx->arena, hmac, session.id, session.gen);
	out->refresh_expires_in = MIN(conf->auth_refresh_idle_s, conf->auth_refresh_absolute_s);
	db_last(ctx);
	return q_session_insert(ctx, conf->auth_refresh_idle_s, conf->auth_refresh_absolute_s,
	                        &new, &session);
}
