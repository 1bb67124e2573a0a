#pragma once

/*
 * Addresses of clients: who is asking, and is he in one of these networks?
 */

#include "common/settings.h"

/* An IPv6 address; IPv4 as ::ffff:a.b.c.d. */
typedef struct Address {
	uint8_t b[16];
} Address;

/* "192.0.2.1", "2001:db8::1", also in brackets or with a port behind. False when it is none. */
bool address_read(Str text, Address *out) MUST_USE;

/* Without brackets, port or ::ffff:. */
Str address_text(Arena *arena, Address address);

/*
 * Is it in one of these networks ("10.0.0.0/8", "::1", …)? A text that is no network fits
 * nothing.
 */
bool address_in(Address address, SettingList networks);

/*
 * What stands for a client where clients are counted: an IPv4 address as it is, of an IPv6
 * address the first 64 bits, since whoever has one of them has them all.
 */
Address address_network(Address address);

/*
 * The client's address: the peer's, or, while the one in hand is trusted, the hop before it in
 * X-Forwarded-For, read from the right. What cannot be read ends the walk.
 */
Address address_client(Address peer, Str forwarded, SettingList trusted);
