#include "common/db_listen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/db_inner.h"

enum {
	DIAL_MS = 2000, /* for one host */
	BACKOFF_BASE_MS = 50,
	BACKOFF_CAP_MS = 500, /* who does not hear costs every request a question */
	WORDS_BYTES = 64,
};

typedef enum Phase {
	PHASE_AWAY,    /* until `due` */
	PHASE_DIALING, /* a connection is being made, until `due` */
	PHASE_ASKING,  /* a statement is to be answered until `due` */
	PHASE_IDLE,    /* the next ping is at `due` */
} Phase;

struct DbListen {
	DbListenConfig config;
	char *dsn, *name, *channel;
	DbHosts *hosts;
	size_t host;
	PGconn *conn; /* NULL: none */
	Phase phase;
	Deadline due;
	short events;      /* while dialling: what libpq waits for */
	bool listening;    /* LISTEN was answered */
	bool came;         /* our message of the present ping */
	bool answered;     /* and the answer to its statement */
	uint32_t failures; /* one after the other */
	uint64_t number;   /* of the ping; unlike those of any other connection */
	int64_t asked_us;
};

static char *
text_keep(const char *text)
{
	char *kept = strdup(text);

	CHECK(kept != NULL);
	return kept;
}

DbListen *
db_listen_open(const DbListenConfig *config)
{
	DbListen *listen = calloc(1, sizeof *listen);

	CHECK(listen != NULL);
	listen->config = *config;
	listen->dsn = text_keep(config->dsn);
	listen->name = text_keep(config->name);
	listen->channel = text_keep(config->channel);
	listen->hosts = hosts_open(listen->dsn);
	return listen;
}

void
db_listen_close(DbListen *listen)
{
	if (listen == NULL)
		return;
	PQfinish(listen->conn);
	hosts_close(listen->hosts);
	free(listen->dsn);
	free(listen->name);
	free(listen->channel);
	free(listen);
}

/* --- losing and making the connection */

static void
lose(DbListen *listen, const char *why)
{
	uint32_t random;
	Str words = str_of(why);

	while (words.n > 0 && words.p[words.n - 1] == '\n')
		words.n--;
	listen->config.lost(listen->config.to, words);
	PQfinish(listen->conn);
	listen->conn = NULL;
	listen->listening = false;
	listen->host++;
	random_bytes(&random, sizeof random);
	listen->failures++;
	listen->phase = PHASE_AWAY;
	listen->due = deadline_in_ms(
	    backoff_ms(listen->failures, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random));
	hosts_refresh(listen->hosts, true);
}

static void
dial(DbListen *listen)
{
	const char *wrong;

	hosts_refresh(listen->hosts, false);
	wrong = hosts_wrong(listen->hosts);
	if (wrong != NULL) {
		lose(listen, wrong);
		return;
	}
	listen->conn = link_dial(listen->dsn, listen->name, listen->hosts,
	                         hosts_at(listen->hosts, listen->host));
	listen->phase = PHASE_DIALING;
	listen->events = POLLOUT;
	listen->due = deadline_in_ms(DIAL_MS);
}

/* A notice is nobody's business here; libpq would print it. */
static void
notice_drop(void *to, const PGresult *notice)
{
	(void)to;
	(void)notice;
}

static void
ask(DbListen *listen, const char *sql)
{
	listen->phase = PHASE_ASKING;
	listen->due = deadline_in_ms(listen->config.answer_ms);
	listen->answered = listen->came = false;
	if (!PQsendQuery(listen->conn, sql))
		lose(listen, PQerrorMessage(listen->conn));
}

/* The connection is made: ask for the messages. */
static void
begin(DbListen *listen)
{
	char sql[WORDS_BYTES];

	CHECK(snprintf(sql, sizeof sql, "LISTEN %s", listen->channel) < WORDS_BYTES);
	PQsetNoticeReceiver(listen->conn, notice_drop, NULL);
	if (PQsetnonblocking(listen->conn, 1) != 0)
		lose(listen, "libpq refuses to work without waiting");
	else
		ask(listen, sql);
}

static void
ping(DbListen *listen)
{
	char sql[2 * WORDS_BYTES];

	random_bytes(&listen->number, sizeof listen->number);
	CHECK(snprintf(sql, sizeof sql, "SELECT pg_notify('%s', 'p:%llx')", listen->channel,
	               (unsigned long long)listen->number) < (int)sizeof sql);
	listen->asked_us = clock_mono_us();
	ask(listen, sql);
}

/* --- going on */

/* Is the socket ready for what is waited for? */
static bool
socket_ready(const DbListen *listen, short events)
{
	struct pollfd socket = { .fd = PQsocket(listen->conn), .events = events };

	return poll(&socket, 1, 0) > 0;
}

static void
dial_on(DbListen *listen)
{
	while (listen->phase == PHASE_DIALING && socket_ready(listen, listen->events)) {
		switch (PQconnectPoll(listen->conn)) {
		case PGRES_POLLING_OK:
			begin(listen);
			break;
		case PGRES_POLLING_READING:
			listen->events = POLLIN;
			break;
		case PGRES_POLLING_WRITING:
			listen->events = POLLOUT;
			break;
		case PGRES_POLLING_FAILED:
		case PGRES_POLLING_ACTIVE: /* not used by libpq any more */
			lose(listen, PQerrorMessage(listen->conn));
			break;
		}
	}
}

static void
message_take(DbListen *listen, Str words)
{
	char ours[WORDS_BYTES];

	if (!str_starts(words, S("p:"))) {
		listen->config.heard(listen->config.to, words);
		return;
	}
	snprintf(ours, sizeof ours, "p:%llx", (unsigned long long)listen->number);
	if (str_eq(words, str_of(ours)))
		listen->came = true;
}

static void
messages_take(DbListen *listen)
{
	PGnotify *message;

	while ((message = PQnotifies(listen->conn)) != NULL) {
		message_take(listen, str_of(message->extra));
		PQfreemem(message);
	}
}

/* The answer to our statement. False when the connection is lost. */
static bool
results_take(DbListen *listen)
{
	PGresult *result;

	while (!PQisBusy(listen->conn) && (result = PQgetResult(listen->conn)) != NULL) {
		ExecStatusType status = PQresultStatus(result);

		PQclear(result);
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
			lose(listen, PQerrorMessage(listen->conn));
			return false;
		}
		listen->answered = true;
	}
	return true;
}

/* The statement and, of a ping, its message are back. */
static void
answer_take(DbListen *listen)
{
	if (!listen->listening) {
		listen->listening = true;
		listen->config.begun(listen->config.to);
		ping(listen);
		return;
	}
	listen->failures = 0;
	listen->config.proved(listen->config.to, listen->asked_us);
	listen->phase = PHASE_IDLE;
	listen->due = deadline_in_ms(listen->config.ping_ms);
}

static void
hear_on(DbListen *listen)
{
	if (PQflush(listen->conn) < 0 || !PQconsumeInput(listen->conn)) {
		lose(listen, PQerrorMessage(listen->conn));
		return;
	}
	if (!results_take(listen))
		return;
	messages_take(listen);
	if (listen->phase == PHASE_ASKING && listen->answered && !PQisBusy(listen->conn) &&
	    (listen->came || !listen->listening))
		answer_take(listen);
}

static void
due_now(DbListen *listen)
{
	switch (listen->phase) {
	case PHASE_AWAY:
		dial(listen);
		break;
	case PHASE_DIALING:
		lose(listen, "the server does not answer");
		break;
	case PHASE_ASKING:
		lose(listen, listen->answered ? "our own message does not come back"
		                              : "the server does not answer a statement");
		break;
	case PHASE_IDLE:
		ping(listen);
		break;
	}
}

void
db_listen_step(DbListen *listen)
{
	if (listen->phase == PHASE_DIALING)
		dial_on(listen);
	if (listen->phase == PHASE_ASKING || listen->phase == PHASE_IDLE)
		hear_on(listen);
	if (deadline_passed(listen->due))
		due_now(listen);
	if (listen->phase == PHASE_DIALING)
		dial_on(listen);
}

int
db_listen_socket(const DbListen *listen, short *events)
{
	*events = listen->phase == PHASE_DIALING ? listen->events : POLLIN;
	return listen->conn == NULL ? -1 : PQsocket(listen->conn);
}

Deadline
db_listen_due(const DbListen *listen)
{
	return listen->due;
}
