/*
 * A client that is cheap: many kept connections, requests of several kinds, each answer held to
 * its status.
 *
 *     mix PORT CONNECTIONS TOTAL SECONDS FILE...
 *
 * Asks 127.0.0.1:PORT TOTAL times. A file is a kind of request: a line "NAME WEIGHT STATUS",
 * then the bytes that are sent as they are. An answer is good when it has that status and is as
 * long as it says. Prints a line "NAME good N bad N worst_ms N" for each kind, and the first
 * bad ones on standard error.
 *
 * returns  0 when all of TOTAL were answered; 1 when SECONDS were not enough
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KINDS_MAX = 64, HEAD_BYTES = 16384, BATCH = 64, SHOWN_MAX = 10, STEP = 7919 };

typedef struct Kind {
	char name[64];
	int weight, status;
	char *bytes;
	size_t n;
	unsigned long good, bad;
	double worst_ms;
} Kind;

typedef struct Client {
	int fd; /* -1: not connected */
	Kind *kind;
	double since_s;
	size_t sent;
	char head[HEAD_BYTES + 1];
	size_t n_head; /* bytes of the answer's head so far, and of what came with its end */
	bool in_body;
	bool closes; /* the answer says so */
	int status;
	int64_t left;   /* bytes of the body that are to come */
	bool waits_out; /* in the set for writing, too */
	bool done;      /* nothing more is asked of it */
} Client;

static Kind kinds[KINDS_MAX];
static int n_kinds, weights, epoll_fd, port;
static unsigned long asked, total, shown;

static void
die(const char *what)
{
	fprintf(stderr, "mix: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
kind_read(const char *path)
{
	Kind *kind = &kinds[n_kinds++];
	FILE *file = fopen(path, "re");
	struct stat about;
	long from;

	if (file == NULL ||
	    fscanf(file, "%63s %d %d", kind->name, &kind->weight, &kind->status) != 3 ||
	    fgetc(file) != '\n')
		die(path);
	from = ftell(file);
	if (fstat(fileno(file), &about) < 0)
		die(path);
	kind->n = (size_t)(about.st_size - from);
	kind->bytes = malloc(kind->n);
	if (kind->bytes == NULL || fread(kind->bytes, 1, kind->n, file) != kind->n)
		die(path);
	fclose(file);
	weights += kind->weight;
}

/* Kinds follow each other in a fixed order in which none comes twice in a row for long. */
static Kind *
kind_next(void)
{
	int at = (int)(asked * STEP % (unsigned long)weights), i = 0;

	while (at >= kinds[i].weight)
		at -= kinds[i++].weight;
	return &kinds[i];
}

static void
watch(Client *client, bool out, int operation)
{
	struct epoll_event event = { .events = EPOLLIN | (out ? EPOLLOUT : 0),
		                     .data.ptr = client };

	if (epoll_ctl(epoll_fd, operation, client->fd, &event) < 0)
		die("epoll_ctl");
	client->waits_out = out;
}

static void
client_connect(Client *client)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	watch(client, false, EPOLL_CTL_ADD);
}

static void
client_close(Client *client)
{
	close(client->fd);
	client->fd = -1;
}

static void client_ask(Client *client);

/* The answer is at its end, or will never be: why is NULL when it is whole. */
static void
client_end(Client *client, const char *why)
{
	double ms = 1000 * (now_s() - client->since_s);
	Kind *kind = client->kind;

	if (why == NULL && client->status == kind->status) {
		kind->good++;
	} else {
		kind->bad++;
		if (shown++ < SHOWN_MAX)
			fprintf(stderr,
			        "%s: %s, status %d, %zu of %zu bytes sent, %.0f ms: %.300s\n",
			        kind->name, why == NULL ? "answered" : why, client->status,
			        client->sent, kind->n, ms, client->head);
	}
	if (ms > kind->worst_ms)
		kind->worst_ms = ms;
	if (why != NULL || client->closes)
		client_close(client);
}

/* Send what the socket takes. A peer that is gone may have answered: reading tells. */
static void
client_send(Client *client)
{
	while (client->sent < client->kind->n) {
		ssize_t n = send(client->fd, client->kind->bytes + client->sent,
		                 client->kind->n - client->sent, MSG_NOSIGNAL);

		if (n < 0)
			break;
		client->sent += (size_t)n;
	}
	if (client->waits_out != (client->sent < client->kind->n && errno == EAGAIN))
		watch(client, !client->waits_out, EPOLL_CTL_MOD);
}

static void
client_ask(Client *client)
{
	client->done = asked == total;
	if (client->done)
		return;
	client->kind = kind_next();
	asked++;
	if (client->fd < 0)
		client_connect(client);
	client->sent = client->n_head = 0;
	client->in_body = client->closes = false;
	client->status = 0;
	client->since_s = now_s();
	errno = 0;
	client_send(client);
}

/* The value of a header in a head that ends in NUL; NULL when it is not there. */
static const char *
header(const char *head, const char *name)
{
	const char *found = strcasestr(head, name);

	return found == NULL ? NULL : found + strlen(name);
}

/* The head is whole. False when it tells no length. */
static bool
head_take(Client *client)
{
	char *end = strstr(client->head, "\r\n\r\n"), *close = NULL;
	const char *length;

	end[2] = '\0';
	client->status = atoi(client->head + strlen("HTTP/1.1 "));
	length = header(client->head, "\r\nContent-Length:");
	close = strcasestr(client->head, "\r\nConnection: close");
	client->closes = close != NULL;
	client->in_body = true;
	if (length == NULL && client->status != 204 && client->status != 304)
		return false;
	client->left = length == NULL ? 0 : strtoll(length, NULL, 10);
	client->left -= (int64_t)(client->n_head - (size_t)(end + 4 - client->head));
	return client->left >= 0;
}

/* Take what has come; true when the answer is at its end. */
static bool
client_hear(Client *client)
{
	static char rest[65536];
	bool head = !client->in_body;
	ssize_t n = recv(client->fd, head ? client->head + client->n_head : rest,
	                 head ? HEAD_BYTES - client->n_head : sizeof rest, 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		client_end(client, client->n_head > 0 ? "cut" : "closed");
		return true;
	}
	if (!head) {
		client->left -= n;
	} else {
		client->n_head += (size_t)n;
		client->head[client->n_head] = '\0';
		if (strstr(client->head, "\r\n\r\n") == NULL)
			return false;
		if (!head_take(client)) {
			client_end(client, "of no length");
			return true;
		}
	}
	if (client->left > 0)
		return false;
	/* Answered early, and not told to leave: the rest of the request goes first. */
	if (client->sent < client->kind->n && !client->closes)
		return false;
	client_end(client, client->left < 0 ? "too long" : NULL);
	return true;
}

static void
client_event(Client *client, uint32_t events)
{
	bool answered = client->in_body && client->left == 0;

	if (events & EPOLLOUT) {
		errno = 0;
		client_send(client);
		if (answered && client->sent == client->kind->n) {
			client_end(client, NULL);
			client_ask(client);
			return;
		}
	}
	if (events & ~(uint32_t)EPOLLOUT && client_hear(client))
		client_ask(client);
}

/* False when the time is over. */
static bool
run(Client *clients, int n_clients, double seconds)
{
	struct epoll_event events[BATCH];
	double end_s = now_s() + seconds;

	for (int i = 0; i < n_clients; i++) {
		clients[i].fd = -1;
		client_ask(&clients[i]);
	}
	for (;;) {
		unsigned long ended = 0;
		int n;

		for (int i = 0; i < n_kinds; i++)
			ended += kinds[i].good + kinds[i].bad;
		if (ended == total)
			return true;
		if (now_s() > end_s)
			return false;
		n = epoll_wait(epoll_fd, events, BATCH, 1000);
		for (int i = 0; i < n; i++) {
			Client *client = events[i].data.ptr;

			if (client->fd >= 0 && !client->done)
				client_event(client, events[i].events);
		}
	}
}

int
main(int argc, char **argv)
{
	Client *clients;
	int n_clients;
	bool all;

	if (argc < 6 || argc - 5 > KINDS_MAX) {
		fputs("usage: mix PORT CONNECTIONS TOTAL SECONDS FILE...\n", stderr);
		return 2;
	}
	port = atoi(argv[1]);
	n_clients = atoi(argv[2]);
	total = strtoul(argv[3], NULL, 10);
	for (int i = 5; i < argc; i++)
		kind_read(argv[i]);
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc((size_t)n_clients, sizeof *clients);
	if (epoll_fd < 0 || clients == NULL)
		die("start");
	all = run(clients, n_clients, atof(argv[4]));
	for (int i = 0; i < n_kinds; i++)
		printf("%s good %lu bad %lu worst_ms %.0f\n", kinds[i].name, kinds[i].good,
		       kinds[i].bad, kinds[i].worst_ms);
	return all ? 0 : 1;
}
