#include "fcgi/refresh.h"

#include <endian.h>
#include <string.h>

#include "common/encode.h"

enum {
	ID_BYTES = 16,
	GEN_BYTES = 8,
	SIGNED_BYTES = ID_BYTES + GEN_BYTES,
	ALL_BYTES = SIGNED_BYTES + SHA256_BYTES,
};

static const char version[] = "v1.";

static void
signed_bytes(uint8_t out[SIGNED_BYTES], Uuid session_id, int64_t gen)
{
	uint64_t number = htobe64((uint64_t)gen);

	memcpy(out, session_id.b, ID_BYTES);
	memcpy(out + ID_BYTES, &number, GEN_BYTES);
}

Str
refresh_make(Arena *arena, Hmac *hmac, Uuid session_id, int64_t gen)
{
	uint8_t bytes[ALL_BYTES];
	Str text;

	signed_bytes(bytes, session_id, gen);
	hmac_sha256(hmac, (Str){ (const char *)bytes, SIGNED_BYTES }, bytes + SIGNED_BYTES);
	text = base64url(arena, bytes, sizeof bytes);
	return str_print(arena, "%s%.*s", version, STR_ARG(text));
}

bool
refresh_read(Arena *arena, Str text, RefreshToken *out)
{
	uint8_t *bytes;
	uint64_t number;
	size_t n;

	if (text.n != REFRESH_TEXT_BYTES || !str_starts(text, str_of(version)) ||
	    !base64url_read(arena, str_sub(text, sizeof version - 1, text.n), &bytes, &n) ||
	    n != ALL_BYTES)
		return false;
	memcpy(&number, bytes + ID_BYTES, GEN_BYTES);
	number = be64toh(number);
	if (number < 1 || number > INT64_MAX)
		return false;
	memcpy(out->session_id.b, bytes, ID_BYTES);
	out->gen = (int64_t)number;
	memcpy(out->mac, bytes + SIGNED_BYTES, SHA256_BYTES);
	return true;
}

bool
refresh_signed(Hmac *hmac, const RefreshToken *token)
{
	uint8_t bytes[SIGNED_BYTES], mac[SHA256_BYTES];

	signed_bytes(bytes, token->session_id, token->gen);
	hmac_sha256(hmac, (Str){ (const char *)bytes, sizeof bytes }, mac);
	return str_eq_secret((Str){ (const char *)mac, sizeof mac },
	                     (Str){ (const char *)token->mac, sizeof token->mac });
}
