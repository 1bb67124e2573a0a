#pragma once

/* What peers.c and peers_read.c share. */

#include <signal.h>

#include "fcgi/peers.h"
#include "fcgi/places.h"

#define PEERS_BUFFER_BYTES KIB(64)

struct Peers {
	WireConfig config;
	int epoll;
	bool listening;    /* the listening socket is in the set */
	bool waking;       /* and config.wake_fd, whose events carry this struct's address */
	bool accepted;     /* by the last accept_one() */
	int64_t pause_us;  /* no accepting before */
	int64_t logged_us; /* when a failing accept was last written down */
	int64_t left_us;   /* when peers_next last returned */
	int64_t asked_us;  /* when pending signals were last asked for */
	sigset_t open;     /* the signals while waiting: none is blocked */
	Places places;
	char *buffer;
	Str in; /* what of it has not been read */
	WireCounts counts;
};

typedef enum Head {
	HEAD_READY,   /* in hand */
	HEAD_REFUSED, /* in hand */
	HEAD_WAITS,
	HEAD_GONE,
} Head;

bool in_hand(Head head);

/* Read on in peers->in, or learn what came behind a body that was gathered. */
RecordEvent peer_step(Peers *peers, Peer *peer, Str *piece);

/* Into peers->in, as recv(2). */
ssize_t peer_receive(Peers *peers, Peer *peer);

/* Receive once, and see how far the head has come, or the body that is gathered. */
Head peer_read(Peers *peers, Peer *peer);

/* The time for its body is over: whoever asks for the rest will be told. */
Head peer_late(Peers *peers, Peer *peer);

/* Throw away what it sent after its answer. True when it is gone. */
bool peer_drain(Peers *peers, Peer *peer);
