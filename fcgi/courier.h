#pragma once

/*
 * A delivery in a process of its own: a child of the keeper, for one row of the outbox.
 *
 * What it speaks to may be slow, silent or hostile, and libraries that speak to it wait where
 * they like (a farewell, a name server). The keeper must not: a child can be waited for by its
 * end of a pipe, and killed. It dies with the keeper, and at its deadline by itself.
 */

#include "common/ctx.h"

typedef enum Outcome { OUTCOME_DONE, OUTCOME_LATER, OUTCOME_NEVER } Outcome;

typedef struct Delivery {
	Outcome outcome;
	char words[512]; /* why not; without control characters */
} Delivery;

/* Set the outcome and its words, which are cut to what there is room for. */
void delivery_set(Delivery *delivery, Outcome outcome, Str words);

/* What a child does. ctx has its arena and the deadline, and no database. */
typedef void (*Deliver)(Ctx *ctx, const void *thing, Delivery *out);

typedef struct Courier {
	int pid;
	int fd;         /* readable when the child has ended; -1: there is none */
	Deadline until; /* it is killed after that */
} Courier;

#define COURIER_NONE ((Courier){ .fd = -1 })

/* Send one off, which has until `by`; false with errno when there can be none. */
bool courier_send(Courier *courier, Deliver deliver, Ctx *ctx, const void *thing,
                  Deadline by) MUST_USE;

/* Is it back? One that is late is killed. Then *out says how it went, and there is none. */
bool courier_back(Courier *courier, Delivery *out) MUST_USE;

/* Wait until it is back, at most until then. */
void courier_wait(Courier *courier, Deadline by, Delivery *out);
