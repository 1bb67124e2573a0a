#pragma once

/*
 * The places of a worker's connections: who waits with half a head or half a body, who was
 * answered and still sends, who is served now; and the memory that each may have.
 *
 * It closes descriptors and reads nothing. A place is never freed, so a pointer that an epoll
 * batch still holds is good, though the place may be free or another's by then.
 */

#include <sys/queue.h>

#include "fcgi/record.h"

#define PLACES_MAX 1024
#define PLACES_SPARES 2 /* arenas kept for the next ones */

typedef enum PeerState {
	PEER_FREE,
	PEER_HEAD, /* its head is not whole */
	PEER_BODY, /* its head is, its body is awaited */
	PEER_IN_HAND,
	PEER_DRAIN, /* answered, and still sending */
} PeerState;

typedef struct Peer {
	PeerState state;
	int fd;
	bool watched;         /* in the epoll set */
	Arena *arena;         /* NULL until its first byte */
	RecordReader *reader; /* likewise */
	int64_t first_us;     /* when its first byte came */
	int64_t since_us;     /* when it was accepted, or came into PEER_BODY or PEER_DRAIN */
	int64_t queued_us;    /* how long it waited before that, while that matters */
	size_t bytes;         /* taken of its head, or drained */
	Buf body;             /* what was gathered of it */
	RecordEvent then;     /* what came behind that; RECORD_MORE: it goes on */
	bool late;            /* its body was not whole in time */
	TAILQ_ENTRY(Peer) next;
} Peer;

typedef TAILQ_HEAD(PeerList, Peer) PeerList;

typedef struct Places {
	Peer *all;
	PeerList free, heads, bodies, drains; /* the last three oldest first */
	size_t n_heads, n_bodies, n_drains;
	size_t held;     /* bytes of the heads, all together */
	size_t gathered; /* bytes of the bodies of those in PEER_BODY */
	size_t body_max;
	Peer *in_hand; /* one at most */
	Arena *lent;   /* of the one in hand before, until places_back */
	Arena *spare[PLACES_SPARES];
	size_t n_spares;
} Places;

/*
 * PLACES_MAX places, or fewer: half of RLIMIT_NOFILE, or all but 128 of it, stay for others.
 * body_max: bytes of a body that are gathered, give or take one reading.
 */
void places_init(Places *places, size_t body_max);
void places_done(Places *places);

/* A free place for a connection, as PEER_HEAD. NULL when there is none. */
Peer *place_take(Places *places, int fd);

/*
 * From PEER_HEAD to PEER_BODY; from either to PEER_IN_HAND, with its memory; from there to
 * PEER_DRAIN, without.
 */
void place_gather(Places *places, Peer *peer);
void place_in_hand(Places *places, Peer *peer);
void place_drain(Places *places, Peer *peer);

/* It got its first bytes. */
void place_begin(Places *places, Peer *peer);

/* n more bytes of its head; more of its body. */
void place_grow(Places *places, Peer *peer, size_t n);
void place_add(Places *places, Peer *peer, Str piece);

/* Close it, whatever it is. The memory of the one in hand stays until places_back. */
void place_drop(Places *places, Peer *peer);
void places_back(Places *places);

/*
 * Whom to close to make room: an answered peer, else the oldest silent one, else the oldest
 * with half a head, else with half a body.
 */
Peer *places_victim(const Places *places);

/* The oldest that has begun its head. */
Peer *places_oldest_begun(const Places *places);
