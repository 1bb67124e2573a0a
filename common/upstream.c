#include "common/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/upstream_inner.h"

enum {
	KEEP_S = 4,       /* servers of Python close idle connections after 5 s */
	CONNECTIONS = 16, /* kept at most, over all servers */
	NAMES_S = 30,     /* an address that was looked up is believed this long */
};

struct Upstream {
	CURL *easy;
	char words[CURL_ERROR_SIZE];
};

const char *const upstream_error_names[UPSTREAM_ERRORS] = {
	[UPSTREAM_OK] = "ok",
	[UPSTREAM_REFUSED] = "refused",
	[UPSTREAM_TIMEOUT] = "timeout",
	[UPSTREAM_RESET] = "reset",
	[UPSTREAM_TOO_LARGE] = "too_large",
	[UPSTREAM_NO_HTTP] = "no_http",
	[UPSTREAM_UNTRUSTED] = "untrusted",
	[UPSTREAM_BAD_CALL] = "bad_call",
};

/* What the callbacks gather. */
typedef struct Gathered {
	Arena *arena;
	UpstreamAnswer *out;
	char *body; /* malloc'd */
	size_t n, room, max;
	size_t header_bytes;
	bool too_large;
} Gathered;

Upstream *
upstream_open(void)
{
	Upstream *upstream = calloc(1, sizeof *upstream);

	CHECK(upstream != NULL);
	CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	upstream->easy = curl_easy_init();
	CHECK(upstream->easy != NULL);
	return upstream;
}

void
upstream_close(Upstream *upstream)
{
	if (upstream == NULL)
		return;
	curl_easy_cleanup(upstream->easy);
	free(upstream);
	curl_global_cleanup();
}

Str
upstream_header(const UpstreamAnswer *answer, const char *name)
{
	for (size_t i = 0; i < answer->n_headers; i++)
		if (str_eq(answer->headers[i].name, str_of(name)))
			return answer->headers[i].value;
	return STR_NONE;
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/*
 * A copy in lower case when asked for, without control characters, so that no value makes a
 * line.
 */
static Str
header_clean(Arena *arena, Str s, bool lower)
{
	char *p = arena_secret(arena, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_control(c))
			p[n++] = lower && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return (Str){ p, n };
}

/* libcurl: one line of the answer's head, or of a trailer. */
static size_t
header_gather(char *bytes, size_t size, size_t n, void *to)
{
	Gathered *gathered = to;
	UpstreamAnswer *out = gathered->out;
	Str line = { bytes, size * n };
	size_t colon = str_find(line, ':');

	out->began = true;
	gathered->header_bytes += line.n;
	if (gathered->header_bytes > UPSTREAM_HEADER_BYTES) {
		gathered->too_large = true;
		return 0;
	}
	if (str_starts(line, S("HTTP/")))
		out->n_headers = 0; /* what came before belonged to a 1xx */
	else if (colon < line.n && out->n_headers < UPSTREAM_HEADERS_MAX)
		out->headers[out->n_headers++] = (UpstreamHeader){
			header_clean(gathered->arena, str_trim(str_sub(line, 0, colon)), true),
			str_trim(header_clean(gathered->arena, str_sub(line, colon + 1, line.n),
			                      false)),
		};
	return line.n;
}

/* libcurl: a piece of the answer's body. Giving back less than came ends the call. */
static size_t
body_gather(char *bytes, size_t size, size_t n, void *to)
{
	Gathered *gathered = to;
	size_t more = size * n;

	if (more > gathered->max - gathered->n) {
		gathered->too_large = true;
		return 0;
	}
	if (more > gathered->room - gathered->n) {
		gathered->room = MIN(MAX(gathered->room * 2, gathered->n + MAX(more, KIB(4))),
		                     gathered->max);
		gathered->body = realloc(gathered->body, gathered->room);
		CHECK(gathered->body != NULL);
	}
	memcpy(gathered->body + gathered->n, bytes, more);
	gathered->n += more;
	return more;
}

/* libcurl: a connection stands and the request is about to be written to it. */
static int
try_count(void *to, char *peer, char *here, int peer_port, int here_port)
{
	Gathered *gathered = to;

	(void)peer;
	(void)here;
	(void)peer_port;
	(void)here_port;
	gathered->out->tries++;
	return CURL_PREREQFUNC_OK;
}

/* One line of the request's head. It may be a secret, so nothing of it stays behind. */
static void
header_add(Ctx *ctx, struct curl_slist **list, const char *name, const char *before, Str value)
{
	Str clean = header_clean(ctx->arena, value, false);
	size_t room = strlen(name) + strlen(before) + clean.n + sizeof ": ";
	char *line = arena_secret(ctx->arena, room);
	struct curl_slist *longer;

	snprintf(line, room, "%s: %s%.*s", name, before, STR_ARG(clean));
	longer = curl_slist_append(*list, line);
	CHECK(longer != NULL);
	*list = longer;
}

static struct curl_slist *
headers_of(Ctx *ctx, const UpstreamCall *call)
{
	/* libcurl would add one to large bodies, and wait a second where it is not known */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	CHECK(list != NULL);
	if (call->body.p != NULL) /* or libcurl would say that it is a form */
		header_add(ctx, &list, "Content-Type", "",
		           call->content_type.n > 0 ? call->content_type
		                                    : S("application/octet-stream"));
	if (ctx->request_id.n > 0)
		header_add(ctx, &list, "X-Request-Id", "", ctx->request_id);
	if (ctx->traceparent.n > 0)
		header_add(ctx, &list, "traceparent", "", ctx->traceparent);
	if (call->bearer.n > 0)
		header_add(ctx, &list, "Authorization", "Bearer ", call->bearer);
	for (size_t i = 0; i < call->n_headers; i++)
		header_add(ctx, &list, str_text(ctx->arena, call->headers[i].name), "",
		           call->headers[i].value);
	return list;
}

static void
headers_free(struct curl_slist *list)
{
	for (struct curl_slist *line = list; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(list);
}

void
easy_seclude(CURL *easy, const char *protocols)
{
	OPTION(easy, CURLOPT_NOSIGNAL, 1L);
	OPTION(easy, CURLOPT_QUICK_EXIT, 1L); /* leave a resolver's thread that hangs */
	OPTION(easy, CURLOPT_PROXY, "");
	OPTION(easy, CURLOPT_NOPROXY, "*");
	OPTION(easy, CURLOPT_PROTOCOLS_STR, protocols);
}

/* What holds for every call: where it may go and that nothing outside may change it. */
static void
options_fixed(Upstream *upstream)
{
	CURL *easy = upstream->easy;

	curl_easy_reset(easy); /* connections and names stay */
	easy_seclude(easy, "http,https");
	OPTION(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	OPTION(easy, CURLOPT_FOLLOWLOCATION, 0L);
	OPTION(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	OPTION(easy, CURLOPT_MAXAGE_CONN, (long)KEEP_S);
	OPTION(easy, CURLOPT_MAXCONNECTS, (long)CONNECTIONS);
	OPTION(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)NAMES_S);
	OPTION(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	OPTION(easy, CURLOPT_USERAGENT, "postern");
	OPTION(easy, CURLOPT_ERRORBUFFER, upstream->words);
	upstream->words[0] = '\0';
}

static void
options_of_call(Upstream *upstream, const UpstreamCall *call, Gathered *gathered, int left_ms)
{
	CURL *easy = upstream->easy;

	OPTION(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)MAX(MIN(call->connect_ms, left_ms), 1));
	OPTION(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->answer_max);
	if (call->body.p != NULL) {
		OPTION(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
		OPTION(easy, CURLOPT_POSTFIELDS, call->body.p);
	}
	OPTION(easy, CURLOPT_CUSTOMREQUEST, call->method);
	OPTION(easy, CURLOPT_HEADERFUNCTION, header_gather);
	OPTION(easy, CURLOPT_HEADERDATA, gathered);
	OPTION(easy, CURLOPT_WRITEFUNCTION, body_gather);
	OPTION(easy, CURLOPT_WRITEDATA, gathered);
	OPTION(easy, CURLOPT_PREREQFUNCTION, try_count);
	OPTION(easy, CURLOPT_PREREQDATA, gathered);
}

/* libcurl's word for what happened, in ours. */
static UpstreamError
error_of(CURLcode code, const Gathered *gathered)
{
	const UpstreamAnswer *out = gathered->out;

	if (gathered->too_large)
		return UPSTREAM_TOO_LARGE;
	switch (code) {
	case CURLE_OK:
		return UPSTREAM_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
		return UPSTREAM_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return UPSTREAM_TIMEOUT;
	case CURLE_FILESIZE_EXCEEDED:
		return UPSTREAM_TOO_LARGE;
	case CURLE_PEER_FAILED_VERIFICATION:
		return UPSTREAM_UNTRUSTED;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		/* the same code stands for a status line that is none */
		return out->sent || out->tries > 0 ? UPSTREAM_NO_HTTP : UPSTREAM_BAD_CALL;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return UPSTREAM_NO_HTTP;
	default: /* CURLcode is libcurl's and has a hundred values */
		return out->tries > 0 ? UPSTREAM_RESET : UPSTREAM_REFUSED;
	}
}

static void
answer_read(Upstream *upstream, Ctx *ctx, CURLcode code, int left_ms, const Gathered *gathered)
{
	UpstreamAnswer *out = gathered->out;
	long status = 0, request_bytes = 0, connects = 0;

	CHECK(curl_easy_getinfo(upstream->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
	CHECK(curl_easy_getinfo(upstream->easy, CURLINFO_REQUEST_SIZE, &request_bytes) ==
	      CURLE_OK);
	CHECK(curl_easy_getinfo(upstream->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK);
	out->status = (int)status;
	out->sent = request_bytes > 0;
	out->reused = out->tries > 0 && connects == 0;
	out->body = (Str){ gathered->n > 0 ? gathered->body : "", gathered->n };
	out->error = error_of(code, gathered);
	/* connect_ms was over before the deadline: the server could not be reached */
	if (out->error == UPSTREAM_TIMEOUT && !out->sent && out->us / 1000 + 1 < left_ms)
		out->error = UPSTREAM_REFUSED;
	if (code != CURLE_OK)
		out->words = arena_print(ctx->arena, "%s",
		                         upstream->words[0] != '\0' ? upstream->words
		                                                    : curl_easy_strerror(code));
	out->content_type = upstream_header(out, "content-type");
}

UpstreamError
upstream_call(Ctx *ctx, const UpstreamCall *call, UpstreamAnswer *out)
{
	UpstreamAnswer answer = { .words = "" };
	Gathered gathered = { .arena = ctx->arena, .out = &answer, .max = call->answer_max };
	int left_ms = deadline_left_ms(ctx->deadline);
	int64_t start_us = clock_mono_us();
	struct curl_slist *headers;
	CURLcode code;

	answer.headers = arena_new(ctx->arena, UpstreamHeader, UPSTREAM_HEADERS_MAX);
	if (left_ms == 0) {
		answer.error = UPSTREAM_TIMEOUT;
		answer.words = "the deadline had passed before the call";
		*out = answer;
		return out->error;
	}
	headers = headers_of(ctx, call);
	options_fixed(ctx->upstream);
	options_of_call(ctx->upstream, call, &gathered, left_ms);
	OPTION(ctx->upstream->easy, CURLOPT_HTTPHEADER, headers);
	OPTION(ctx->upstream->easy, CURLOPT_URL, str_text(ctx->arena, call->url));
	code = curl_easy_perform(ctx->upstream->easy);
	answer.us = clock_mono_us() - start_us;
	answer_read(ctx->upstream, ctx, code, left_ms, &gathered);
	headers_free(headers);
	if (gathered.body != NULL)
		arena_own(ctx->arena, gathered.body, free);
	*out = answer;
	return out->error;
}
