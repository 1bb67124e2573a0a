#include "common/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/encode.h"

void
random_bytes(void *out, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = getrandom((char *)out + done, n - done, 0);

		CHECK(got > 0 || errno == EINTR);
		done += got > 0 ? (size_t)got : 0;
	}
}

Uuid
uuid7_make(void)
{
	uint64_t ms = (uint64_t)clock_now().us / 1000;
	Uuid id;

	random_bytes(id.b + 6, 10);
	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0F));
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3F));
	return id;
}

void
uuid_put(Buf *buf, Uuid id)
{
	static const char digits[] = "0123456789abcdef";
	static const uint8_t places[16] = { 0,  2,  4,  6,  9,  11, 14, 16,
		                            19, 21, 24, 26, 28, 30, 32, 34 };
	char *p = buf_room(buf, UUID_TEXT_BYTES);

	for (int i = 0; i < 16; i++) {
		p[places[i]] = digits[id.b[i] >> 4];
		p[places[i] + 1] = digits[id.b[i] & 15];
	}
	p[8] = p[13] = p[18] = p[23] = '-';
	buf->n += UUID_TEXT_BYTES;
}

Str
uuid_str(Arena *arena, Uuid id)
{
	Buf buf = { .arena = arena };

	uuid_put(&buf, id);
	return buf_str(&buf);
}

bool
uuid_read(Str text, Uuid *out)
{
	Uuid id;
	size_t at = 0;

	if (text.n != UUID_TEXT_BYTES)
		return false;
	for (int i = 0; i < 16; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && text.p[at++] != '-')
			return false;
		high = hex_digit(text.p[at]);
		low = hex_digit(text.p[at + 1]);
		if (high < 0 || low < 0)
			return false;
		id.b[i] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	*out = id;
	return true;
}

bool
uuid_eq(Uuid a, Uuid b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}
