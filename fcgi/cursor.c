#include "fcgi/cursor.h"

#include "common/crypto.h"
#include "common/encode.h"
#include "fcgi/keys.h"

enum { MAC_BYTES = 16, CURSOR_MAX = 2048 };

/* The path keeps a cursor of one list out of another. */
static const Problem *
mac_make(Req *rq, Str binding, Str place, uint8_t mac[SHA256_BYTES])
{
	Buf bytes = { .arena = rq->ctx->arena };
	Hmac *hmac;

	TRY(keys_hmac(rq->ctx, "cursor", &hmac));
	buf_print(&bytes, "%.*s?%.*s#", STR_ARG(rq->path), STR_ARG(binding));
	buf_put(&bytes, place);
	hmac_sha256(hmac, buf_str(&bytes), mac);
	return NULL;
}

const Problem *
cursor_make(Req *rq, Str binding, Str place, Str *cursor)
{
	uint8_t mac[SHA256_BYTES];
	Buf bytes = { .arena = rq->ctx->arena };

	TRY(mac_make(rq, binding, place, mac));
	buf_put(&bytes, (Str){ (const char *)mac, MAC_BYTES });
	buf_put(&bytes, place);
	*cursor = base64url(rq->ctx->arena, (const uint8_t *)bytes.p, bytes.n);
	return NULL;
}

const Problem *
cursor_read(Req *rq, Str binding, Str cursor, Str *place)
{
	uint8_t *bytes, mac[SHA256_BYTES];
	size_t n;
	Str theirs, found;

	if (cursor.n > CURSOR_MAX || !base64url_read(rq->ctx->arena, cursor, &bytes, &n) ||
	    n < MAC_BYTES)
		return problem(P_invalid_cursor);
	theirs = (Str){ (const char *)bytes, MAC_BYTES };
	found = (Str){ (const char *)bytes + MAC_BYTES, n - MAC_BYTES };
	TRY(mac_make(rq, binding, found, mac));
	if (!str_eq_secret(theirs, (Str){ (const char *)mac, MAC_BYTES }))
		return problem(P_invalid_cursor);
	*place = found;
	return NULL;
}
