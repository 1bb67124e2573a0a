#pragma once

/*
 * The outbox: what is to be done outside the database if, and only if, a transaction commits.
 *
 * A row is put within the transaction; the keeper of any host does it later, so that no request
 * waits for it or tells by its time that there was something to do. At least once: a keeper
 * that dies between doing and writing that down does it again. Never twice at the same moment:
 * whoever takes a row has it until a lease is over, which is longer than an attempt may take.
 *
 * What fails is tried again, less and less often, 24 times in about nine hours, then given up;
 * what is refused for good is given up at once. Both stay for a week with the reason, then
 * fcgi/jobs.c takes them away. Rows of a kind that no keeper can deliver (not configured, or a
 * newer program's) wait and cost no attempt.
 *
 * One at a time on each host. A kind is a row of the table in outbox.c.
 */

#include "common/board.h"
#include "common/problem.h"

/*
 * Have it done when the transaction commits; between db_begin() and db_commit().
 *
 * payload  JSON text, an object of the kind's model
 * id       of the row
 */
const Problem *outbox_put(Ctx *ctx, const char *kind, Str payload, Uuid *id) MUST_USE;

/* --- the keeper */

typedef struct Outbox Outbox;

Outbox *outbox_open(Board *board);

/* Ends what is under way, when it is not over by then; writes down how it went; lets go. */
void outbox_close(Outbox *outbox, Ctx *ctx, Deadline by);

/* Of a message from the database: was it ours? Then something was put. */
bool outbox_heard(Outbox *outbox, Str words);

/* Something may have been put: messages may have been missed. */
void outbox_look(Outbox *outbox);

/* Readable when a delivery is over; -1: none is under way. Another with each delivery. */
int outbox_socket(const Outbox *outbox);

/* See to the delivery that is under way. Asks nobody and never waits. */
void outbox_watch(Outbox *outbox);

/*
 * Do one thing that is due and asks the database, within JOBS_MS: take a row, or write down how
 * it went. Uses the context's connection and arena, which the caller settles, and sets its
 * deadline.
 */
void outbox_step(Outbox *outbox, Ctx *ctx);
Deadline outbox_due(const Outbox *outbox);
