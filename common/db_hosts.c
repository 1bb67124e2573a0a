#include "common/db_inner.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 8, ADDRS_MAX = 4, NAME_BYTES = 256, LOOKUP_PAUSE_US = 5000000 };

/* A server as the connection string names it. */
typedef struct Place {
	const char *name, *addr, *port;
	bool by_name; /* its addresses come from the resolver */
	char addrs[ADDRS_MAX][INET6_ADDRSTRLEN];
	size_t n_addrs;
} Place;

/* Look-ups in the background. On its own, since the resolver cannot be made to let go of it. */
typedef struct Lookup {
	struct addrinfo hints;
	struct gaicb requests[PLACES_MAX];
	struct gaicb *list[PLACES_MAX];
	size_t place[PLACES_MAX];
	char names[PLACES_MAX][NAME_BYTES];
	int n;
} Lookup;

struct DbHosts {
	Arena *arena;
	PQconninfoOption *options;
	const char *wrong;
	Place places[PLACES_MAX];
	size_t n_places;
	DbHost found[PLACES_MAX * ADDRS_MAX];
	size_t n_found;
	Lookup *lookup;
	int64_t lookup_at_us; /* monotonic; none is started before */
};

static const struct addrinfo stream_hints = { .ai_socktype = SOCK_STREAM };

static const char *
option_in(const PQconninfoOption *options, const char *keyword)
{
	for (; options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

/* Keep the addresses that the resolver has found. */
static void
place_take(Place *place, const struct addrinfo *found)
{
	size_t n = 0;

	for (; found != NULL && n < ADDRS_MAX; found = found->ai_next)
		if (getnameinfo(found->ai_addr, found->ai_addrlen, place->addrs[n],
		                sizeof place->addrs[n], NULL, 0, NI_NUMERICHOST) == 0)
			n++;
	if (n > 0) /* otherwise those known before may still do */
		place->n_addrs = n;
}

static void
hosts_list(DbHosts *hosts)
{
	hosts->n_found = 0;
	for (size_t i = 0; i < hosts->n_places; i++) {
		const Place *place = &hosts->places[i];
		DbHost host = { place->name, place->addr, place->port };

		if (!place->by_name)
			hosts->found[hosts->n_found++] = host;
		for (size_t k = 0; place->by_name && k < place->n_addrs; k++) {
			host.addr = place->addrs[k];
			hosts->found[hosts->n_found++] = host;
		}
	}
}

/* The n-th of a list with commas, of its own; NULL when it is empty. */
static const char *
part_of(DbHosts *hosts, const char *list, size_t n)
{
	Str rest = str_of(list), part = STR_NONE;

	for (size_t i = 0; i <= n; i++)
		if (!str_next(&rest, ',', &part))
			return NULL;
	return part.n == 0 ? NULL : str_text(hosts->arena, part);
}

static size_t
parts_in(const char *list)
{
	size_t n = 1;

	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* A name, not an address and not a directory of sockets. */
static bool
needs_lookup(const char *name)
{
	struct in6_addr addr;

	return name != NULL && name[0] != '/' && name[0] != '@' &&
	       inet_pton(AF_INET, name, &addr) != 1 && inet_pton(AF_INET6, name, &addr) != 1;
}

static void
places_read(DbHosts *hosts, const PQconninfoOption *options)
{
	const char *names = option_in(options, "host"), *addrs = option_in(options, "hostaddr");
	const char *ports = option_in(options, "port");
	size_t n = parts_in(addrs != NULL && addrs[0] != '\0' ? addrs : names);

	if (n > PLACES_MAX) {
		hosts->wrong = "the connection string has too many hosts";
		return;
	}
	for (size_t i = 0; i < n; i++) {
		Place *place = &hosts->places[i];

		place->name = part_of(hosts, names, i);
		place->addr = part_of(hosts, addrs, i);
		place->port = part_of(hosts, ports, parts_in(ports) == 1 ? 0 : i);
		place->by_name = place->addr == NULL && needs_lookup(place->name);
		if (place->by_name && strlen(place->name) >= NAME_BYTES)
			hosts->wrong = "the connection string has too long a host name";
	}
	hosts->n_places = n;
}

DbHosts *
hosts_open(const char *dsn)
{
	DbHosts *hosts = calloc(1, sizeof *hosts);
	PQconninfoOption *defaults = PQconndefaults(); /* from the environment */
	char *error = NULL;

	CHECK(hosts != NULL);
	hosts->arena = arena_open(MIB(1));
	hosts->options = PQconninfoParse(dsn, &error);
	if (hosts->options == NULL)
		hosts->wrong = "the connection string is not one"; /* libpq would quote it */
	else if (hosts_option(hosts, "host") != NULL || hosts_option(hosts, "hostaddr") != NULL)
		places_read(hosts, hosts->options);
	else if (hosts_option(hosts, "service") == NULL && option_in(defaults, "host") != NULL)
		places_read(hosts, defaults);
	else
		hosts->n_places = 1; /* a default socket, or what the service file says */
	PQfreemem(error);
	PQconninfoFree(defaults);
	for (size_t i = 0; i < hosts->n_places && hosts->wrong == NULL; i++) {
		struct addrinfo *found = NULL;

		if (hosts->places[i].by_name &&
		    getaddrinfo(hosts->places[i].name, NULL, &stream_hints, &found) == 0) {
			place_take(&hosts->places[i], found);
			freeaddrinfo(found);
		}
	}
	hosts_list(hosts);
	return hosts;
}

static bool
lookup_done(const Lookup *lookup)
{
	for (int i = 0; i < lookup->n; i++)
		if (gai_error(lookup->list[i]) == EAI_INPROGRESS)
			return false;
	return true;
}

static void
lookup_free(Lookup *lookup)
{
	for (int i = 0; i < lookup->n; i++)
		freeaddrinfo(lookup->requests[i].ar_result);
	free(lookup);
}

void
hosts_close(DbHosts *hosts)
{
	if (hosts->lookup != NULL) {
		gai_cancel(NULL);
		/* one that the resolver has already begun is left to it */
		if (lookup_done(hosts->lookup))
			lookup_free(hosts->lookup);
	}
	PQconninfoFree(hosts->options);
	arena_close(hosts->arena);
	free(hosts);
}

static void
lookup_start(DbHosts *hosts)
{
	Lookup *lookup = calloc(1, sizeof *lookup);

	CHECK(lookup != NULL);
	lookup->hints = stream_hints;
	for (size_t i = 0; i < hosts->n_places; i++) {
		size_t n;

		if (!hosts->places[i].by_name)
			continue;
		n = strlen(hosts->places[i].name);
		CHECK(n < NAME_BYTES);
		memcpy(lookup->names[lookup->n], hosts->places[i].name, n);
		lookup->requests[lookup->n] = (struct gaicb){
			.ar_name = lookup->names[lookup->n],
			.ar_request = &lookup->hints,
		};
		lookup->list[lookup->n] = &lookup->requests[lookup->n];
		lookup->place[lookup->n++] = i;
	}
	if (lookup->n > 0 && getaddrinfo_a(GAI_NOWAIT, lookup->list, lookup->n, NULL) == 0)
		hosts->lookup = lookup;
	else
		free(lookup);
	hosts->lookup_at_us = clock_mono_us() + LOOKUP_PAUSE_US;
}

void
hosts_refresh(DbHosts *hosts, bool start)
{
	Lookup *lookup = hosts->lookup;

	if (lookup != NULL && lookup_done(lookup)) {
		for (int i = 0; i < lookup->n; i++)
			place_take(&hosts->places[lookup->place[i]],
			           lookup->requests[i].ar_result);
		lookup_free(lookup);
		hosts->lookup = NULL;
		hosts_list(hosts);
	}
	if (start && hosts->wrong == NULL && hosts->lookup == NULL &&
	    clock_mono_us() >= hosts->lookup_at_us)
		lookup_start(hosts);
}

const char *
hosts_wrong(const DbHosts *hosts)
{
	if (hosts->wrong == NULL && hosts->n_found == 0)
		return "no host of the connection string has an address";
	return hosts->wrong;
}

size_t
hosts_count(const DbHosts *hosts)
{
	return hosts->wrong == NULL ? hosts->n_found : 0;
}

DbHost
hosts_at(const DbHosts *hosts, size_t i)
{
	return hosts->found[i % hosts->n_found];
}

const char *
hosts_option(const DbHosts *hosts, const char *keyword)
{
	return option_in(hosts->options, keyword);
}
