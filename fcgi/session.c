#include "fcgi/session.h"

#include "common/db.h"
#include "fcgi/audit.h"
#include "fcgi/keys.h"
#include "fcgi/refresh.h"
#include "queries.gen.h"

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

const Problem *
session_claims(Req *rq, bool ended_too, Claims *claims, bool *found)
{
	JwtRules rules = {
		.find = keys_find,
		.issuer = str_of(conf->auth_issuer),
		.audience = str_of(conf->auth_audience),
		.now = clock_now(),
		.ended_too = ended_too,
	};
	Str token;

	TRY(bearer_token(rq, &token));
	*found = token.n > 0;
	return *found ? jwt_read(rq->ctx, token, &rules, claims) : NULL;
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

const Problem *
session_admit(Req *rq)
{
	SessionRights row;
	Claims claims;
	bool found;

	if (rq->route->own_token)
		return NULL;
	TRY(session_claims(rq, false, &claims, &found));
	if (!found)
		return NULL;
	TRY(q_session_rights(rq->ctx, claims.sid, claims.roles, &row, &found));
	if (!found || row.ended || row.status == USER_DISABLED)
		return problem(P_session_revoked);
	if (!uuid_eq(row.user_id, claims.sub) || claims.gen > row.gen)
		return problem_inside(rq->ctx, P_token_invalid,
		                      "the token is not of its session");
	rq->caller = (Caller){
		.known = true,
		.user_id = row.user_id,
		.session_id = claims.sid,
		.permissions = row.permissions,
		.rights = rights_of(row.permissions),
	};
	return NULL;
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
