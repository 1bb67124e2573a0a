#include "common/db.h"
#include "common/password.h"
#include "fcgi/audit.h"
#include "fcgi/handlers.h"
#include "fcgi/hashing.h"
#include "fcgi/keys.h"
#include "fcgi/refresh.h"
#include "fcgi/revoke.h"
#include "fcgi/session.h"
#include "queries.gen.h"

/* Roles of an account that somebody makes for himself. */
static const StrList new_roles = { (Str[]){ { "user", 4 } }, 1 };

/* What a password may not be, besides what its form says. */
static const Problem *
password_check(Req *rq, Str password, Str email)
{
	if (str_eq_nocase(password, email))
		return problem_field(rq->ctx, "/password", F_not_allowed);
	if (password_is_common(password))
		return problem_field(rq->ctx, "/password", F_breached);
	return NULL;
}

/* The account, its first session and the trail, all or nothing. */
static const Problem *
register_write(Req *rq, const UserNew *new, LoginOut *out)
{
	TRY(db_begin(rq->ctx));
	TRY(q_user_insert(rq->ctx, new, &out->user));
	TRY(audit(rq, "user.register", &new->id, uuid_str(rq->ctx->arena, new->id), STR_NONE));
	return session_open(rq, out);
}

/* Make an account and log in. The password is hashed before the transaction begins. */
const Problem *
auth_register(Req *rq, const RegisterIn *in, LoginOut *out)
{
	UserNew new = {
		.id = uuid7_make(),
		.email = in->email,
		.display_name = in->display_name,
		.status = USER_ACTIVE,
		.roles = new_roles,
	};
	const Problem *p;

	if (!str_eq(str_of(conf->auth_registration), S("open")))
		return problem(P_forbidden);
	TRY(password_check(rq, in->password, in->email));
	TRY(hashing_make(rq, in->password, &new.password_hash.v));
	new.password_hash.has = true;
	p = register_write(rq, &new, out);
	if (p != NULL) {
		db_rollback(rq->ctx);
		return p;
	}
	answer_location(rq, "/v1/users/%.*s", STR_ARG(uuid_str(rq->ctx->arena, new.id)));
	return NULL;
}

/*
 * A login that was refused, for the trail. Of an account that does not exist the address typed
 * is not kept: it may be a password typed into the wrong field.
 */
static const Problem *
login_refused(Req *rq, const Credentials *known, const Problem *refusal)
{
	Str id = known == NULL ? STR_NONE : uuid_str(rq->ctx->arena, known->id);
	Str detail =
	    str_print(rq->ctx->arena, "{\"code\":\"%s\"}", problem_rows[refusal->code].code);
	const Problem *p = db_begin(rq->ctx);

	if (p == NULL)
		p = audit(rq, "session.login_refused", known == NULL ? NULL : &known->id, id,
		          detail);
	if (p == NULL)
		p = db_commit(rq->ctx);
	if (p != NULL)
		db_rollback(rq->ctx);
	return p != NULL ? p : refusal;
}

static const Problem *
login_write(Req *rq, const Credentials *known, Str fresh, LoginOut *out)
{
	TRY(db_begin(rq->ctx));
	if (fresh.n > 0)
		TRY(q_user_rehash_queue(rq->ctx, known->id, known->password_hash.v, fresh));
	TRY(q_user_get(rq->ctx, known->id, &out->user));
	if (out->user.status == USER_DISABLED)
		return problem(P_account_disabled);
	TRY(audit(rq, "session.login", &known->id, uuid_str(rq->ctx->arena, known->id),
	          STR_NONE));
	return session_open(rq, out);
}

/*
 * Begin a session. Whether the account exists shows neither in the answer nor in its time; what
 * is wrong with an account shows only after a right password.
 */
const Problem *
auth_login(Req *rq, const LoginIn *in, LoginOut *out)
{
	Credentials known = { .status = USER_ACTIVE };
	bool found = false, right = false;
	const Problem *p;
	Str fresh;

	TRY(q_user_login(rq->ctx, in->email, &known, &found));
	TRY(hashing_verify(rq, in->password,
	                   known.password_hash.has ? known.password_hash.v : STR_NONE, &right,
	                   &fresh));
	if (!right)
		return login_refused(rq, found ? &known : NULL, problem(P_invalid_credentials));
	if (known.status == USER_DISABLED)
		return login_refused(rq, &known, problem(P_account_disabled));
	if (known.status == USER_UNVERIFIED)
		return login_refused(rq, &known, problem(P_email_unverified));
	p = login_write(rq, &known, fresh, out);
	if (p != NULL)
		db_rollback(rq->ctx);
	return p;
}

/* Which session a refresh token belongs to, and whose it is. */
static const Problem *
refresh_session(Req *rq, Str text, Uuid *session_id, Uuid *user_id)
{
	RefreshToken token;
	Session session;
	bool found;
	Hmac *hmac;

	if (!refresh_read(rq->ctx->arena, text, &token))
		return problem(P_refresh_invalid);
	TRY(q_session_get(rq->ctx, token.session_id, &session, &found));
	if (!found)
		return problem(P_refresh_invalid);
	TRY(keys_secret_of(rq->ctx, "refresh", session.kid, &hmac));
	if (hmac == NULL || !refresh_signed(hmac, &token) || token.gen > session.gen)
		return problem(P_refresh_invalid);
	*session_id = session.id;
	*user_id = session.user_id;
	return NULL;
}

/* End the session of an access token, even an expired one, or of a refresh token. */
const Problem *
auth_logout(Req *rq, const LogoutIn *in, Nothing *out)
{
	Uuid session_id, user_id;
	Claims claims;
	int64_t ended;
	bool found;

	(void)out;
	TRY(session_claims(rq, true, &claims, &found));
	if (found) {
		session_id = claims.sid;
		user_id = claims.sub;
	} else if (in->refresh_token.has) {
		TRY(refresh_session(rq, in->refresh_token.v, &session_id, &user_id));
	} else {
		return problem(P_token_missing);
	}
	TRY(q_session_revoke(rq->ctx, session_id, S("logout"), &ended));
	if (ended == 0)
		return NULL; /* it had ended before */
	TRY(revoke_session(rq->ctx, session_id));
	return audit(rq, "session.logout", &user_id, uuid_str(rq->ctx->arena, session_id),
	             STR_NONE);
}

/*
 * The public keys. Clients keep them for minutes and ask again when they meet a kid they do not
 * know.
 */
const Problem *
auth_jwks(Req *rq, const Nothing *in, Nothing *out)
{
	Buf text = { .arena = rq->ctx->arena };

	(void)in;
	(void)out;
	TRY(keys_set(rq->ctx, &text));
	rq->cache = "public, max-age=300";
	answer_raw(rq, buf_str(&text));
	return NULL;
}
