#include "fcgi/places.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"

enum { BODY_ROOMS = 5 }; /* a body that grows takes twice as much each time */

static size_t
places_wanted(void)
{
	struct rlimit limit;
	rlim_t most = PLACES_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		most = limit.rlim_cur > 256 ? limit.rlim_cur - 128 : limit.rlim_cur / 2;
	return (size_t)MAX(MIN(most, (rlim_t)PLACES_MAX), (rlim_t)4);
}

void
places_init(Places *places, size_t body_max)
{
	size_t n = places_wanted();

	*places = (Places){ .all = calloc(n, sizeof *places->all), .body_max = body_max };
	CHECK(places->all != NULL);
	TAILQ_INIT(&places->free);
	TAILQ_INIT(&places->heads);
	TAILQ_INIT(&places->bodies);
	TAILQ_INIT(&places->drains);
	while (n-- > 0) {
		places->all[n].fd = -1;
		TAILQ_INSERT_HEAD(&places->free, &places->all[n], next);
	}
}

void
places_done(Places *places)
{
	Peer *peer;

	if (places->in_hand != NULL)
		place_drop(places, places->in_hand);
	while ((peer = TAILQ_FIRST(&places->heads)) != NULL)
		place_drop(places, peer);
	while ((peer = TAILQ_FIRST(&places->bodies)) != NULL)
		place_drop(places, peer);
	while ((peer = TAILQ_FIRST(&places->drains)) != NULL)
		place_drop(places, peer);
	places_back(places);
	while (places->n_spares > 0)
		arena_close(places->spare[--places->n_spares]);
	free(places->all);
}

static void
arena_keep(Places *places, Arena *arena)
{
	if (arena == NULL)
		return;
	if (places->n_spares == PLACES_SPARES) {
		arena_close(arena);
		return;
	}
	arena_reset(arena);
	places->spare[places->n_spares++] = arena;
}

/* Out of the list that it is in. */
static void
place_leave(Places *places, Peer *peer)
{
	switch (peer->state) {
	case PEER_FREE:
		TAILQ_REMOVE(&places->free, peer, next);
		break;
	case PEER_HEAD:
		TAILQ_REMOVE(&places->heads, peer, next);
		places->n_heads--;
		places->held -= peer->bytes;
		break;
	case PEER_BODY:
		TAILQ_REMOVE(&places->bodies, peer, next);
		places->n_bodies--;
		places->gathered -= peer->body.n;
		break;
	case PEER_IN_HAND:
		places->in_hand = NULL;
		places->lent = peer->arena;
		peer->arena = NULL;
		peer->reader = NULL;
		peer->body = (Buf){ 0 };
		break;
	case PEER_DRAIN:
		TAILQ_REMOVE(&places->drains, peer, next);
		places->n_drains--;
		break;
	}
	peer->bytes = 0;
}

Peer *
place_take(Places *places, int fd)
{
	Peer *peer = TAILQ_FIRST(&places->free);

	if (peer == NULL)
		return NULL;
	place_leave(places, peer);
	*peer = (Peer){ .state = PEER_HEAD, .fd = fd, .since_us = clock_mono_us() };
	TAILQ_INSERT_TAIL(&places->heads, peer, next);
	places->n_heads++;
	return peer;
}

void
place_gather(Places *places, Peer *peer)
{
	CHECK(peer->state == PEER_HEAD);
	place_leave(places, peer);
	peer->state = PEER_BODY;
	peer->since_us = clock_mono_us();
	peer->body = (Buf){ .arena = peer->arena };
	peer->then = RECORD_MORE;
	TAILQ_INSERT_TAIL(&places->bodies, peer, next);
	places->n_bodies++;
}

void
place_in_hand(Places *places, Peer *peer)
{
	CHECK(peer->state == PEER_HEAD || peer->state == PEER_BODY);
	CHECK(places->in_hand == NULL && places->lent == NULL);
	place_leave(places, peer);
	peer->state = PEER_IN_HAND;
	places->in_hand = peer;
}

void
place_drain(Places *places, Peer *peer)
{
	CHECK(peer->state == PEER_IN_HAND);
	place_leave(places, peer);
	peer->state = PEER_DRAIN;
	peer->since_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&places->drains, peer, next);
	places->n_drains++;
}

void
place_begin(Places *places, Peer *peer)
{
	peer->first_us = clock_mono_us();
	peer->arena =
	    places->n_spares > 0
		? places->spare[--places->n_spares]
		: arena_open(RECORD_ARENA_MAX + BODY_ROOMS * places->body_max + KIB(256));
	peer->reader = record_open(peer->arena);
}

void
place_grow(Places *places, Peer *peer, size_t n)
{
	peer->bytes += n;
	places->held += n;
}

void
place_add(Places *places, Peer *peer, Str piece)
{
	buf_put(&peer->body, piece);
	places->gathered += piece.n;
}

void
place_drop(Places *places, Peer *peer)
{
	CHECK(peer->state != PEER_FREE);
	CHECK(close(peer->fd) == 0 || errno != EBADF);
	place_leave(places, peer);
	arena_keep(places, peer->arena);
	*peer = (Peer){ .state = PEER_FREE, .fd = -1 };
	TAILQ_INSERT_HEAD(&places->free, peer, next);
}

void
places_back(Places *places)
{
	arena_keep(places, places->lent);
	places->lent = NULL;
}

Peer *
places_victim(const Places *places)
{
	Peer *peer = TAILQ_FIRST(&places->drains);

	if (peer != NULL)
		return peer;
	TAILQ_FOREACH(peer, &places->heads, next)
	if (peer->reader == NULL)
		return peer;
	peer = TAILQ_FIRST(&places->heads);
	return peer != NULL ? peer : TAILQ_FIRST(&places->bodies);
}

Peer *
places_oldest_begun(const Places *places)
{
	Peer *peer;

	TAILQ_FOREACH(peer, &places->heads, next)
	if (peer->bytes > 0)
		break;
	return peer;
}
