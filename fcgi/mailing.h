#pragma once

/* Mails: put into the outbox within the transaction that wants them sent, handed over later. */

#include "common/mail.h"
#include "fcgi/courier.h"
#include "schema/models/outbox.h"

#define MAILING_KIND "mail"

/*
 * Send a mail when the transaction commits, and only then; between db_begin() and db_commit().
 *
 * id      of its row
 * errors  validation_failed: it cannot be sent to anybody
 */
const Problem *mailing_put(Ctx *ctx, const Mail *mail, Uuid *id) MUST_USE;

/* What settings lack for it, as a sentence for operators; NULL: nothing. */
const char *mailing_lacks(void);

/* Deliver: thing is the OutboxItem. */
void mailing_deliver(Ctx *ctx, const void *thing, Delivery *out);
