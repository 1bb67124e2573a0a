#include "fcgi/peers_inner.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/log.h"

enum { DRAIN_TURN = 16 }; /* reads of one peer's rest before others have a turn */

bool
in_hand(Head head)
{
	return head == HEAD_READY || head == HEAD_REFUSED;
}

static bool
send_now(int fd, Str bytes)
{
	return send(fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes.n;
}

/* A peer that takes no replies is lost. */
RecordEvent
peer_step(Peers *peers, Peer *peer, Str *piece)
{
	if (peer->then != RECORD_MORE) {
		*piece = STR_NONE;
		return peer->then;
	}
	for (;;) {
		RecordEvent event = record_next(peer->reader, &peers->in, piece);

		if (event != RECORD_REPLY)
			return event;
		if (!send_now(peer->fd, *piece)) {
			*piece = STR_NONE;
			return RECORD_CLOSE;
		}
	}
}

ssize_t
peer_receive(Peers *peers, Peer *peer)
{
	ssize_t n = recv(peer->fd, peers->buffer, PEERS_BUFFER_BYTES, MSG_DONTWAIT);

	peers->in = (Str){ peers->buffer, n > 0 ? (size_t)n : 0 };
	return n;
}

static void
count_refused(Peers *peers, const Peer *peer)
{
	LogLine line;

	peers->counts.refused++;
	if (record_reason(peer->reader) == NULL) /* its replies could not be sent */
		return;
	log_start(&line, LOG_INFO, "head_refused");
	log_str(&line, "reason", str_of(record_reason(peer->reader)));
	log_num(&line, "status", record_status(peer->reader));
	log_end(&line);
}

static Head
peer_lost(Peers *peers, Peer *peer)
{
	if (peer->reader != NULL && record_inside(peer->reader))
		peers->counts.closed++;
	place_drop(&peers->places, peer);
	return HEAD_GONE;
}

/* --- bodies */

/* Is there a body, and one that may be waited for? */
static bool
gathers(const Peers *peers, const Peer *peer)
{
	uint64_t declared;

	if (str_u64(record_param(peer->reader, "CONTENT_LENGTH"), &declared))
		return declared > 0 && declared <= peers->config.gather_max;
	return peers->config.gather_max > 0 &&
	       record_param(peer->reader, "HTTP_TRANSFER_ENCODING").n > 0;
}

/* Who had to wait for his body has the time of a request from now on. */
static Head
body_ready(Peers *peers, Peer *peer)
{
	if (peer->watched)
		peer->first_us = clock_mono_us();
	place_in_hand(&peers->places, peer);
	return HEAD_READY;
}

/* Who has sent a good part of what he declared gets the room for all of it at once. */
static void
body_add(Peers *peers, Peer *peer, Str piece)
{
	Buf *buf = &peer->body;
	uint64_t declared;

	if (buf->n > 0 && piece.n > buf->room - buf->n &&
	    str_u64(record_param(peer->reader, "CONTENT_LENGTH"), &declared) &&
	    declared > buf->n + piece.n)
		buf_room(buf, (size_t)declared - buf->n);
	place_add(&peers->places, peer, piece);
}

static bool
body_is_much(const Peers *peers, const Peer *peer)
{
	return peer->body.n > peers->config.gather_max ||
	       peers->places.gathered > PEERS_BODIES_MAX;
}

/* Take what is in peers->in. What is too much to be kept here is read on by who serves it. */
static Head
body_read(Peers *peers, Peer *peer)
{
	Str piece;

	for (;;) {
		RecordEvent event = peer_step(peers, peer, &piece);

		switch (event) {
		case RECORD_BODY:
			body_add(peers, peer, piece);
			if (body_is_much(peers, peer))
				return body_ready(peers, peer);
			break;
		case RECORD_END:
		case RECORD_REFUSE:
			peer->then = event;
			return body_ready(peers, peer);
		case RECORD_CLOSE:
			return peer_lost(peers, peer);
		case RECORD_MORE:
			return HEAD_WAITS;
		case RECORD_HEAD:
		case RECORD_REPLY:
			break;
		}
	}
}

Head
peer_late(Peers *peers, Peer *peer)
{
	peer->late = true;
	return body_ready(peers, peer);
}

/* --- heads */

static Head
head_whole(Peers *peers, Peer *peer)
{
	if (gathers(peers, peer)) {
		place_gather(&peers->places, peer);
		return body_read(peers, peer);
	}
	place_in_hand(&peers->places, peer);
	return HEAD_READY;
}

/* n bytes have come. */
static Head
head_read(Peers *peers, Peer *peer, size_t n)
{
	RecordEvent event;
	Str piece;

	if (peer->reader == NULL) {
		place_begin(&peers->places, peer);
		peer->first_us -= peer->queued_us;
	}
	event = peer_step(peers, peer, &piece);
	if (event == RECORD_MORE) {
		place_grow(&peers->places, peer, n);
		return HEAD_WAITS;
	}
	if (event == RECORD_HEAD)
		return head_whole(peers, peer);
	count_refused(peers, peer);
	if (event == RECORD_REFUSE) {
		place_in_hand(&peers->places, peer);
		return HEAD_REFUSED;
	}
	if (piece.n > 0)
		send_now(peer->fd, piece);
	place_drop(&peers->places, peer);
	return HEAD_GONE;
}

Head
peer_read(Peers *peers, Peer *peer)
{
	ssize_t n = peer_receive(peers, peer);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return HEAD_WAITS;
	if (n <= 0)
		return peer_lost(peers, peer);
	if (peer->state == PEER_BODY)
		return body_read(peers, peer);
	return head_read(peers, peer, (size_t)n);
}

/* --- those that were answered */

bool
peer_drain(Peers *peers, Peer *peer)
{
	for (int i = 0; i < DRAIN_TURN; i++) {
		ssize_t n = peer_receive(peers, peer);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0 || (peer->bytes += (size_t)n) > PEERS_DRAIN_MAX) {
			place_drop(&peers->places, peer);
			return true;
		}
	}
	return false;
}
