#pragma once

/*
 * The connections of one worker that it does not serve: those whose head is not whole yet, or
 * whose body is not, and those that were answered before they had sent everything. They wait in
 * one epoll set beside the listening socket and cost nobody anything.
 *
 * Who waits for whom. A connection is accepted only by a worker that has nothing to do, one at
 * a time, and then has PEERS_GRACE_MS for itself to send its head, which web servers send at
 * once, and so long for each piece of its body: so nearly every request meets a worker that is
 * free. A slower one joins the set; should it be whole while the worker serves somebody else,
 * it waits for the end of that one request and is served next, before anyone new. With
 * PEERS_GRACE_PLACES waiting there is no grace, so a crowd of silent peers delays nobody.
 *
 * A body of at most gather_max bytes is gathered before its request is served, so that a slow
 * sender behind a web server that passes on what it gets (Apache) holds no worker. The
 * request's time runs from then on.
 */

#include "fcgi/record.h"
#include "fcgi/wire.h"

#define PEERS_GRACE_MS 2
#define PEERS_GRACE_MOST_MS 20 /* with a body */
#define PEERS_GRACE_PLACES 8
#define PEERS_HELD_MAX MIB(16)   /* bytes of incomplete heads, of all peers together */
#define PEERS_BODIES_MAX MIB(16) /* bytes gathered; the next is served without waiting */
#define PEERS_DRAIN_MS 2000     /* for a peer that was answered early; the worker's idle time */
#define PEERS_DRAIN_MAX MIB(64) /* bytes */
#define PEERS_STOP_MS 50        /* when stopping: time for a silent peer to begin */
#define PEERS_PAUSE_MS 50       /* of accepting, when descriptors or memory are out */

typedef struct Peers Peers;

typedef enum PeersEvent {
	PEERS_READY,   /* a head is whole, and its body, if that is gathered */
	PEERS_REFUSED, /* a head is to be answered with record_status() */
	PEERS_SIGNAL,
} PeersEvent;

typedef enum PeersRead {
	PEERS_BYTES,
	PEERS_LATE, /* the deadline passed, or that for gathering did */
	PEERS_GONE, /* the peer closed, or is lost */
} PeersRead;

/* NULL with errno. */
Peers *peers_open(const WireConfig *config);
void peers_close(Peers *peers);

/*
 * Wait for a peer to have in hand; the one before must be done or forgotten, and its memory is
 * given back here, not there.
 *
 * door  as for wire_next(); PEERS_SIGNAL comes, unless it is open, when neither a head that has
 *       begun nor an answer that is not taken is left
 */
PeersEvent peers_next(Peers *peers, WireDoor door);

/* --- of the peer in hand */
int peers_fd(const Peers *peers);
RecordReader *peers_reader(const Peers *peers);
int64_t peers_first_byte_us(const Peers *peers);

/* What was gathered of its body; peers_step goes on behind that. Lives until peers_next. */
Buf peers_gathered(const Peers *peers);

/* The next event in the bytes at hand; what must be said to the peer is said. */
RecordEvent peers_step(Peers *peers, Str *piece);

/* Receive more bytes. Only after peers_step said RECORD_MORE. */
PeersRead peers_fill(Peers *peers, Deadline deadline);

/*
 * Close. Unless it is over and out, the writing side is shut down and what the peer still sends
 * is thrown away for a while: a web server whose writing fails forgets the answer it has.
 */
void peers_done(Peers *peers, bool over);

/* Close our descriptor alone: another process has the connection now. */
void peers_forget(Peers *peers);

WireCounts peers_counts(const Peers *peers);
size_t peers_waiting(const Peers *peers);
