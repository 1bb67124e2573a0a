#include "fcgi/peers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "fcgi/net.h"
#include "fcgi/places.h"

enum {
	BATCH = 32,
	DRAIN_TURN = 16, /* reads of one peer's rest before others have a turn */
	LOG_PAUSE_MS = 10000,
	SIGNALS_MS = 5, /* between two questions for pending signals while there is work */
};

static const size_t BUFFER_BYTES = KIB(64);

struct Peers {
	WireConfig config;
	int epoll;
	bool listening;    /* the listening socket is in the set */
	bool waking;       /* and config.wake_fd, whose events carry this struct's address */
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

/* Put the listening socket into the set or take it out. */
static void
listen_set(Peers *peers, bool listening)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	if (peers->listening == listening)
		return;
	CHECK(epoll_ctl(peers->epoll, listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
	                peers->config.listen_fd, &event) == 0);
	peers->listening = listening;
}

/* The same for the descriptor that ends the wait. */
static void
wake_set(Peers *peers, bool waking)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peers };

	if (peers->waking == waking)
		return;
	CHECK(epoll_ctl(peers->epoll, waking ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
	                peers->config.wake_fd, &event) == 0);
	peers->waking = waking;
}

Peers *
peers_open(const WireConfig *config)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;
	Peers *peers;

	if (epoll < 0)
		return NULL;
	peers = calloc(1, sizeof *peers);
	CHECK(peers != NULL);
	peers->config = *config;
	peers->epoll = epoll;
	peers->buffer = malloc(BUFFER_BYTES);
	CHECK(peers->buffer != NULL);
	sigemptyset(&peers->open);
	places_init(&peers->places);
	if (config->tcp) /* connections inherit it */
		setsockopt(config->listen_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	listen_set(peers, true);
	wake_set(peers, config->wake_fd > 0);
	peers->left_us = clock_mono_us();
	return peers;
}

void
peers_close(Peers *peers)
{
	places_done(&peers->places);
	close(peers->epoll);
	free(peers->buffer);
	free(peers);
}

static void
evict(Peers *peers, Peer *victim)
{
	if (victim == NULL)
		return;
	peers->counts.evicted++;
	place_drop(&peers->places, victim);
}

/* Into the set. It is dropped when the kernel has no room there. */
static void
watch(Peers *peers, Peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	if (peer->watched)
		return;
	peer->watched = true;
	if (epoll_ctl(peers->epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0)
		evict(peers, peer);
}

/* --- heads */

typedef enum Head { HEAD_READY, HEAD_REFUSED, HEAD_WAITS, HEAD_GONE } Head;

static bool
in_hand(Head head)
{
	return head == HEAD_READY || head == HEAD_REFUSED;
}

static bool
send_now(int fd, Str bytes)
{
	return send(fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes.n;
}

/* Read on in peers->in. A peer that takes no replies is lost. */
static RecordEvent
step(Peers *peers, Peer *peer, Str *piece)
{
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

static ssize_t
receive(Peers *peers, Peer *peer)
{
	ssize_t n = recv(peer->fd, peers->buffer, BUFFER_BYTES, MSG_DONTWAIT);

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

/* Receive once, and see how far the head has come. */
static Head
head_read(Peers *peers, Peer *peer)
{
	ssize_t n = receive(peers, peer);
	RecordEvent event;
	Str piece;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return HEAD_WAITS;
	if (n <= 0) {
		if (peer->reader != NULL && record_inside(peer->reader))
			peers->counts.closed++;
		place_drop(&peers->places, peer);
		return HEAD_GONE;
	}
	if (peer->reader == NULL)
		place_begin(&peers->places, peer);
	event = step(peers, peer, &piece);
	if (event == RECORD_MORE) {
		place_grow(&peers->places, peer, (size_t)n);
		return HEAD_WAITS;
	}
	if (event == RECORD_HEAD) {
		place_in_hand(&peers->places, peer);
		return HEAD_READY;
	}
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

/* --- accepting */

static bool
address_allowed(const Peers *peers, const struct sockaddr_storage *from)
{
	SettingList allow = { peers->config.allow, peers->config.n_allow };
	Address address = { { [10] = 0xFF, [11] = 0xFF } };

	if (from->ss_family == AF_INET6)
		memcpy(address.b, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	else if (from->ss_family == AF_INET)
		memcpy(address.b + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	else
		return false;
	return address_in(address, allow);
}

/*
 * Accepting failed. What concerns one connection is passed over; when descriptors or memory are
 * out, there is a pause, since the set would report the same for ever.
 */
static void
accept_failed(Peers *peers, int error)
{
	static const int passing[] = {
		EAGAIN,    EINTR,        ECONNABORTED, EPROTO,      EPERM,  ENETDOWN,
		EHOSTDOWN, EHOSTUNREACH, ENETUNREACH,  ENOPROTOOPT, ENONET,
	};
	int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < COUNT(passing); i++)
		if (error == passing[i])
			return;
	if (error == EMFILE)
		evict(peers, places_victim(&peers->places));
	if (peers->logged_us == 0 ||
	    now_us - peers->logged_us >= LOG_PAUSE_MS * INT64_C(1000)) {
		log_say(LOG_WARNING, "accept_failed", "%s", strerror(error));
		peers->logged_us = now_us;
	}
	peers->pause_us = now_us + PEERS_PAUSE_MS * INT64_C(1000);
	listen_set(peers, false);
}

/* Give a fresh peer the time to send its head, unless too many are waiting already. */
static Head
grace(Peers *peers, Peer *peer)
{
	int64_t end_us = peer->since_us + PEERS_GRACE_MS * INT64_C(1000);
	Head head = head_read(peers, peer);

	while (head == HEAD_WAITS && peers->places.n_heads <= PEERS_GRACE_PLACES) {
		int64_t left_us = end_us - clock_mono_us();
		struct pollfd wait = { .fd = peer->fd, .events = POLLIN };
		struct timespec left = { .tv_nsec = left_us * 1000 };

		if (left_us <= 0 || ppoll(&wait, 1, &left, NULL) <= 0)
			break;
		head = head_read(peers, peer);
	}
	return head;
}

/* Accept one connection, if there is one. */
static Head
accept_one(Peers *peers)
{
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t from_bytes = sizeof from;
	int fd = accept4(peers->config.listen_fd, (struct sockaddr *)&from, &from_bytes,
	                 SOCK_CLOEXEC);
	Peer *peer;
	Head head;

	if (fd < 0) {
		accept_failed(peers, errno);
		return HEAD_GONE;
	}
	if (peers->config.tcp && !address_allowed(peers, &from)) {
		peers->counts.refused++;
		close(fd);
		return HEAD_GONE;
	}
	peer = place_take(&peers->places, fd);
	if (peer == NULL) {
		evict(peers, places_victim(&peers->places));
		peer = place_take(&peers->places, fd);
		CHECK(peer != NULL);
	}
	head = grace(peers, peer);
	if (head == HEAD_WAITS)
		watch(peers, peer);
	return head;
}

/* --- those that were answered */

/* Throw away what it sent. True when it is gone. */
static bool
drain(Peers *peers, Peer *peer)
{
	for (int i = 0; i < DRAIN_TURN; i++) {
		ssize_t n = receive(peers, peer);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0 || (peer->bytes += (size_t)n) > PEERS_DRAIN_MAX) {
			place_drop(&peers->places, peer);
			return true;
		}
	}
	return false;
}

/* --- waiting */

static bool
expired(const Peer *peer, int64_t ms, int64_t now_us)
{
	return peer != NULL && now_us - peer->since_us >= ms * 1000;
}

/* Close those whose time is over, after a last look at what they sent meanwhile. */
static Head
expire(Peers *peers, int64_t now_us)
{
	Places *places = &peers->places;
	Peer *peer;

	while (expired(peer = TAILQ_FIRST(&places->heads), peers->config.head_ms, now_us)) {
		Head head = head_read(peers, peer);

		if (in_hand(head))
			return head;
		if (head == HEAD_WAITS) {
			peers->counts.timed_out++;
			place_drop(places, peer);
		}
	}
	while (expired(peer = TAILQ_FIRST(&places->drains), PEERS_DRAIN_MS, now_us))
		if (!drain(peers, peer))
			place_drop(places, peer);
	while (places->held > PEERS_HELD_MAX)
		evict(peers, places_oldest_begun(places));
	return HEAD_GONE;
}

/* When stopping: is anyone left who must not be left alone? */
static bool
anyone_left(const Peers *peers, int64_t now_us)
{
	const Peer *peer;

	if (peers->places.n_drains > 0)
		return true;
	TAILQ_FOREACH(peer, &peers->places.heads, next)
	if ((peer->reader != NULL && record_inside(peer->reader)) ||
	    !expired(peer, PEERS_STOP_MS, now_us))
		return true;
	return false;
}

/* Milliseconds until something is to be done without anybody's asking; -1: never. */
static int
wait_ms(const Peers *peers, bool stop, int64_t now_us)
{
	const Peer *head = TAILQ_FIRST(&peers->places.heads);
	const Peer *answered = TAILQ_FIRST(&peers->places.drains);
	int64_t at_us = INT64_MAX;

	if (head != NULL)
		at_us = head->since_us + peers->config.head_ms * INT64_C(1000);
	if (answered != NULL)
		at_us = MIN(at_us, answered->since_us + PEERS_DRAIN_MS * INT64_C(1000));
	if (stop)
		at_us = MIN(at_us, now_us + PEERS_STOP_MS * INT64_C(1000));
	else if (!peers->listening)
		at_us = MIN(at_us, peers->pause_us);
	if (at_us == INT64_MAX)
		return -1;
	return (int)MAX((at_us - now_us + 999) / 1000, INT64_C(0));
}

/* Let in a signal that came meanwhile: who always has work never sleeps, and lets none in. */
static bool
signal_came(Peers *peers, int64_t now_us)
{
	static const struct timespec none = { 0 };
	sigset_t pending;

	if (now_us - peers->asked_us < SIGNALS_MS * INT64_C(1000))
		return false;
	peers->asked_us = now_us;
	return sigpending(&pending) == 0 && !sigisemptyset(&pending) &&
	       ppoll(NULL, 0, &none, &peers->open) < 0;
}

/* Hear everyone once. knocks: hear the listening socket, too, and first. */
static Head
hear(Peers *peers, int timeout_ms, bool knocks, bool *signalled)
{
	struct epoll_event events[BATCH];
	int n = epoll_pwait(peers->epoll, events, BATCH, timeout_ms, &peers->open);
	bool knock = false;
	Head head = HEAD_GONE;

	CHECK(n >= 0 || errno == EINTR);
	*signalled = n < 0;
	for (int i = 0; i < n; i++) {
		knock = knock || events[i].data.ptr == NULL;
		*signalled = *signalled || events[i].data.ptr == peers;
	}
	if (knock && knocks)
		head = accept_one(peers);
	for (int i = 0; i < n && !in_hand(head); i++) {
		Peer *peer = events[i].data.ptr;

		if (events[i].data.ptr == NULL || events[i].data.ptr == peers)
			continue;
		if (peer->state == PEER_HEAD)
			head = head_read(peers, peer);
		else if (peer->state == PEER_DRAIN)
			drain(peers, peer);
	}
	return head;
}

/* Forget the peer that was in hand, and add the time that the worker was away to the drains'.
 */
static void
come_back(Peers *peers)
{
	int64_t now_us = clock_mono_us();
	Peer *peer;

	CHECK(peers->places.in_hand == NULL);
	places_back(&peers->places);
	TAILQ_FOREACH(peer, &peers->places.drains, next)
	peer->since_us = MIN(peer->since_us + now_us - peers->left_us, now_us);
}

/*
 * A knock on the listening socket wakes one sleeping worker only, so a worker that slept
 * answers it before its older peers; otherwise it could go away with one of those, and the
 * knock be heard by nobody. A worker that comes back from a request has not slept, and looks at
 * its own peers first.
 */
PeersEvent
peers_next(Peers *peers, bool stop)
{
	Head head = HEAD_GONE;
	bool signalled = false, fresh = true;

	come_back(peers);
	if (stop) {
		listen_set(peers, false);
		wake_set(peers, false);
	}
	if (peers->places.n_heads > 0)
		head = hear(peers, 0, false, &signalled);
	for (;;) {
		int64_t now_us = clock_mono_us();

		if (!in_hand(head))
			head = expire(peers, now_us);
		if (in_hand(head))
			break;
		if (stop ? !anyone_left(peers, now_us)
		         : signalled || signal_came(peers, now_us))
			return PEERS_SIGNAL;
		if (!stop && now_us >= peers->pause_us)
			listen_set(peers, true);
		if (fresh && peers->listening)
			head =
			    accept_one(peers); /* saves the busy a wait that would not be one */
		else
			head = hear(peers, wait_ms(peers, stop, now_us), true, &signalled);
		fresh = false;
	}
	peers->left_us = clock_mono_us();
	return head == HEAD_READY ? PEERS_READY : PEERS_REFUSED;
}

/* --- the peer in hand */

int
peers_fd(const Peers *peers)
{
	return peers->places.in_hand->fd;
}

RecordReader *
peers_reader(const Peers *peers)
{
	return peers->places.in_hand->reader;
}

int64_t
peers_first_byte_us(const Peers *peers)
{
	return peers->places.in_hand->first_us;
}

RecordEvent
peers_step(Peers *peers, Str *piece)
{
	return step(peers, peers->places.in_hand, piece);
}

PeersRead
peers_fill(Peers *peers, Deadline deadline)
{
	Peer *peer = peers->places.in_hand;

	for (;;) {
		struct pollfd wait = { .fd = peer->fd, .events = POLLIN };
		ssize_t n = receive(peers, peer);

		if (n > 0)
			return PEERS_BYTES;
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return PEERS_GONE;
		if (deadline_passed(deadline))
			return PEERS_LATE;
		poll(&wait, 1, deadline_left_ms(deadline));
	}
}

void
peers_done(Peers *peers, bool over)
{
	Peer *peer = peers->places.in_hand;

	if (over || shutdown(peer->fd, SHUT_WR) < 0) {
		place_drop(&peers->places, peer);
		return;
	}
	place_drain(&peers->places, peer);
	if (!drain(peers, peer))
		watch(peers, peer);
}

void
peers_forget(Peers *peers)
{
	Peer *peer = peers->places.in_hand;

	if (peer->watched) /* closing alone does not: the other process has the connection open
	                    */
		epoll_ctl(peers->epoll, EPOLL_CTL_DEL, peer->fd, NULL);
	place_drop(&peers->places, peer);
}

WireCounts
peers_counts(const Peers *peers)
{
	return peers->counts;
}

size_t
peers_waiting(const Peers *peers)
{
	return peers->places.n_heads;
}
