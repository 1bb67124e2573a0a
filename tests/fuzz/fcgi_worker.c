/*
 * Workers that answer out of fcgi/wire.h alone: the FastCGI side by itself, without rooms,
 * database or parent. For the generator of malformed records, and to measure what the wire
 * costs.
 *
 *   fcgi_worker SOCKET [WORKERS [HEAD_MS]]     a unix socket's path, or 127.0.0.1:PORT
 *
 * GET /…          200, what was asked, one line
 * GET /empty      200, nothing
 * GET /big/N      200, N bytes
 * GET /slow/N     200 after N milliseconds
 * GET /param/X    200, the values of all parameters named X, one line each
 * POST /early     413, the body is not read
 * POST /…         200, the body, at most 4 MiB, within 5 s
 *
 * TERM to the parent ends it with its workers; a worker that dies is not replaced.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "fcgi/wire.h"

enum { WORKERS_MAX = 64, BACKLOG = 4096, DEADLINE_MS = 5000 };

static const size_t BODY_MAX = MIB(4);

static volatile sig_atomic_t stopping;

static void
on_term(int signal)
{
	(void)signal;
	stopping = 1;
}

static int
socket_open(const char *name, bool *tcp)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in loopback = { .sin_family = AF_INET };
	const char *colon = strchr(name, ':');
	int one = 1, fd;

	*tcp = name[0] != '/' && colon != NULL;
	fd = socket(*tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	if (*tcp) {
		loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		loopback.sin_port = htons((uint16_t)atoi(colon + 1));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		CHECK(bind(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0);
	} else {
		CHECK(strlen(name) < sizeof local.sun_path);
		strcpy(local.sun_path, name);
		unlink(name);
		CHECK(bind(fd, (struct sockaddr *)&local, sizeof local) == 0);
	}
	CHECK(listen(fd, BACKLOG) == 0);
	return fd;
}

/* The number behind this prefix of the path. */
static bool
path_number(Str uri, Str prefix, uint64_t *number)
{
	return str_starts(uri, prefix) && str_u64(str_sub(uri, prefix.n, uri.n), number);
}

static const Problem *
answer(Wire *wire, Ctx *ctx, Buf *out)
{
	Str uri = wire_param(wire, "REQUEST_URI"), name, value;
	uint64_t n;

	if (str_eq(wire_param(wire, "REQUEST_METHOD"), S("POST"))) {
		if (str_eq(uri, S("/early")))
			return problem(P_body_too_large);
		TRY(wire_body(wire, ctx, BODY_MAX, &value));
		buf_put(out, value);
	} else if (path_number(uri, S("/big/"), &n)) {
		memset(buf_room(out, MIN((size_t)n, BODY_MAX)), 'b', MIN((size_t)n, BODY_MAX));
		out->n += MIN((size_t)n, BODY_MAX);
	} else if (path_number(uri, S("/slow/"), &n)) {
		usleep((useconds_t)MIN(n, 10000) * 1000);
	} else if (str_starts(uri, S("/param/"))) {
		for (size_t i = 0; wire_pair(wire, i, &name, &value); i++)
			if (str_eq(name, str_sub(uri, 7, uri.n)))
				buf_print(out, "%.*s\n", STR_ARG(value));
	} else if (!str_eq(uri, S("/empty"))) {
		buf_print(out, "%.*s %.*s\n", STR_ARG(wire_param(wire, "REQUEST_METHOD")),
		          STR_ARG(uri));
	}
	return NULL;
}

static void
serve(Wire *wire, Arena *arena)
{
	Ctx ctx = { .arena = arena, .deadline = deadline_in_ms(DEADLINE_MS) };
	Buf head = { .arena = arena }, out = { .arena = arena };
	const Problem *p = answer(wire, &ctx, &out);

	if (p != NULL)
		buf_print(&out, "%s\n", p->inside == NULL ? "" : p->inside);
	buf_print(&head,
	          "Status: %d\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
	          p == NULL ? 200 : problem_rows[p->code].status, out.n);
	wire_answer(wire, buf_str(&head), buf_str(&out), deadline_in_ms(DEADLINE_MS));
	arena_reset(arena);
}

static void
work(const WireConfig *config)
{
	Wire *wire = wire_open(config);
	Arena *arena = arena_open(MIB(32));

	CHECK(wire != NULL);
	for (;;) {
		if (wire_next(wire, stopping ? WIRE_SHUT : WIRE_OPEN) == WIRE_REQUEST)
			serve(wire, arena);
		else if (stopping)
			break;
	}
	arena_close(arena);
	wire_close(wire);
}

static bool
number_arg(const char *text, int least, int most, int *out)
{
	int64_t number;

	if (!str_i64(str_of(text), &number) || number < least || number > most)
		return false;
	*out = (int)number;
	return true;
}

/* Wait for all children; TERM goes on to them. 0 when each ended because of that, and well. */
static int
watch(const sigset_t *awaited, const pid_t *pids, int n)
{
	int bad = 0, left = n, status;
	pid_t pid;

	while (left > 0) {
		if (sigwaitinfo(awaited, NULL) != SIGCHLD) {
			stopping = 1;
			for (int i = 0; i < n; i++)
				kill(pids[i], SIGTERM);
		}
		for (; (pid = waitpid(-1, &status, WNOHANG)) > 0; left--) {
			if (stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0)
				continue;
			fprintf(stderr, "worker %d ended: status %d\n", (int)pid, status);
			bad = 1;
		}
	}
	return bad;
}

int
main(int argc, char **argv)
{
	static const char *const allow[] = { "127.0.0.1", NULL };
	struct sigaction term = { .sa_handler = on_term };
	WireConfig config = { .head_ms = 2000, .allow = allow, .n_allow = 1 };
	pid_t pids[WORKERS_MAX];
	int workers = 2;
	sigset_t blocked;

	if (argc < 2 || argc > 4 ||
	    (argc > 2 && !number_arg(argv[2], 1, WORKERS_MAX, &workers)) ||
	    (argc > 3 && !number_arg(argv[3], 1, 60000, &config.head_ms))) {
		fprintf(stderr, "usage: fcgi_worker SOCKET [WORKERS [HEAD_MS]]\n");
		return 64;
	}
	log_setup(LOG_TEXT, LOG_WARNING);
	config.listen_fd = socket_open(argv[1], &config.tcp);
	CHECK(sigaction(SIGTERM, &term, NULL) == 0 && sigaction(SIGINT, &term, NULL) == 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (int i = 0; i < workers; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			work(&config);
			exit(0);
		}
	}
	return watch(&blocked, pids, workers);
}
