/* posternctl key: the keys that access tokens are signed with, and the secrets of the rest. */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/db.h"
#include "common/encode.h"
#include "fcgi/ctl.h"
#include "fcgi/ctl_db.h"
#include "fcgi/keys.h"
#include "fcgi/revoke.h"
#include "queries.gen.h"

enum { SECRET_BYTES = 32, NAME_BYTES = 9 };

static const int64_t always_s = INT64_C(100) * 365 * 86400;

static const char usage[] = "usage: posternctl key new | list | retire KID\n";

/*
 * A secret of each use that has none yet: they are not signed with by anybody else, and stay.
 */
static const Problem *
secrets_complete(Ctx *ctx)
{
	for (size_t i = 0; key_secret_names[i] != NULL; i++) {
		uint8_t value[SECRET_BYTES], name[NAME_BYTES];
		const Problem *p;
		List list;

		TRY(q_secret_list(ctx, str_of(key_secret_names[i]), &list));
		if (list.n > 0)
			continue;
		random_bytes(value, sizeof value);
		random_bytes(name, sizeof name);
		p = q_secret_insert(ctx, str_of(key_secret_names[i]),
		                    base64url(ctx->arena, name, sizeof name),
		                    (Str){ (const char *)value, sizeof value });
		explicit_bzero(value, sizeof value);
		TRY(p);
	}
	return NULL;
}

static const Problem *
key_write(Ctx *ctx, const Key *key, Str kid)
{
	Str public_text = key_public_text(ctx->arena, key);
	SigningKeyNew row = {
		.kid = kid,
		.alg = str_of(key_alg_names[key_alg(key)]),
		.private_pem = key_text(ctx->arena, key),
		.public_pem = { .given = true, .has = public_text.n > 0, .v = public_text },
	};

	TRY(db_begin(ctx));
	TRY(secrets_complete(ctx));
	TRY(q_signing_key_insert(ctx, &row));
	TRY(revoke_key(ctx, kid));
	return db_commit(ctx);
}

/*
 * Make a key of auth.algorithm, which running servers sign with within a second. Prints its
 * kid.
 */
static int
key_new(Ctx *ctx, const Settings *settings)
{
	const Problem *p;
	KeyAlg alg;
	Key *key;
	Str kid;

	CHECK(key_alg_of(str_of(settings->auth_algorithm), &alg));
	key = key_make(alg);
	kid = key_thumbprint(ctx->arena, key);
	p = key_write(ctx, key, kid);
	key_close(key);
	if (p != NULL) {
		db_rollback(ctx);
		return ctl_problem(ctx, p);
	}
	return ctl_print(str_print(ctx->arena, "%.*s\n", STR_ARG(kid)));
}

/* The newest key of auth.algorithm that is not retired; NULL when there is none. */
static const SigningKey *
signer_of(const List *list, const Settings *settings)
{
	const SigningKey *rows = list->v;

	for (size_t i = 0; i < list->n; i++)
		if (!rows[i].retired_at.has &&
		    str_eq(rows[i].alg, str_of(settings->auth_algorithm)))
			return &rows[i];
	return NULL;
}

static int
key_list(Ctx *ctx, const Settings *settings)
{
	Buf out = { .arena = ctx->arena };
	const SigningKey *rows, *signer;
	const Problem *p;
	List list;

	p = q_signing_key_list(ctx, always_s, &list);
	if (p != NULL)
		return ctl_problem(ctx, p);
	rows = list.v;
	signer = signer_of(&list, settings);
	for (size_t i = 0; i < list.n; i++) {
		Str made = instant_text(ctx->arena, rows[i].created_at);

		buf_print(&out, "%.*s\t%.*s\t%.*s\t", STR_ARG(rows[i].kid),
		          STR_ARG(rows[i].alg), STR_ARG(made));
		if (rows[i].retired_at.has)
			buf_print(&out, "retired %.*s\n",
			          STR_ARG(instant_text(ctx->arena, rows[i].retired_at.v)));
		else
			buf_puts(&out, &rows[i] == signer ? "signs\n" : "verifies\n");
	}
	return ctl_print(buf_str(&out));
}

/* A key without a successor is kept, or nobody could log in. */
static const Problem *
retire_write(Ctx *ctx, const Settings *settings, Str kid, bool *last, int64_t *rows)
{
	const SigningKey *signer;
	List list;

	TRY(db_begin(ctx));
	TRY(q_signing_keys_lock(ctx, &list));
	TRY(q_signing_key_retire(ctx, kid, rows));
	TRY(q_signing_key_list(ctx, always_s, &list));
	signer = signer_of(&list, settings);
	*last = signer == NULL;
	if (*last || *rows == 0) {
		db_rollback(ctx);
		return NULL;
	}
	TRY(revoke_key(ctx, kid));
	return db_commit(ctx);
}

static int
key_retire(Ctx *ctx, const Settings *settings, Str kid)
{
	const Problem *p;
	bool last = false;
	int64_t rows = 0;

	p = retire_write(ctx, settings, kid, &last, &rows);
	if (p != NULL) {
		db_rollback(ctx);
		return ctl_problem(ctx, p);
	}
	if (rows == 0) {
		fprintf(stderr, "posternctl: no key %.*s that is not retired\n", STR_ARG(kid));
		return EX_DATAERR;
	}
	if (last) {
		fprintf(stderr, "posternctl: no other key signs: make one first (key new)\n");
		return EX_DATAERR;
	}
	return EX_OK;
}

int
ctl_key(int argc, char **argv, const Settings *settings)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int status = EX_USAGE;
	Ctx *ctx = ctl_db_open(settings);

	if (strcmp(verb, "new") == 0 && argc == 2)
		status = key_new(ctx, settings);
	else if (strcmp(verb, "list") == 0 && argc == 2)
		status = key_list(ctx, settings);
	else if (strcmp(verb, "retire") == 0 && argc == 3)
		status = key_retire(ctx, settings, str_of(argv[2]));
	else
		fputs(usage, stderr);
	ctl_db_close(ctx, settings);
	return status;
}
