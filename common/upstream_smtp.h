#pragma once

/*
 * One mail to one address, handed to a server (SMTP, RFC 5321) within a deadline.
 *
 * A server is asked for TLS when it offers it (STARTTLS). Unless it must prove who it is nobody
 * checks its certificate, as among mail servers: who could forge it could as well hide the
 * offer.
 */

#include "common/problem.h"

typedef struct SmtpCall {
	const char *url; /* smtp:// or smtps://, as mail.smtp_url is checked */
	bool prove;      /* no TLS with a certificate that is trusted, no mail; smtps always */
	const char *ca_file; /* of those who are trusted; "": the system's */
	Str from, to;        /* addresses, checked: they stand in commands */
	Str message;         /* whole; lines end in CRLF */
} SmtpCall;

typedef enum SmtpVerdict {
	SMTP_TAKEN,   /* the server answers for it from here on */
	SMTP_LATER,   /* not now, or nobody knows: try again */
	SMTP_REFUSED, /* this mail, for good: a 5xx to its sender, address or content */
} SmtpVerdict;

/*
 * Until ctx->deadline, and no longer for a server that does not part.
 *
 * words    unless it was taken: the server's, or libcurl's; without control characters, the
 * arena's
 */
SmtpVerdict smtp_send(Ctx *ctx, const SmtpCall *call, Str *words) MUST_USE;
