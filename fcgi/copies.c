#include "fcgi/copies.h"

#include "common/cache.h"
#include "common/encode.h"
#include "common/json.h"
#include "fcgi/keys.h"

enum { COPY_BYTES_MAX = 16384 }; /* a longer one is not put */

/*
 * Codes are made with the secret of cursors, so that a deployment needs no other. What a
 * cursor's code is made of is a path and begins with '/', so neither is ever taken for the
 * other. The number is that of the row's form: programs of different releases do not read each
 * other's.
 */
static const char secret_name[] = "cursor", code_use[] = "rights 1";

static Str
code_make(Arena *arena, Hmac *hmac, Str key, Str text)
{
	uint8_t code[SHA256_BYTES];
	Buf bytes = { .arena = arena };

	buf_print(&bytes, "%s\n%.*s\n", code_use, STR_ARG(key));
	buf_put(&bytes, text);
	hmac_sha256(hmac, buf_str(&bytes), code);
	return base64url(arena, code, sizeof code);
}

Str
copy_seal(Arena *arena, Hmac *hmac, const CopyAsked *asked, const SessionRights *row)
{
	Buf text = { .arena = arena }, copy = { .arena = arena };

	buf_print(&text, "%lld.%lld.", (long long)asked->stamp_ms, (long long)asked->at_ms);
	json_write(&text, &SessionRights_model, row);
	buf_put(&copy, code_make(arena, hmac, asked->key, buf_str(&text)));
	buf_byte(&copy, '.');
	buf_put(&copy, buf_str(&text));
	return buf_str(&copy);
}

/* Does now lie from `from` up to (not with) `to` ms after then? A clock may say anything. */
static bool
lies_within(int64_t now, int64_t then, int64_t from, int64_t to)
{
	int64_t age;

	return !__builtin_sub_overflow(now, then, &age) && age >= from && age < to;
}

bool
copy_open(Ctx *ctx, Hmac *hmac, const CopyAsked *now, Str copy, SessionRights *row)
{
	Str code, stamp, at;
	int64_t stamp_ms, at_ms;
	FieldErrors errors = { 0 };
	SessionRights read = { 0 };

	if (!str_next(&copy, '.', &code) || copy.p == NULL ||
	    !str_eq_secret(code, code_make(ctx->arena, hmac, now->key, copy)))
		return false;
	if (!str_next(&copy, '.', &stamp) || !str_i64(stamp, &stamp_ms) ||
	    !lies_within(now->stamp_ms, stamp_ms, 0, COPIES_MS))
		return false;
	if (!str_next(&copy, '.', &at) || !str_i64(at, &at_ms) ||
	    !lies_within(now->at_ms, at_ms, -COPIES_CLOCKS_MS, COPIES_MS + COPIES_CLOCKS_MS))
		return false;
	if (json_read(ctx, copy, &SessionRights_model, &read, &errors) != NULL || errors.n > 0)
		return false;
	read.left_ms -= now->stamp_ms - stamp_ms;
	if (read.left_ms <= 0)
		return false;
	*row = read;
	return true;
}

/* --- in Redis */

/* Its clock, and the copy. Whatever else lies under the key is none, and no fault of Redis'. */
static const char find_script[] =
    "local t = redis.call('TIME')\n"
    "local copy = redis.pcall('GET', KEYS[1])\n"
    "if type(copy) ~= 'string' or #copy > tonumber(ARGV[1]) then\n"
    "  copy = false\n"
    "end\n"
    "return {ARGV[2], t[1] * 1000 + math.floor(t[2] / 1000), copy}\n";

/*
 * Only while it is good, so that an old truth is not written over a younger one. Returns how
 * long that is.
 */
static const char put_script[] = "local t = redis.call('TIME')\n"
				 "local age = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[1]\n"
				 "local left = ARGV[2] - age\n"
				 "if age < 0 or left <= 0 then\n"
				 "  return {ARGV[4], 0}\n"
				 "end\n"
				 "redis.call('SET', KEYS[1], ARGV[3], 'PX', left)\n"
				 "return {ARGV[4], left}\n";

/* Names of roles have no line feed. */
static Str
key_of(Arena *arena, const CopyOf *of)
{
	uint8_t digest[SHA256_BYTES];
	Buf roles = { .arena = arena };

	for (size_t i = 0; i < of->roles.n; i++) {
		buf_put(&roles, of->roles.v[i]);
		buf_byte(&roles, '\n');
	}
	sha256(buf_str(&roles), digest);
	return str_print(arena, "rights:%.*s:%.*s", STR_ARG(uuid_str(arena, of->session_id)),
	                 STR_ARG(base64url(arena, digest, sizeof digest)));
}

/* Has nothing that the rights depend on changed for so long that every copy knows of it? */
static bool
is_at_rest(const Board *board, const CopyOf *of)
{
	int64_t raised_us = board_epochs_raised_us(board, of->epochs, of->n_epochs);

	return clock_mono_us() - raised_us > COPIES_REST_MS * INT64_C(1000);
}

/*
 * Whether they are at rest, and our clock, are looked at before Redis is: a copy is older by
 * then.
 */
bool
copies_find(Req *rq, const CopyOf *of, CopyAsked *asked, SessionRights *row)
{
	Ctx *ctx = rq->ctx;
	Str most = str_print(ctx->arena, "%d", COPY_BYTES_MAX);
	CopyAsked now = { 0 };
	CacheItem said[2]; /* Redis' clock, the copy */
	Hmac *hmac;

	if (ctx->cache == NULL || !is_at_rest(rq->board, of) ||
	    keys_hmac(ctx, secret_name, &hmac) != NULL)
		return false;
	now.key = key_of(ctx->arena, of);
	now.at_ms = clock_now().us / 1000;
	if (!cache_eval(ctx, find_script, now.key, &most, 1, "nt", said))
		return false;
	now.stamp_ms = said[0].number;
	*asked = now;
	return copy_open(ctx, hmac, &now, said[1].text, row);
}

bool
copies_put(Req *rq, const CopyAsked *asked, const SessionRights *row)
{
	Ctx *ctx = rq->ctx;
	Str args[3]; /* when it was asked for, how long it is good, the copy */
	CacheItem left;
	Hmac *hmac;

	if (asked->key.n == 0 || keys_hmac(ctx, secret_name, &hmac) != NULL)
		return false;
	args[0] = str_print(ctx->arena, "%lld", (long long)asked->stamp_ms);
	args[1] = str_print(ctx->arena, "%d", COPIES_MS);
	args[2] = copy_seal(ctx->arena, hmac, asked, row);
	return args[2].n <= COPY_BYTES_MAX &&
	       cache_eval(ctx, put_script, asked->key, args, COUNT(args), "n", &left) &&
	       left.number > 0;
}
