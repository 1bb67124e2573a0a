#pragma once

/*
 * A mail as text: RFC 5322 with MIME, made of plain text. Nothing here speaks to a server.
 *
 * The text goes as base64, so neither long lines nor dots at their beginning are anybody's
 * business; a subject or name that is not ASCII as encoded words (RFC 2047). What would begin a
 * header of its own, a control character in an address, a name or a subject, is refused.
 */

#include "common/model.h"
#include "common/settings_check.h"

typedef struct Mail {
	Str to;      /* one address, without a name */
	Str subject; /* one line */
	Str text;    /* lines end in LF or CRLF */
} Mail;
MODEL_OF(Mail);

/* May it be sent? errors  validation_failed, naming every field */
const Problem *mail_check(Ctx *ctx, const Mail *mail) MUST_USE;

/*
 * The whole message, each line ending in CRLF. The same row gives the same message, by which a
 * reader's mail program knows a second copy.
 *
 * id      of its row: with the domain of from the Message-ID
 * at      when it was written
 * errors  as mail_check
 */
const Problem *mail_write(Ctx *ctx, const MailFrom *from, const Mail *mail, Uuid id, Instant at,
                          Str *out) MUST_USE;
