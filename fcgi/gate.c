#include "fcgi/rooms.h"

#include <string.h>

#include "common/encode.h"
#include "fcgi/path.h"

enum { KEEPER_MS = 1000 };

/* A client's id is taken when it is of [A-Za-z0-9._-]{1,64}. */
static bool
request_id_is_plain(Str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
		           id.p[i]) == NULL ||
		    id.p[i] == '\0')
			return false;
	return id.n >= 1 && id.n <= 64;
}

static bool
is_hex(Str s)
{
	bool zeros = true;

	for (size_t i = 0; i < s.n; i++) {
		if (hex_digit(s.p[i]) < 0 || (s.p[i] >= 'A' && s.p[i] <= 'F'))
			return false;
		zeros = zeros && s.p[i] == '0';
	}
	return !zeros;
}

/*
 * The W3C traceparent that goes upstream: the client's trace with a span of ours, or a trace of
 * its own. Source: Trace Context, version 00.
 */
static Str
trace_continue(Arena *arena, Str theirs)
{
	Buf parent = { .arena = arena };
	uint8_t random[24];
	Str trace, flags = S("00");

	random_bytes(random, sizeof random);
	trace = hex(arena, random, 16);
	if (theirs.n == 55 && str_starts(theirs, S("00-")) && theirs.p[35] == '-' &&
	    theirs.p[52] == '-' && is_hex(str_sub(theirs, 3, 35)) &&
	    is_hex(str_sub(theirs, 36, 52)) && hex_digit(theirs.p[53]) >= 0 &&
	    hex_digit(theirs.p[54]) >= 0) {
		trace = str_sub(theirs, 3, 35);
		flags = str_sub(theirs, 53, 55);
	}
	buf_puts(&parent, "00-");
	buf_put(&parent, trace);
	buf_byte(&parent, '-');
	buf_put(&parent, hex(arena, random + 16, 8));
	buf_byte(&parent, '-');
	buf_put(&parent, flags);
	return buf_str(&parent);
}

static Method
method_read(Str name)
{
	static const struct {
		Str name;
		Method method;
	} rows[] = {
		/* clang-format off */
		{ { "GET", 3 }, GET },     { { "HEAD", 4 }, HEAD },     { { "POST", 4 }, POST },
		{ { "PUT", 3 }, PUT },     { { "PATCH", 5 }, PATCH },   { { "DELETE", 6 }, DELETE },
		{ { "OPTIONS", 7 }, OPTIONS },
		/* clang-format on */
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_eq(name, rows[i].name))
			return rows[i].method;
	return 0;
}

/* The keeper has more to do than answering: a token may cost it a question, no more time. */
static int64_t
time_ms(const Req *rq)
{
	return rq->keeper ? MIN(conf->pool_request_deadline_ms, (int64_t)KEEPER_MS)
	                  : conf->pool_request_deadline_ms;
}

const Problem *
gate_open(Req *rq)
{
	Arena *arena = rq->ctx->arena;
	Str given = req_header(rq, "HTTP_X_REQUEST_ID");
	Address peer = { { 0 } };
	bool found = false;

	rq->id = uuid7_make();
	rq->request_id = request_id_is_plain(given) ? given : uuid_str(arena, rq->id);
	rq->ctx->request_id = rq->request_id;
	rq->ctx->traceparent = trace_continue(arena, req_header(rq, "HTTP_TRACEPARENT"));
	/* what waited longer than that to be accepted is refused next, its worker not late */
	rq->ctx->deadline =
	    (Deadline){ MAX(rq->start_us + time_ms(rq) * 1000, clock_mono_us()) };
	rq->lang = lang_choose(req_header(rq, "HTTP_ACCEPT_LANGUAGE"));
	rq->method = method_read(wire_param(rq->wire, "REQUEST_METHOD"));
	rq->head = rq->method == HEAD;
	if (rq->head)
		rq->method = GET;
	if (address_read(wire_param(rq->wire, "REMOTE_ADDR"), &peer))
		peer = address_client(peer, req_header(rq, "HTTP_X_FORWARDED_FOR"),
		                      conf->http_trusted_proxies);
	rq->address = peer;
	board_request_start(rq->board, rq->slot, str_text(arena, rq->request_id),
	                    rq->ctx->deadline);
	if (!path_read(arena, wire_param(rq->wire, "REQUEST_URI"), str_of(conf->http_base_path),
	               &rq->path, &rq->query, &found))
		return problem(P_bad_request);
	if (!found)
		rq->path = STR_NONE;
	return NULL;
}

Str
req_header(const Req *rq, const char *name)
{
	Buf joined = { .arena = rq->ctx->arena };
	Str wanted = str_of(name), first = STR_NONE, pair_name, value;

	for (size_t i = 0; wire_pair(rq->wire, i, &pair_name, &value); i++) {
		if (!str_eq(pair_name, wanted))
			continue;
		if (first.p == NULL) {
			first = value;
			continue;
		}
		if (joined.n == 0)
			buf_put(&joined, first);
		buf_puts(&joined, ", ");
		buf_put(&joined, value);
	}
	return joined.n > 0 ? buf_str(&joined) : first;
}
