#include "common/db_inner.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"

enum {
	DIAL_MS = 2000, /* for one host, unless the connection string has connect_timeout */
	BACKOFF_BASE_MS = 50,
	BACKOFF_CAP_MS = 1000, /* an outage lasts at most so much longer with us */
	UNFIT_PAUSE_US = 1000000,
	KNOWN_ROOM = 256
};

/* ------------------------------------------------------------------ what is prepared */

/* Where a statement is, or would be. */
static size_t
known_slot(const DbKnown *known, const DbVariant *variant)
{
	size_t i = (size_t)(((uintptr_t)variant >> 4) * 0x9E3779B97F4A7C15u);

	for (i &= known->room - 1; known->v[i] != NULL && known->v[i] != variant;)
		i = (i + 1) & (known->room - 1);
	return i;
}

bool
known_has(const DbKnown *known, const DbVariant *variant)
{
	return known->room > 0 && known->v[known_slot(known, variant)] == variant;
}

void
known_add(DbKnown *known, const DbVariant *variant)
{
	if (known->n * 2 >= known->room) {
		DbKnown grown = { .room = MAX(known->room * 2, (size_t)KNOWN_ROOM) };

		grown.v = calloc(grown.room, sizeof *grown.v);
		CHECK(grown.v != NULL);
		for (size_t i = 0; i < known->room; i++)
			if (known->v[i] != NULL)
				grown.v[known_slot(&grown, known->v[i])] = known->v[i];
		grown.n = known->n;
		free(known->v);
		*known = grown;
	}
	known->n += known->v[known_slot(known, variant)] == NULL;
	known->v[known_slot(known, variant)] = variant;
}

/* ------------------------------------------------------------------ waiting */

/* Wait for events on the socket; false when the deadline has passed. */
static bool
socket_wait(Db *db, short events, Deadline deadline)
{
	int64_t start_us = clock_mono_us();
	struct pollfd socket = { .fd = PQsocket(db->conn), .events = events };
	int n;

	do
		n = poll(&socket, 1, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	CHECK(n >= 0);
	db->cost.wait_us += clock_mono_us() - start_us;
	return n > 0;
}

/* Wait until PQgetResult() does not block, sending meanwhile what is still to be sent. */
static Wait
link_wait(Db *db, Deadline deadline)
{
	int unsent;

	for (bool waited = false;; waited = true) {
		unsent = PQflush(db->conn);
		if (unsent == 0 && !PQisBusy(db->conn))
			return WAIT_READY;
		if (unsent < 0)
			return WAIT_LOST;
		if (waited && deadline_passed(deadline)) /* a server may send for ever */
			return WAIT_LATE;
		if (!socket_wait(db, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline))
			return WAIT_LATE;
		if (!PQconsumeInput(db->conn))
			return WAIT_LOST;
	}
}

Wait
link_result(Db *db, Deadline deadline, PGresult **out)
{
	Wait wait = link_wait(db, deadline);

	*out = wait == WAIT_LATE ? NULL : PQgetResult(db->conn);
	return wait;
}

bool
link_alive(Db *db)
{
	struct pollfd socket = { .fd = PQsocket(db->conn), .events = POLLIN };

	for (int i = 0; i < 8 && poll(&socket, 1, 0) > 0; i++) {
		if (!PQconsumeInput(db->conn))
			return false;
		/* reads a notice, which may be the server's farewell */
		(void)PQisBusy(db->conn);
	}
	return !db->doomed && PQtransactionStatus(db->conn) == PQTRANS_IDLE;
}

/* ------------------------------------------------------------------ opening and closing */

void
link_drop(Db *db)
{
	db->cost.faults += db->conn != NULL;
	PQfinish(db->conn); /* its socket is non-blocking, so that the farewell cannot wait */
	db->conn = NULL;
	db->doomed = false;
	if (db->known.room > 0)
		memset(db->known.v, 0, db->known.room * sizeof *db->known.v);
	db->known.n = 0;
	if (db->tx == TX_SENT)
		db->tx = TX_FAILED;
}

void
link_good(Db *db)
{
	db->failures = 0;
	db->retry_at_us = 0;
	db->since_us = clock_mono_us();
}

void
link_unfit(Db *db)
{
	if (db->conn == NULL || clock_mono_us() - db->since_us < UNFIT_PAUSE_US)
		return;
	link_drop(db);
	db->host++;
	hosts_refresh(db->hosts, true);
}

void
link_bad(Db *db)
{
	uint32_t random, ceiling_ms, wait_ms;

	link_drop(db);
	random_bytes(&random, sizeof random);
	db->failures++;
	ceiling_ms = backoff_ms(db->failures, BACKOFF_BASE_MS, BACKOFF_CAP_MS, UINT32_MAX);
	wait_ms = ceiling_ms / 2 +
	          backoff_ms(db->failures, BACKOFF_BASE_MS / 2, BACKOFF_CAP_MS / 2, random);
	db->retry_at_us = clock_mono_us() + (int64_t)wait_ms * 1000;
}

/* A warning of no concern, or the news that the session ends. */
static void
notice_take(void *to, const PGresult *notice)
{
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	Db *db = to;

	if (severity != NULL &&
	    (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		db->doomed = true;
}

typedef struct Params {
	const char *keywords[16], *values[16];
	size_t n;
} Params;

static void
params_add(Params *params, const char *keyword, const char *value)
{
	if (value == NULL)
		return;
	params->keywords[params->n] = keyword;
	params->values[params->n++] = value;
}

PGconn *
link_dial(const char *dsn, const char *name, const DbHosts *hosts, DbHost host)
{
	Params params = { .n = 0 };
	PGconn *conn;

	params_add(&params, "dbname", dsn);
	params_add(&params, "host", host.name);
	params_add(&params, "hostaddr", host.addr);
	params_add(&params, "port", host.port);
	params_add(&params, "client_encoding", "UTF8");
	params_add(&params, "fallback_application_name", name);
	if (hosts_option(hosts, "gssencmode") == NULL)
		params_add(&params, "gssencmode", "disable"); /* its library blocks */
	if (hosts_option(hosts, "tcp_user_timeout") == NULL)
		params_add(&params, "tcp_user_timeout", "5000"); /* a peer gone mute; ms */
	conn = PQconnectStartParams(params.keywords, params.values, 1);
	CHECK(conn != NULL);
	return conn;
}

static Wait
dial_poll(Db *db, Deadline deadline)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (PQstatus(db->conn) == CONNECTION_BAD)
		return WAIT_LOST;
	while (status != PGRES_POLLING_OK) {
		if (status == PGRES_POLLING_FAILED)
			return WAIT_LOST;
		if (!socket_wait(db, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
		                 deadline))
			return WAIT_LATE;
		status = PQconnectPoll(db->conn);
	}
	return WAIT_READY;
}

/* The connection for our use of it: NULL, or what is wrong. */
static const char *
dial_finish(Db *db)
{
	static const char *const encodings[] = { "server_encoding", "client_encoding" };

	for (size_t i = 0; i < COUNT(encodings); i++) {
		const char *encoding = PQparameterStatus(db->conn, encodings[i]);

		if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
			return "the database is not in UTF8";
	}
	if (PQsetnonblocking(db->conn, 1) != 0 || !PQenterPipelineMode(db->conn))
		return "libpq refuses to work without waiting";
	return NULL;
}

/* One host; NULL, or why not, in the arena. */
static const char *
dial(Ctx *ctx, DbHost host, Deadline deadline)
{
	Db *db = ctx->db;
	const char *wrong = NULL;

	db->conn = link_dial(db->dsn, db->name, db->hosts, host);
	PQsetNoticeReceiver(db->conn, notice_take, db);
	switch (dial_poll(db, deadline)) {
	case WAIT_READY:
		wrong = dial_finish(db);
		break;
	case WAIT_LOST:
		wrong = arena_print(ctx->arena, "%s", PQerrorMessage(db->conn));
		break;
	case WAIT_LATE:
		wrong = arena_print(ctx->arena, "%s%s does not answer",
		                    host.name == NULL ? "the server" : "server ",
		                    host.name == NULL ? "" : host.name);
		break;
	}
	if (wrong != NULL)
		link_drop(db);
	return wrong;
}

/* When this host's time is over: it may not take that of the hosts after it. */
static Deadline
dial_deadline(const Db *db, Deadline deadline, size_t hosts_left)
{
	const char *seconds = hosts_option(db->hosts, "connect_timeout");
	int64_t limit_ms = DIAL_MS, share_ms = deadline_left_ms(deadline) / (int64_t)hosts_left;

	if (seconds != NULL && str_i64(str_of(seconds), &limit_ms))
		limit_ms = limit_ms > 0 ? MIN(limit_ms, (int64_t)3600) * 1000 : INT32_MAX;
	return hosts_left == 1 ? deadline_min(deadline, deadline_in_ms(limit_ms))
	                       : deadline_in_ms(MIN(limit_ms, share_ms));
}

const Problem *
link_open(Ctx *ctx)
{
	Db *db = ctx->db;
	const char *wrong;
	size_t n;

	if (clock_mono_us() < db->retry_at_us)
		return fault_unavailable(ctx,
		                         "no connection, and it is too early for a new one");
	hosts_refresh(db->hosts, false);
	wrong = hosts_wrong(db->hosts);
	n = hosts_count(db->hosts);
	for (size_t i = 0; i < n && !deadline_passed(ctx->deadline); i++) {
		wrong = dial(ctx, hosts_at(db->hosts, db->host),
		             dial_deadline(db, ctx->deadline, n - i));
		if (wrong == NULL) {
			db->cost.connects++;
			return NULL;
		}
		db->host++;
	}
	link_bad(db);
	hosts_refresh(db->hosts, true);
	if (deadline_passed(ctx->deadline))
		return problem_inside(ctx, P_deadline_exceeded, "no connection in time: %s",
		                      wrong == NULL ? "nothing was tried" : wrong);
	return fault_unavailable(ctx, arena_print(ctx->arena, "no connection: %s", wrong));
}
