#include "fcgi/net.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

static bool
address_parse(Str text, Address *out)
{
	char copy[INET6_ADDRSTRLEN];
	Address address;

	if (text.n == 0 || text.n >= sizeof copy)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	memcpy(address.b, mapped, sizeof mapped);
	if (inet_pton(AF_INET, copy, address.b + sizeof mapped) != 1 &&
	    inet_pton(AF_INET6, copy, address.b) != 1)
		return false;
	*out = address;
	return true;
}

bool
address_read(Str text, Address *out)
{
	size_t colon = str_find(text, ':');

	if (text.n > 0 && text.p[0] == '[')
		return address_parse(str_sub(text, 1, str_find(text, ']')), out);
	if (colon < text.n &&
	    str_find(str_sub(text, colon + 1, text.n), ':') == text.n - colon - 1)
		text = str_sub(text, 0, colon);
	return address_parse(text, out);
}

Str
address_text(Arena *arena, Address address)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = memcmp(address.b, mapped, sizeof mapped) == 0;

	CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address.b + sizeof mapped : address.b,
	                text, sizeof text) != NULL);
	return str_keep(arena, str_of(text));
}

static bool
network_holds(Str network, Address address)
{
	size_t slash = str_find(network, '/');
	Str host = str_sub(network, 0, slash);
	uint64_t bits = 128;
	Address base;

	if (!address_parse(host, &base))
		return false;
	if (slash < network.n) {
		if (!str_u64(str_sub(network, slash + 1, network.n), &bits))
			return false;
		bits += str_find(host, ':') == host.n ? 96 : 0;
	}
	if (bits > 128)
		return false;
	for (size_t i = 0; i < bits; i++) {
		uint8_t bit = (uint8_t)(0x80 >> (i % 8));

		if (((base.b[i / 8] ^ address.b[i / 8]) & bit) != 0)
			return false;
	}
	return true;
}

bool
address_in(Address address, SettingList networks)
{
	for (size_t i = 0; i < networks.n; i++)
		if (network_holds(str_of(networks.v[i]), address))
			return true;
	return false;
}

Address
address_network(Address address)
{
	if (memcmp(address.b, mapped, sizeof mapped) != 0)
		memset(address.b + 8, 0, 8);
	return address;
}

Address
address_client(Address peer, Str forwarded, SettingList trusted)
{
	while (forwarded.n > 0 && address_in(peer, trusted)) {
		size_t start = forwarded.n;
		Address hop;

		while (start > 0 && forwarded.p[start - 1] != ',')
			start--;
		if (!address_read(str_trim(str_sub(forwarded, start, forwarded.n)), &hop))
			break;
		peer = hop;
		forwarded = str_sub(forwarded, 0, start == 0 ? 0 : start - 1);
	}
	return peer;
}
