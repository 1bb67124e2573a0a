#include "fcgi/rooms.h"

#include <stdarg.h>

#include "common/db.h"
#include "common/log.h"
#include "fcgi/cors.h"

void
answer_header(Req *rq, const char *name, Str value)
{
	for (size_t i = 0; i < value.n; i++)
		CHECK((unsigned char)value.p[i] >= 0x20 && value.p[i] != 0x7F);
	buf_puts(&rq->headers, name);
	buf_puts(&rq->headers, ": ");
	buf_put(&rq->headers, value);
	buf_puts(&rq->headers, "\r\n");
}

void
answer_location(Req *rq, const char *format, ...)
{
	Buf path = { .arena = rq->ctx->arena };
	va_list args;

	buf_puts(&path, conf->http_base_path);
	va_start(args, format);
	buf_vprint(&path, format, args);
	va_end(args);
	answer_header(rq, "Location", buf_str(&path));
}

void
answer_link_next(Req *rq, Str query)
{
	answer_header(rq, "Link",
	              str_print(rq->ctx->arena, "<%s%.*s?%.*s>; rel=\"next\"",
	                        conf->http_base_path, STR_ARG(rq->path), STR_ARG(query)));
}

void
answer_etag(Req *rq, int64_t version)
{
	rq->etag = str_print(rq->ctx->arena, "\"%lld\"", (long long)version);
}

void
answer_raw(Req *rq, Str body)
{
	rq->raw = true;
	rq->out.n = 0;
	buf_put(&rq->out, body);
}

void
answer_status(Req *rq, int status)
{
	rq->status = status;
}

/* A tag as clients send it back: compressing web servers put a suffix inside the quotes. */
static bool
tag_fits(Str tag, Str etag)
{
	static const Str suffixes[] = {
		{ "-gzip\"", 6 },
		{ "-br\"", 4 },
		{ "-deflate\"", 9 },
		{ "-zstd\"", 6 },
	};

	for (size_t i = 0; i < COUNT(suffixes); i++)
		if (str_ends(tag, suffixes[i]) && tag.n - suffixes[i].n == etag.n - 1 &&
		    str_eq(str_sub(tag, 0, etag.n - 1), str_sub(etag, 0, etag.n - 1)))
			return true;
	return str_eq(tag, etag);
}

/* Is the etag named by an If-Match or If-None-Match value? weak: whether W/ tags may fit. */
static bool
tags_name(Str header, Str etag, bool weak)
{
	Str tag;

	while (str_next(&header, ',', &tag)) {
		tag = str_trim(tag);
		if (str_eq(tag, S("*")))
			return true;
		if (weak && str_starts(tag, S("W/")))
			tag = str_sub(tag, 2, tag.n);
		if (tag_fits(tag, etag))
			return true;
	}
	return false;
}

/* RFC 9110 section 13.2.2: If-Match first. "*" names whatever is there. */
const Problem *
match_check_tag(Req *rq, Str etag, bool must)
{
	Str match = req_header(rq, "HTTP_IF_MATCH");
	Str none = req_header(rq, "HTTP_IF_NONE_MATCH");
	bool there = etag.p != NULL;

	if (match.p != NULL && !(there && tags_name(match, etag, false)))
		return problem(P_precondition_failed);
	if (none.p != NULL && there && tags_name(none, etag, true))
		return problem(P_precondition_failed);
	return must && match.p == NULL ? problem(P_precondition_required) : NULL;
}

const Problem *
match_check(Req *rq, int64_t version, bool must)
{
	return match_check_tag(rq, str_print(rq->ctx->arena, "\"%lld\"", (long long)version),
	                       must);
}

/* A fresh copy the client already has. */
static bool
not_modified(const Req *rq)
{
	Str header;

	if (rq->etag.p == NULL || rq->method != GET || rq->status != 200)
		return false;
	header = req_header(rq, "HTTP_IF_NONE_MATCH");
	return header.p != NULL && tags_name(header, rq->etag, true);
}

/* RFC 6750: what was wrong with the token, never why. */
static Str
challenge(ProblemCode code)
{
	if (code == P_token_missing)
		return S("Bearer realm=\"postern\"");
	if (code == P_token_expired || code == P_token_invalid || code == P_session_revoked)
		return S("Bearer realm=\"postern\", error=\"invalid_token\"");
	return S("Bearer realm=\"postern\"");
}

static void
problem_answer(Req *rq, const Problem *p)
{
	int status = problem_rows[p->code].status;

	rq->out.n = 0;
	rq->status = status;
	rq->media = S("application/problem+json");
	rq->localised = true;
	rq->etag = STR_NONE;
	problem_write(&rq->out, p, rq->lang, rq->id);
	if (status == 401)
		answer_header(rq, "WWW-Authenticate", challenge(p->code));
	if (status == 405)
		answer_header(rq, "Allow", methods_text(rq->ctx->arena, rq->allow));
	if (status == 429 || status == 503)
		answer_header(rq, "Retry-After",
		              str_print(rq->ctx->arena, "%d", MAX(p->retry_after_s, 1)));
}

/* Personal answers and errors are nobody else's to keep. */
static const char *
cache_control(const Req *rq)
{
	if (rq->status >= 400 || str_starts(rq->path, S("/v1/auth")) ||
	    str_starts(rq->path, S("/v1/me")))
		return "no-store";
	return rq->cache != NULL ? rq->cache : "no-cache";
}

static Str
head_make(Req *rq, bool body)
{
	Buf head = { .arena = rq->ctx->arena };

	answer_header(rq, "X-Request-Id", rq->request_id);
	answer_header(rq, "X-Content-Type-Options", S("nosniff"));
	answer_header(rq, "Cache-Control", str_of(cache_control(rq)));
	answer_header(rq, "Accept-Ranges", S("none"));
	if (rq->etag.p != NULL)
		answer_header(rq, "ETag", rq->etag);
	if (rq->localised) {
		answer_header(rq, "Content-Language", str_of(lang_tag(rq->lang)));
		answer_header(rq, "Vary", S("Accept-Language"));
	}
	cors_answer(rq);
	buf_puts(&head, "Status: ");
	buf_i64(&head, rq->status);
	buf_puts(&head, "\r\n");
	buf_put(&head, buf_str(&rq->headers));
	if (body) {
		buf_puts(&head, "Content-Type: ");
		buf_put(&head, rq->media);
		buf_puts(&head, "\r\nContent-Length: ");
		buf_i64(&head, (int64_t)rq->out.n);
		buf_puts(&head, "\r\n");
	}
	buf_puts(&head, "\r\n");
	return buf_str(&head);
}

static void
log_request(const Req *rq, const Problem *p, bool sent, int64_t us)
{
	DbCost cost = rq->ctx->db == NULL ? (DbCost){ 0 } : db_cost(rq->ctx->db);
	LogLine line;

	log_start(&line, rq->status >= 500 ? LOG_WARNING : LOG_INFO, "request");
	log_str(&line, "request_id", rq->request_id);
	log_str(&line, "id", uuid_str(rq->ctx->arena, rq->id));
	log_str(&line, "method", wire_param(rq->wire, "REQUEST_METHOD"));
	log_str(&line, "path", str_sub(rq->path, 0, 256));
	log_str(&line, "route", str_of(rq->route == NULL ? "" : rq->route->id));
	log_num(&line, "status", rq->status);
	log_num(&line, "us", us);
	log_num(&line, "bytes", (int64_t)rq->out.n);
	log_num(&line, "trips", cost.trips);
	log_str(&line, "address", address_text(rq->ctx->arena, rq->address));
	if (rq->caller.known)
		log_str(&line, "user_id", uuid_str(rq->ctx->arena, rq->caller.user_id));
	if (p != NULL) {
		log_str(&line, "room", str_of(rq->room));
		log_str(&line, "code", str_of(problem_rows[p->code].code));
		if (p->inside != NULL)
			log_str(&line, "inside", str_of(p->inside));
	}
	if (!sent)
		log_str(&line, "client", S("gone"));
	log_end(&line);
}

void
answer_send(Req *rq, const Problem *p)
{
	/* A deadline that has passed must not keep its own bad news from the client. */
	Deadline grace = deadline_in_ms(100);
	bool body, sent;
	int64_t us;

	if (p != NULL)
		problem_answer(rq, p);
	else if (not_modified(rq))
		rq->status = 304;
	/* Before the answer: whoever has it may ask again before this process runs on. */
	if (rq->lane_held)
		board_lane_leave(rq->board, rq->slot);
	body = rq->status != 204 && rq->status != 304;
	sent = wire_answer(rq->wire, head_make(rq, body),
	                   body && !rq->head ? buf_str(&rq->out) : STR_NONE,
	                   rq->ctx->deadline.at_us > grace.at_us ? rq->ctx->deadline : grace);
	us = clock_mono_us() - rq->start_us;
	log_request(rq, p, sent, us);
	board_request_end(rq->board, rq->slot,
	                  rq->route == NULL ? -1 : (int)(rq->route - routes), rq->status, us);
}
