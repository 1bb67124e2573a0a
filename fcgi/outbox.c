#include "fcgi/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/db.h"
#include "common/log.h"
#include "common/settings.h"
#include "fcgi/courier.h"
#include "fcgi/jobs.h"
#include "fcgi/mailing.h"
#include "queries.gen.h"

enum {
	ATTEMPTS_MOST = 24,
	WAIT_LEAST_MS = 1000, /* of a row that failed */
	WAIT_BASE_MS = 15000,
	WAIT_CAP_MS = 3600000,
	CALM_BASE_MS = 50, /* of all: one that is away is not asked for each of thousands */
	CALM_CAP_MS = 10000,
	LEASE_MS = 5000, /* past the end of an attempt: to write down how it went */
	LOOK_MS = 30000, /* between two looks, when nothing is heard */
	PAUSE_MS = 50,   /* before another look at a row that somebody has in hand */
	AGAIN_MS = 1000, /* when the database has not answered */
};

static const char message[] = "o:";

/* What can be in an outbox. */
typedef struct OutboxKind {
	const char *name;
	const char *(*lacks)(void); /* what settings lack; NULL: it can be delivered */
	Deliver deliver;            /* in a process of its own; thing: the OutboxItem */
} OutboxKind;

static const OutboxKind kinds[] = {
	{ MAILING_KIND, mailing_lacks, mailing_deliver },
};

typedef enum OutboxPhase {
	PHASE_RESTS,    /* until `due` */
	PHASE_DELIVERS, /* the courier is away */
	PHASE_SETTLES,  /* how it went is to be written down, at `due` */
} OutboxPhase;

struct Outbox {
	Board *board;
	OutboxPhase phase;
	Deadline due; /* the past: at once */
	Courier courier;
	const OutboxKind *kind; /* of what is under way, as all below */
	Uuid id;
	int64_t attempts, began_us;
	Delivery made;
	uint32_t failures; /* one after the other */
	Deadline calm;     /* nothing is taken up before */
	bool told;         /* that rows wait: once */
};

const Problem *
outbox_put(Ctx *ctx, const char *kind, Str payload, Uuid *id)
{
	OutboxNew row = { .id = uuid7_make(), .kind = str_of(kind), .payload = { payload } };

	TRY(q_outbox_insert_queue(ctx, &row));
	TRY(q_outbox_tell_queue(ctx, str_print(ctx->arena, "%s%s", message, kind)));
	*id = row.id;
	return NULL;
}

Outbox *
outbox_open(Board *board)
{
	Outbox *outbox = calloc(1, sizeof *outbox);

	CHECK(outbox != NULL);
	outbox->board = board;
	outbox->courier = COURIER_NONE;
	return outbox;
}

bool
outbox_heard(Outbox *outbox, Str words)
{
	if (!str_starts(words, str_of(message)))
		return false;
	outbox_look(outbox);
	return true;
}

void
outbox_look(Outbox *outbox)
{
	if (outbox->phase == PHASE_RESTS)
		outbox->due = outbox->calm;
}

int
outbox_socket(const Outbox *outbox)
{
	return outbox->courier.fd;
}

Deadline
outbox_due(const Outbox *outbox)
{
	return outbox->phase == PHASE_DELIVERS ? outbox->courier.until : outbox->due;
}

void
outbox_watch(Outbox *outbox)
{
	if (outbox->phase != PHASE_DELIVERS || !courier_back(&outbox->courier, &outbox->made))
		return;
	outbox->phase = PHASE_SETTLES;
	outbox->due = deadline_in_ms(0);
}

static void
fault_log(const char *what, const Problem *p)
{
	log_say(LOG_WARNING, "outbox", "%s: %s", what,
	        p->inside == NULL ? problem_rows[p->code].code : p->inside);
}

/* --- taking one up */

/* Names of the kinds that this host can deliver. */
static StrList
kinds_ready(Ctx *ctx)
{
	StrList ready = { arena_new(ctx->arena, Str, COUNT(kinds)), 0 };

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].lacks() == NULL)
			ready.v[ready.n++] = str_of(kinds[i].name);
	return ready;
}

static const OutboxKind *
kind_of(Str name)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_eq(name, str_of(kinds[i].name)))
			return &kinds[i];
	return NULL;
}

/* Rows that nobody here delivers: say so once, until there are none. */
static void
waiting_tell(Outbox *outbox, int64_t rows)
{
	LogLine line;

	if (rows > 0 && !outbox->told) {
		log_start(&line, LOG_WARNING, "outbox_waits");
		log_num(&line, "rows", rows);
		log_str(&line, "detail", S("this host delivers none of their kinds"));
		for (size_t i = 0; i < COUNT(kinds); i++)
			if (kinds[i].lacks() != NULL)
				log_str(&line, kinds[i].name, str_of(kinds[i].lacks()));
		log_end(&line);
	}
	outbox->told = rows > 0;
}

/* That one attempt may take, of whatever kind: a row's is known only when it has been taken. */
static int64_t
attempt_ms(void)
{
	return conf->mail_deadline_ms;
}

/* In a transaction of its own, so that nothing is held while it is delivered. */
static const Problem *
row_take(Ctx *ctx, StrList ready, OutboxItem *item, bool *found)
{
	TRY(db_begin(ctx));
	db_last(ctx);
	TRY(q_outbox_take(ctx, ready, attempt_ms() + LEASE_MS, item, found));
	return db_commit(ctx);
}

/* Nothing is due: rest until something is. */
static const Problem *
rest(Outbox *outbox, Ctx *ctx, StrList ready)
{
	OutboxNext next = { 0 };

	TRY(q_outbox_next(ctx, ready, &next));
	waiting_tell(outbox, next.waiting);
	outbox->due = deadline_in_ms(
	    next.left_ms.has ? MIN(MAX(next.left_ms.v, PAUSE_MS), LOOK_MS) : LOOK_MS);
	return NULL;
}

static void
begin(Outbox *outbox, Ctx *ctx, const OutboxItem *item, Deadline by)
{
	outbox->kind = kind_of(item->kind);
	CHECK(outbox->kind != NULL);
	outbox->id = item->id;
	outbox->attempts = item->attempts;
	outbox->began_us = clock_mono_us();
	outbox->phase = PHASE_SETTLES;
	outbox->due = deadline_in_ms(0);
	if (item->attempts > ATTEMPTS_MOST) /* whoever tried it never lived to tell */
		delivery_set(&outbox->made, OUTCOME_NEVER, S("no attempt came to an end"));
	else if (courier_send(&outbox->courier, outbox->kind->deliver, ctx, item, by))
		outbox->phase = PHASE_DELIVERS;
	else
		delivery_set(&outbox->made, OUTCOME_LATER, str_of(strerror(errno)));
}

static void
take(Outbox *outbox, Ctx *ctx)
{
	StrList ready = kinds_ready(ctx);
	/* From before it is taken: the attempt is over before the lease. */
	Deadline by = deadline_in_ms(attempt_ms());
	OutboxItem item;
	bool found = false;
	const Problem *p = row_take(ctx, ready, &item, &found);

	if (p == NULL && found) {
		begin(outbox, ctx, &item, by);
		return;
	}
	if (p == NULL)
		p = rest(outbox, ctx, ready);
	else
		db_rollback(ctx);
	if (p != NULL) {
		fault_log("the database was asked for what is due", p);
		outbox->due = deadline_in_ms(AGAIN_MS);
	}
}

/* --- writing down how it went */

static int64_t
wait_ms(int64_t attempts)
{
	uint32_t random;

	random_bytes(&random, sizeof random);
	return WAIT_LEAST_MS +
	       backoff_ms((uint32_t)attempts, WAIT_BASE_MS, WAIT_CAP_MS, random);
}

static const Problem *
row_settle(Ctx *ctx, const Outbox *outbox, int64_t wait, int64_t *rows)
{
	Str words = str_of(outbox->made.words);

	TRY(db_begin(ctx));
	db_last(ctx);
	switch (outbox->made.outcome) {
	case OUTCOME_DONE:
		TRY(q_outbox_done(ctx, outbox->id, outbox->attempts, rows));
		break;
	case OUTCOME_LATER:
		TRY(q_outbox_later(ctx, outbox->id, outbox->attempts, wait, words, rows));
		break;
	case OUTCOME_NEVER:
		TRY(q_outbox_give_up(ctx, outbox->id, outbox->attempts, words, rows));
		break;
	}
	return db_commit(ctx);
}

/* How long to leave everybody alone after this one. */
static void
calm_down(Outbox *outbox)
{
	uint32_t random;

	outbox->calm = deadline_in_ms(0);
	if (outbox->made.outcome != OUTCOME_LATER) {
		outbox->failures = 0;
		return;
	}
	random_bytes(&random, sizeof random);
	outbox->failures++;
	outbox->calm =
	    deadline_in_ms(backoff_ms(outbox->failures, CALM_BASE_MS, CALM_CAP_MS, random));
}

/* rows: 0 when it is written down already, or somebody else has taken it up since and will. */
static void
settled(const Outbox *outbox, Ctx *ctx, int64_t wait, int64_t rows)
{
	static const struct {
		const char *event;
		LogLevel level;
		BoardCount count;
	} ways[] = {
		[OUTCOME_DONE] = { "outbox_done", LOG_INFO, COUNT_OUTBOX_DONE },
		[OUTCOME_LATER] = { "outbox_later", LOG_WARNING, COUNT_OUTBOX_FAULTS },
		[OUTCOME_NEVER] = { "outbox_gave_up", LOG_ERROR, COUNT_OUTBOX_GAVE_UP },
	};
	Outcome outcome = outbox->made.outcome;
	LogLine line;

	board_count_add(outbox->board, ways[outcome].count, 1);
	log_start(&line, ways[outcome].level, ways[outcome].event);
	log_str(&line, "kind", str_of(outbox->kind->name));
	log_str(&line, "id", uuid_str(ctx->arena, outbox->id));
	log_num(&line, "attempts", outbox->attempts);
	log_num(&line, "ms", (clock_mono_us() - outbox->began_us) / 1000);
	if (outcome == OUTCOME_LATER)
		log_num(&line, "wait_ms", wait);
	if (outcome != OUTCOME_DONE)
		log_str(&line, "detail", str_of(outbox->made.words));
	if (rows == 0)
		log_str(&line, "row", S("settled by another, or before"));
	log_end(&line);
}

/* What was delivered and cannot be written down now is tried again: not to deliver it twice. */
static void
settle(Outbox *outbox, Ctx *ctx)
{
	int64_t rows = 0, wait = wait_ms(MIN(outbox->attempts, ATTEMPTS_MOST));
	const Problem *p;

	if (outbox->made.outcome == OUTCOME_LATER && outbox->attempts >= ATTEMPTS_MOST)
		outbox->made.outcome = OUTCOME_NEVER;
	p = row_settle(ctx, outbox, wait, &rows);
	if (p != NULL) {
		fault_log("the database was told how it went", p);
		db_rollback(ctx);
		outbox->due = deadline_in_ms(AGAIN_MS);
		return;
	}
	settled(outbox, ctx, wait, rows);
	calm_down(outbox);
	outbox->phase = PHASE_RESTS;
	outbox->due = outbox->calm;
}

void
outbox_step(Outbox *outbox, Ctx *ctx)
{
	if (outbox->phase == PHASE_DELIVERS || !deadline_passed(outbox->due))
		return;
	ctx->deadline = deadline_in_ms(JOBS_MS);
	if (outbox->phase == PHASE_RESTS)
		take(outbox, ctx);
	else
		settle(outbox, ctx);
}

void
outbox_close(Outbox *outbox, Ctx *ctx, Deadline by)
{
	if (outbox->phase == PHASE_DELIVERS) {
		courier_wait(&outbox->courier, by, &outbox->made);
		outbox->phase = PHASE_SETTLES;
	}
	if (outbox->phase == PHASE_SETTLES) {
		ctx->deadline = deadline_in_ms(JOBS_MS);
		settle(outbox, ctx);
	}
	free(outbox);
}
