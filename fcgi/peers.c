#include "fcgi/peers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "fcgi/net.h"
#include "fcgi/peers_inner.h"

enum {
	BATCH = 32,
	LOG_PAUSE_MS = 10000,
	SIGNALS_MS = 5, /* between two questions for pending signals while there is work */
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
	peers->buffer = malloc(PEERS_BUFFER_BYTES);
	CHECK(peers->buffer != NULL);
	sigemptyset(&peers->open);
	places_init(&peers->places, config->gather_max);
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

/*
 * Give a fresh peer the time to send its head, and a body while that keeps coming, unless too
 * many are waiting already.
 */
static Head
grace(Peers *peers, Peer *peer)
{
	int64_t since_us = peer->since_us, read_us = since_us;
	Head head = peer_read(peers, peer);

	peer->queued_us = 0; /* what it says later was not there to wait */
	while (head == HEAD_WAITS &&
	       peers->places.n_heads + peers->places.n_bodies <= PEERS_GRACE_PLACES) {
		int64_t from_us = peer->state == PEER_BODY ? read_us : since_us;
		int64_t left_us = MIN(from_us + PEERS_GRACE_MS * INT64_C(1000),
		                      since_us + PEERS_GRACE_MOST_MS * INT64_C(1000)) -
		                  clock_mono_us();
		struct pollfd wait = { .fd = peer->fd, .events = POLLIN };
		struct timespec left = { .tv_nsec = left_us * 1000 };

		if (left_us <= 0 || ppoll(&wait, 1, &left, NULL) <= 0)
			break;
		read_us = clock_mono_us();
		head = peer_read(peers, peer);
	}
	return head;
}

/* A place for a connection; another one's when there is none. */
static Peer *
place_find(Peers *peers, int fd)
{
	Peer *peer = place_take(&peers->places, fd);

	if (peer == NULL) {
		evict(peers, places_victim(&peers->places));
		peer = place_take(&peers->places, fd);
		CHECK(peer != NULL);
	}
	if (peers->config.board != NULL)
		peer->queued_us = board_accepted(peers->config.board, peer->since_us);
	return peer;
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

	peers->accepted = fd >= 0;
	if (fd < 0) {
		accept_failed(peers, errno);
		return HEAD_GONE;
	}
	if (peers->config.tcp && !address_allowed(peers, &from)) {
		peers->counts.refused++;
		close(fd);
		return HEAD_GONE;
	}
	peer = place_find(peers, fd);
	head = grace(peers, peer);
	if (head == HEAD_WAITS)
		watch(peers, peer);
	return head;
}

/* Accept those who are still to be served, up to one whose head is whole. */
static Head
accept_last(Peers *peers)
{
	Head head = HEAD_GONE;

	while (!in_hand(head)) {
		if (peers->config.board != NULL && board_queue_over(peers->config.board))
			return HEAD_GONE;
		head = accept_one(peers);
		if (!peers->accepted)
			return HEAD_GONE;
	}
	return head;
}

/* --- waiting */

static bool
expired(const Peer *peer, int64_t ms, int64_t now_us)
{
	return peer != NULL && now_us - peer->since_us >= ms * 1000;
}

/*
 * Close those whose time is over, after a last look at what they sent meanwhile; the answer to
 * a body that is late is for whoever serves it.
 */
static Head
expire(Peers *peers, int64_t now_us)
{
	Places *places = &peers->places;
	Peer *peer;

	while (expired(peer = TAILQ_FIRST(&places->heads), peers->config.head_ms, now_us)) {
		Head head = peer_read(peers, peer);

		if (in_hand(head))
			return head;
		if (head == HEAD_WAITS) {
			peers->counts.timed_out++;
			place_drop(places, peer);
		}
	}
	while (expired(peer = TAILQ_FIRST(&places->bodies), peers->config.body_ms, now_us)) {
		Head head = peer_read(peers, peer);

		if (head == HEAD_WAITS)
			head = peer_late(peers, peer);
		if (in_hand(head))
			return head;
	}
	while (expired(peer = TAILQ_FIRST(&places->drains), PEERS_DRAIN_MS, now_us))
		if (!peer_drain(peers, peer))
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

	if (peers->places.n_drains > 0 || peers->places.n_bodies > 0)
		return true;
	TAILQ_FOREACH(peer, &peers->places.heads, next)
	if ((peer->reader != NULL && record_inside(peer->reader)) ||
	    !expired(peer, PEERS_STOP_MS, now_us))
		return true;
	return false;
}

/* Milliseconds until something is to be done without anybody's asking; -1: never. */
static int
wait_ms(const Peers *peers, bool open, int64_t now_us)
{
	const Peer *head = TAILQ_FIRST(&peers->places.heads);
	const Peer *body = TAILQ_FIRST(&peers->places.bodies);
	const Peer *answered = TAILQ_FIRST(&peers->places.drains);
	int64_t at_us = INT64_MAX;

	if (head != NULL)
		at_us = head->since_us + peers->config.head_ms * INT64_C(1000);
	if (body != NULL)
		at_us = MIN(at_us, body->since_us + peers->config.body_ms * INT64_C(1000));
	if (answered != NULL)
		at_us = MIN(at_us, answered->since_us + PEERS_DRAIN_MS * INT64_C(1000));
	if (!open)
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
		if (peer->state == PEER_HEAD || peer->state == PEER_BODY)
			head = peer_read(peers, peer);
		else if (peer->state == PEER_DRAIN)
			peer_drain(peers, peer);
	}
	return head;
}

/* Those of a list have had so much less time than it seems. */
static void
list_forgive(PeerList *list, int64_t away_us, int64_t now_us)
{
	Peer *peer;

	TAILQ_FOREACH(peer, list, next)
	peer->since_us = MIN(peer->since_us + away_us, now_us);
}

/* Forget the peer that was in hand; nobody was heard while the worker was away with it. */
static void
come_back(Peers *peers)
{
	int64_t now_us = clock_mono_us();

	CHECK(peers->places.in_hand == NULL);
	places_back(&peers->places);
	list_forgive(&peers->places.bodies, now_us - peers->left_us, now_us);
	list_forgive(&peers->places.drains, now_us - peers->left_us, now_us);
}

/*
 * A knock on the listening socket wakes one sleeping worker only, so a worker that slept
 * answers it before its older peers; otherwise it could go away with one of those, and the
 * knock be heard by nobody. A worker that comes back from a request has not slept, and looks at
 * its own peers first.
 */
PeersEvent
peers_next(Peers *peers, WireDoor door)
{
	bool open = door == WIRE_OPEN, signalled = false, fresh = true;
	Head head = HEAD_GONE;

	come_back(peers);
	if (!open) {
		listen_set(peers, false);
		wake_set(peers, false);
	}
	if (peers->places.n_heads + peers->places.n_bodies > 0)
		head = hear(peers, 0, false, &signalled);
	for (;;) {
		int64_t now_us = clock_mono_us();

		if (!in_hand(head))
			head = expire(peers, now_us);
		if (!in_hand(head) && door == WIRE_WAITING)
			head = accept_last(peers);
		if (in_hand(head))
			break;
		if (open ? signalled || signal_came(peers, now_us)
		         : !anyone_left(peers, now_us))
			return PEERS_SIGNAL;
		if (open && now_us >= peers->pause_us)
			listen_set(peers, true);
		if (fresh && peers->listening)
			head = accept_one(peers); /* saves a wait that would not be one */
		else
			head = hear(peers, wait_ms(peers, open, now_us), true, &signalled);
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
	return peer_step(peers, peers->places.in_hand, piece);
}

Buf
peers_gathered(const Peers *peers)
{
	return peers->places.in_hand->body;
}

PeersRead
peers_fill(Peers *peers, Deadline deadline)
{
	Peer *peer = peers->places.in_hand;

	if (peer->late)
		return PEERS_LATE;
	for (;;) {
		struct pollfd wait = { .fd = peer->fd, .events = POLLIN };
		ssize_t n = peer_receive(peers, peer);

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
	if (!peer_drain(peers, peer))
		watch(peers, peer);
}

void
peers_forget(Peers *peers)
{
	Peer *peer = peers->places.in_hand;

	if (peer->watched) /* closing alone does not: the other process has it open */
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
