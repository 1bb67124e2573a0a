#pragma once

/*
 * The places of a worker's connections: who waits with half a head, who was answered and still
 * sends, who is served now; and the memory that each may have.
 *
 * It closes descriptors and reads nothing. A place is never freed, so a pointer that an epoll
 * batch still holds is good, though the place may be free or another's by then.
 */

#include <sys/queue.h>

#include "fcgi/record.h"

#define PLACES_MAX 1024
#define PLACES_SPARES 2 /* arenas kept for the next ones */

typedef enum PeerState { PEER_FREE, PEER_HEAD, PEER_IN_HAND, PEER_DRAIN } PeerState;

typedef struct Peer {
	PeerState state;
	int fd;
	bool watched;         /* in the epoll set */
	Arena *arena;         /* NULL until its first byte */
	RecordReader *reader; /* likewise */
	int64_t first_us;     /* when its first byte came */
	int64_t since_us;     /* when it was accepted, or when the draining began */
	int64_t queued_us;    /* how long it waited before that, while that matters */
	size_t bytes;         /* taken of its head, or drained */
	TAILQ_ENTRY(Peer) next;
} Peer;

typedef TAILQ_HEAD(PeerList, Peer) PeerList;

typedef struct Places {
	Peer *all;
	PeerList free, heads, drains; /* the last two oldest first */
	size_t n_heads, n_drains;
	size_t held;   /* bytes of the heads, all together */
	Peer *in_hand; /* one at most */
	Arena *lent;   /* of the one in hand before, until places_back */
	Arena *spare[PLACES_SPARES];
	size_t n_spares;
} Places;

/* PLACES_MAX places, or fewer: half of RLIMIT_NOFILE, or all but 128 of it, stay for others. */
void places_init(Places *places);
void places_done(Places *places);

/* A free place for a connection, as PEER_HEAD. NULL when there is none. */
Peer *place_take(Places *places, int fd);

/* From PEER_HEAD to PEER_IN_HAND, with its memory; from there to PEER_DRAIN, without. */
void place_in_hand(Places *places, Peer *peer);
void place_drain(Places *places, Peer *peer);

/* It got its first bytes. */
void place_begin(Places *places, Peer *peer);

/* n more bytes of its head. */
void place_grow(Places *places, Peer *peer, size_t n);

/* Close it, whatever it is. The memory of the one in hand stays until places_back. */
void place_drop(Places *places, Peer *peer);
void places_back(Places *places);

/* Whom to close to make room: an answered peer, else the oldest silent one, else the oldest. */
Peer *places_victim(const Places *places);

/* The oldest that has begun its head. */
Peer *places_oldest_begun(const Places *places);
