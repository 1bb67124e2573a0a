#pragma once

/*
 * HTTP calls to other servers, within a deadline. Only this module touches libcurl: mails go by
 * common/upstream_smtp.h.
 *
 * One Upstream a worker, opened after the fork; it keeps connections between calls. A call
 * never passes the request's deadline, whatever hangs: name service, connect, a slow drip of
 * bytes. Schemes are http and https, redirects are an answer like any other, and no proxy is
 * ever used, whatever the environment says. The answer is bounded; one that grows past its
 * bound is given up.
 *
 * What happened is told exactly and nothing is retried here, with one exception that libcurl
 * makes: a kept connection which turns out dead before the first byte of the answer is replaced
 * at once (tries tells). What may be retried, and what the client hears of it, is the caller's
 * to decide.
 */

#include "common/problem.h"

typedef struct Upstream Upstream;

/* CHECKs that libcurl can be set up. */
Upstream *upstream_open(void);
void upstream_close(Upstream *upstream);

typedef enum UpstreamError {
	UPSTREAM_OK,        /* an answer came whole, of any status */
	UPSTREAM_REFUSED,   /* no connection, no such name, not within connect_ms */
	UPSTREAM_TIMEOUT,   /* the deadline came; if anything was sent, work may go on there */
	UPSTREAM_RESET,     /* the connection ended before the answer was whole */
	UPSTREAM_TOO_LARGE, /* the answer is larger than allowed, or its headers are */
	UPSTREAM_NO_HTTP,   /* what came is no HTTP answer */
	UPSTREAM_UNTRUSTED, /* the certificate is not to be trusted; nothing was sent */
	UPSTREAM_BAD_CALL,  /* the URL is none or of another scheme: our fault or the row's */
	UPSTREAM_ERRORS
} UpstreamError;

/* "ok", "refused" ...: for logs and metrics. */
extern const char *const upstream_error_names[UPSTREAM_ERRORS];

typedef struct UpstreamHeader {
	Str name, value;
} UpstreamHeader;

#define UPSTREAM_HEADERS_MAX 64       /* of an answer; further ones are dropped */
#define UPSTREAM_HEADER_BYTES KIB(32) /* of all headers of an answer */

typedef struct UpstreamCall {
	const char *method; /* "GET", "POST" ... */
	Str url;            /* whole; built by the caller from checked parts */
	Str content_type;   /* of the body; none: application/octet-stream */
	Str body;           /* none: no body; must live until the call returns */
	Str bearer;         /* a secret, sent as Authorization: Bearer; none: not sent */
	const UpstreamHeader *headers; /* further; control characters in values go */
	size_t n_headers;
	int connect_ms;    /* to resolve and connect, at most */
	size_t answer_max; /* bytes of body */
} UpstreamCall;

typedef struct UpstreamAnswer {
	UpstreamError error;
	const char *words;       /* libcurl's, for the log; "" when all went well */
	int status;              /* 0: none came */
	Str content_type;        /* as its header has it; none: absent */
	Str body;                /* what came of it, also on an error; the arena's */
	UpstreamHeader *headers; /* names in lower case, values without control characters */
	size_t n_headers;
	bool reused; /* went out on a kept connection */
	bool sent;   /* a byte of the request went out */
	bool began;  /* a byte of the answer came */
	int tries;   /* connections it was written to: 2 when a kept one was dead */
	int64_t us;  /* what it took */
} UpstreamAnswer;

/*
 * Make one call and wait for its answer until ctx->deadline. Sends X-Request-Id and traceparent
 * of ctx when they are there.
 *
 * returns  out->error
 */
UpstreamError upstream_call(Ctx *ctx, const UpstreamCall *call, UpstreamAnswer *out) MUST_USE;

/* The first header of this name (in lower case); STR_NONE when there is none. */
Str upstream_header(const UpstreamAnswer *answer, const char *name);
