#pragma once

/*
 * The listening sockets: inherited from whoever started us, or our own.
 *
 * Inherited: the first of LISTEN_FDS (systemd), or descriptor 0 when it listens (spawn-fcgi -n,
 * lighttpd's bin-path, mod_fcgid, StandardInput=socket); the second of LISTEN_FDS is the status
 * socket. Own: listen.socket and listen.status_socket, a unix path or address:port. Either way
 * they end up non-blocking, close-on-exec, above descriptor 2.
 */

#include "common/board.h"

typedef struct Listener {
	int fd; /* -1: none yet */
	bool tcp;
	char path[108];         /* of a unix socket of our own; else empty */
	uint64_t device, inode; /* of that path, as we made it */
} Listener;

/* Take what was handed over; those that were not keep fd -1. Before anything opens files. */
void listen_inherit(Listener listeners[SOCKETS]);

/*
 * Make the one that the settings ask for. A path where somebody listens is left alone; one
 * where nobody does, or which the board says was made by our predecessor, is replaced.
 *
 * returns  false with the reason in why, n bytes
 */
bool listen_open(Listener *listener, BoardSocket which, Board *board, char *why,
                 size_t n) MUST_USE;

/* Let listen.backlog connections wait; warns where the kernel allows fewer. */
void listen_backlog(const Listener *listener);

/* Take the path away, when it is still ours, so that clients of the front learn at once. */
void listen_unlink(Listener *listener);
