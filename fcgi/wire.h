#pragma once

/*
 * A request off the FastCGI socket and its answer back. Only wire.c touches libfcgi.
 *
 * One Wire a worker: an epoll set with the listening socket (EPOLLEXCLUSIVE) and up to 1,024
 * accepted peers whose heads are not complete; those cost no worker anything and are closed at
 * the head's deadline, the oldest silent one when the set is full. A request is handed out when
 * its head is whole, and its body, when that is small. Malformed heads are answered or closed
 * in here, and logged.
 */

#include "common/board.h"
#include "common/problem.h"

typedef struct Wire Wire;

typedef struct WireConfig {
	int listen_fd;     /* non-blocking */
	bool tcp;          /* peers are checked against allow */
	int head_ms;       /* deadline of the head */
	int body_ms;       /* deadline of a body that is gathered */
	size_t gather_max; /* bytes: a body up to this is read before its request goes out */
	const char *const *allow; /* addresses or networks, NULL at the end; not copied */
	size_t n_allow;
	Board *board; /* numbers what is accepted; NULL: the socket is not the board's */
	int wake_fd;  /* ends the wait, as a signal does, while it is readable; 0: none */
} WireConfig;

/* Who is still let in. */
typedef enum WireDoor {
	WIRE_OPEN,
	WIRE_WAITING, /* who waits on the socket, until it is empty or board_queue_over() */
	WIRE_SHUT,
} WireDoor;

typedef enum WireEvent {
	WIRE_REQUEST, /* a head is complete */
	WIRE_SIGNAL,  /* one came while waiting, or wake_fd is readable: look at your flags */
} WireEvent;

/* Refused or lost peers, by reason, since wire_open. */
typedef struct WireCounts {
	uint64_t refused;   /* malformed heads, peers that are not allowed */
	uint64_t timed_out; /* the head's deadline passed */
	uint64_t closed;    /* gone in the middle of a head */
	uint64_t evicted;   /* to make room */
} WireCounts;

/*
 * NULL with errno (EAGAIN: the user's pipes are too small to hold a head). The handlers of
 * SIGTERM and SIGUSR1 stay as they are; SIGPIPE is ignored from here on.
 */
Wire *wire_open(const WireConfig *config);
void wire_close(Wire *wire);

/*
 * Wait for the next request. The process's signals, which are blocked elsewhere, are open only
 * in here.
 *
 * door  unless it is open, no signal ends the wait: WIRE_SIGNAL comes at once when nobody is
 *       left to let in, and none of those accepted has begun a head or still sends what was
 *       answered early. A silent one has 50 ms from its connect to begin.
 */
WireEvent wire_next(Wire *wire, WireDoor door);

/*
 * Of the present request, until the next wire_next, also after its answer. wire_param: STR_NONE
 * when it is absent; the first, when a header is repeated. first_byte_us: when its first byte
 * came, monotonic, what is known of its wait to be accepted counted in; or when a body that
 * took its time was whole.
 */
Str wire_param(const Wire *wire, const char *name);
bool wire_pair(const Wire *wire, size_t i, Str *name, Str *value);
int64_t wire_first_byte_us(const Wire *wire);

/*
 * The whole body, at most max bytes, within the deadline. Once a request.
 *
 * errors  body_too_large (at once when a CONTENT_LENGTH says so), deadline_exceeded,
 *         bad_request (length differs from a CONTENT_LENGTH that is a number, or the peer broke
 *         the protocol, aborted or went)
 * owns    *body lives as long as the context's arena and the next wire_next let it
 */
const Problem *wire_body(Wire *wire, Ctx *ctx, size_t max, Str *body) MUST_USE;

/*
 * Write the answer: head is CGI header lines with the empty line ("Status: 200\r\n…\r\n\r\n").
 * Closes the connection; what was not read of the body is drained while the worker waits for
 * others. False when the peer was gone, or did not take the answer within the deadline.
 */
bool wire_answer(Wire *wire, Str head, Str body, Deadline deadline);

/*
 * Instead of wire_answer: hand the connection to another process. wire_descriptor lends it for
 * sendmsg, with the request's FastCGI id; wire_forget then closes ours and writes nothing. The
 * body must have been read, or be empty.
 */
int wire_descriptor(const Wire *wire, unsigned *request_id);
void wire_forget(Wire *wire);

WireCounts wire_counts(const Wire *wire);

/* Peers in the set whose heads are not whole, or were not yet looked at. */
size_t wire_waiting(const Wire *wire);
