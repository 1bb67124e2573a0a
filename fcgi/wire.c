#include "fcgi/wire.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fcgi/peers.h"

enum {
	PIPE_BYTES = 65536, /* holds a canonical head: RECORD_PARAMS_MAX and its headers */
	WRITE_BYTES = 8192, /* libfcgi writes so much at a time, headers of records included */
	PIECE_BYTES = 8184,
	REFUSAL_MS = 1,
};

static const size_t BODY_FIRST_ROOM = KIB(64);

struct Wire {
	Peers *peers;
	FCGX_Request fcgi;
	int feed[2];          /* the pipe that libfcgi reads heads from; empty between them */
	bool fed;             /* libfcgi holds a request */
	bool end, dead;       /* of the body: all read; the connection is of no more use */
	size_t written;       /* bytes of the answer */
	RecordReader *reader; /* the present request's, until the next wire_next */
	int64_t first_us;
	Arena *arena; /* for refusals */
};

/*
 * libfcgi takes three signals over; what the process does with two of them is its own business.
 */
static void
library_init(void)
{
	struct sigaction term, user, ignore = { .sa_handler = SIG_IGN };

	CHECK(sigaction(SIGTERM, NULL, &term) == 0 && sigaction(SIGUSR1, NULL, &user) == 0);
	CHECK(FCGX_Init() == 0);
	CHECK(sigaction(SIGTERM, &term, NULL) == 0 && sigaction(SIGUSR1, &user, NULL) == 0);
	CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

/* A head is written into the pipe before anyone reads it, so the pipe must have room for it. */
static bool
pipe_open(int feed[2])
{
	int room;

	if (pipe2(feed, O_CLOEXEC) < 0)
		return false;
	room = fcntl(feed[1], F_GETPIPE_SZ);
	if (room >= PIPE_BYTES || fcntl(feed[1], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES)
		return true;
	close(feed[0]);
	close(feed[1]);
	errno = EAGAIN;
	return false;
}

Wire *
wire_open(const WireConfig *config)
{
	Wire *wire = calloc(1, sizeof *wire);

	CHECK(wire != NULL);
	library_init();
	CHECK(FCGX_InitRequest(&wire->fcgi, -1, 0) == 0); /* no socket: it cannot accept */
	if (!pipe_open(wire->feed)) {
		free(wire);
		return NULL;
	}
	wire->peers = peers_open(config);
	if (wire->peers == NULL) {
		int kept = errno;

		close(wire->feed[0]);
		close(wire->feed[1]);
		free(wire);
		errno = kept;
		return NULL;
	}
	wire->arena = arena_open(KIB(64));
	return wire;
}

/* Give back what libfcgi holds of the request before. The descriptor is not its. */
static void
library_free(Wire *wire)
{
	if (wire->fed)
		FCGX_Free(&wire->fcgi, 0);
	wire->fed = false;
}

void
wire_close(Wire *wire)
{
	if (wire == NULL)
		return;
	library_free(wire);
	peers_close(wire->peers);
	arena_close(wire->arena);
	close(wire->feed[0]);
	close(wire->feed[1]);
	free(wire);
}

/* --- the head */

/*
 * Have libfcgi parse a head that we composed. It reads the pipe until the empty PARAMS and not
 * a byte further; from then on it only writes, to the peer.
 */
static void
library_feed(Wire *wire)
{
	Str head;

	wire->reader = peers_reader(wire->peers);
	wire->first_us = peers_first_byte_us(wire->peers);
	wire->end = wire->dead = false;
	wire->written = 0;
	head = record_canonical(wire->reader);
	CHECK(write(wire->feed[1], head.p, head.n) == (ssize_t)head.n);
	wire->fcgi.ipcFd = wire->feed[0];
	wire->fcgi.keepConnection = 1; /* or it would close the pipe first */
	CHECK(FCGX_Accept_r(&wire->fcgi) == 0);
	wire->fcgi.ipcFd = peers_fd(wire->peers);
	wire->fed = true;
}

/* Answer a malformed head, in English: its parameters are not to be trusted. */
static void
refuse(Wire *wire)
{
	int status = record_status(wire->reader);
	ProblemCode code = status == 431 ? P_head_too_large : P_bad_request;
	Uuid id = uuid7_make();
	Buf head = { .arena = wire->arena }, body = { .arena = wire->arena };

	problem_write(&body, problem(code), LANG_EN, id);
	buf_print(
	    &head,
	    "Status: %d\r\nContent-Type: application/problem+json\r\nContent-Language: en\r\n"
	    "Content-Length: %zu\r\nCache-Control: no-store\r\nVary: Accept-Language\r\n"
	    "X-Content-Type-Options: nosniff\r\nX-Request-Id: ",
	    status, body.n);
	uuid_put(&head, id);
	buf_puts(&head, "\r\n\r\n");
	wire_answer(wire, buf_str(&head), buf_str(&body), deadline_in_ms(REFUSAL_MS));
	arena_reset(wire->arena);
}

WireEvent
wire_next(Wire *wire, WireDoor door)
{
	for (;;) {
		library_free(wire);
		wire->reader = NULL;
		switch (peers_next(wire->peers, door)) {
		case PEERS_READY:
			library_feed(wire);
			return WIRE_REQUEST;
		case PEERS_REFUSED:
			library_feed(wire);
			refuse(wire);
			break;
		case PEERS_SIGNAL:
			return WIRE_SIGNAL;
		}
	}
}

Str
wire_param(const Wire *wire, const char *name)
{
	return str_of(FCGX_GetParam(name, wire->fcgi.envp));
}

bool
wire_pair(const Wire *wire, size_t i, Str *name, Str *value)
{
	return record_pair(wire->reader, i, name, value);
}

int64_t
wire_first_byte_us(const Wire *wire)
{
	return wire->first_us;
}

/* --- the body */

typedef struct Body {
	size_t max;
	uint64_t declared;
	bool known; /* CONTENT_LENGTH is a number */
	Buf buf;
} Body;

static const Problem *
body_add(Ctx *ctx, Body *body, Str piece)
{
	Buf *buf = &body->buf;

	if (piece.n > body->max - buf->n)
		return problem(P_body_too_large);
	if (body->known && piece.n > body->declared - buf->n)
		return problem_inside(ctx, P_bad_request, "body is longer than CONTENT_LENGTH");
	/* Who has sent a good part of what he declared gets the room for all of it at once. */
	if (body->known && piece.n > buf->room - buf->n)
		buf_room(buf, (size_t)body->declared - buf->n);
	buf_put(buf, piece);
	return NULL;
}

static const Problem *
body_end(Ctx *ctx, const Body *body)
{
	if (body->known && body->buf.n != body->declared)
		return problem_inside(ctx, P_bad_request,
		                      "body is shorter than CONTENT_LENGTH");
	return NULL;
}

/* More bytes from the peer. */
static const Problem *
body_fill(Wire *wire, Ctx *ctx)
{
	/* Also when bytes are there: a body of small records would never end. */
	switch (deadline_passed(ctx->deadline) ? PEERS_LATE
	                                       : peers_fill(wire->peers, ctx->deadline)) {
	case PEERS_BYTES:
		break;
	case PEERS_LATE:
		return problem_inside(ctx, P_deadline_exceeded, "waiting for the body");
	case PEERS_GONE:
		wire->dead = true;
		return problem_inside(ctx, P_bad_request,
		                      "the peer went in the middle of the body");
	}
	return NULL;
}

const Problem *
wire_body(Wire *wire, Ctx *ctx, size_t max, Str *out)
{
	Body body = { .max = max, .buf = peers_gathered(wire->peers) };
	Str piece;

	body.known = str_u64(record_param(wire->reader, "CONTENT_LENGTH"), &body.declared);
	if ((body.known && body.declared > max) || body.buf.n > max)
		return problem(P_body_too_large);
	if (body.known && body.buf.n > body.declared)
		return problem_inside(ctx, P_bad_request, "body is longer than CONTENT_LENGTH");
	body.buf.arena = ctx->arena; /* where it grows, when it does */
	if (body.buf.n == 0)
		buf_room(&body.buf,
		         body.known ? MIN((size_t)body.declared, BODY_FIRST_ROOM) : 0);
	for (;;) {
		switch (peers_step(wire->peers, &piece)) {
		case RECORD_BODY:
			TRY(body_add(ctx, &body, piece));
			break;
		case RECORD_END:
			wire->end = true;
			TRY(body_end(ctx, &body));
			*out = buf_str(&body.buf);
			return NULL;
		case RECORD_REFUSE:
			return problem_inside(ctx, P_bad_request, "records: %s",
			                      record_reason(wire->reader));
		case RECORD_CLOSE:
			wire->dead = true;
			return problem(P_bad_request);
		case RECORD_MORE:
		case RECORD_HEAD:
		case RECORD_REPLY:
			TRY(body_fill(wire, ctx));
			break;
		}
	}
}

/* Nobody wanted the body. Is its end, as is usual when it is empty, already here? */
static void
body_skip(Wire *wire)
{
	Str piece;

	for (int fills = 0; !wire->end && !wire->dead;) {
		switch (peers_step(wire->peers, &piece)) {
		case RECORD_END:
			wire->end = true;
			break;
		case RECORD_CLOSE:
			wire->dead = true;
			break;
		case RECORD_REFUSE:
			return;
		case RECORD_MORE:
			if (fills++ > 0 ||
			    peers_fill(wire->peers, deadline_in_ms(0)) != PEERS_BYTES)
				return;
			break;
		case RECORD_HEAD:
		case RECORD_BODY:
		case RECORD_REPLY:
			break;
		}
	}
}

/* --- the answer */

/*
 * May libfcgi write once more without waiting past the deadline? It writes WRITE_BYTES at most,
 * and a fresh socket takes those; later there must be room, which poll() sees.
 */
static bool
room(Wire *wire, Deadline deadline)
{
	struct pollfd wait = { .fd = peers_fd(wire->peers), .events = POLLOUT };
	int n;

	if (wire->written < WRITE_BYTES)
		return true;
	do
		n = poll(&wait, 1, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool
put(Wire *wire, Str text, Deadline deadline)
{
	while (text.n > 0) {
		Str piece = str_sub(text, 0, PIECE_BYTES);

		wire->written += piece.n;
		if (!room(wire, deadline) ||
		    FCGX_PutStr(piece.p, (int)piece.n, wire->fcgi.out) != (int)piece.n)
			return false;
		text = str_sub(text, piece.n, text.n);
	}
	return true;
}

/*
 * What is left, the end of STDOUT and END_REQUEST. Not FCGX_Finish_r: after an error it closes
 * the descriptor, which is ours, and waits up to two seconds for the peer to close.
 */
static bool
put_end(Wire *wire, Deadline deadline)
{
	return room(wire, deadline) && FCGX_FClose(wire->fcgi.err) == 0 &&
	       FCGX_FClose(wire->fcgi.out) == 0;
}

bool
wire_answer(Wire *wire, Str head, Str body, Deadline deadline)
{
	int ms = MAX(deadline_left_ms(deadline), 1); /* 0 would be for ever */
	struct timeval left = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	bool sent;

	body_skip(wire);
	if (wire->dead) {
		peers_done(wire->peers, true);
		return false;
	}
	setsockopt(peers_fd(wire->peers), SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
	sent =
	    put(wire, head, deadline) && put(wire, body, deadline) && put_end(wire, deadline);
	peers_done(wire->peers, !sent || wire->end);
	return sent;
}

int
wire_descriptor(const Wire *wire, unsigned *request_id)
{
	*request_id = record_id(wire->reader);
	return peers_fd(wire->peers);
}

void
wire_forget(Wire *wire)
{
	peers_forget(wire->peers);
}

WireCounts
wire_counts(const Wire *wire)
{
	return peers_counts(wire->peers);
}

size_t
wire_waiting(const Wire *wire)
{
	return peers_waiting(wire->peers);
}
