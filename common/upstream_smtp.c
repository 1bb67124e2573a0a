#include "common/upstream_smtp.h"

#include <string.h>
#include <sys/socket.h>

#include "common/upstream_inner.h"

enum {
	WORDS_BYTES = 400,
	AUTH_NEEDED = 530, /* who we are, not what the mail is. Source: RFC 4954 section 6 */
	AUTH_WEAK = 534,
	AUTH_WRONG = 535,
	AUTH_PLAIN = 538,
};

/* What the callbacks read and gather. */
typedef struct Talk {
	Str left; /* of the message */
	char words[WORDS_BYTES];
	size_t n;
	bool over;  /* the last line of an answer has come: the next one begins anew */
	bool begun; /* MAIL was sent: what is refused from here on is the mail */
	int fd;     /* of the connection that was made last; -1: none */
} Talk;

/* libcurl: more of the message. */
static size_t
message_give(char *to, size_t size, size_t n, void *from)
{
	Talk *talk = from;
	size_t part = MIN(size * n, talk->left.n);

	memcpy(to, talk->left.p, part);
	talk->left = str_sub(talk->left, part, talk->left.n);
	return part;
}

/* Add what a log line and a database can hold. */
static void
words_add(Talk *talk, Str s)
{
	size_t step;

	for (; s.n > 0 && talk->n + 4 < WORDS_BYTES;
	     s = str_sub(s, MAX(step, (size_t)1), s.n)) {
		char c = s.p[0];

		step = str_utf8_step(s);
		if (step <= 1) {
			bool bad = step == 0 || (unsigned char)c < 0x20 || c == 0x7f;

			talk->words[talk->n++] = bad ? '?' : c;
			continue;
		}
		memcpy(talk->words + talk->n, s.p, step);
		talk->n += step;
	}
}

/*
 * libcurl: a line of an answer, "250-..." or "250 ...". The last one that refuses is kept: what
 * comes after it is the farewell.
 */
static size_t
answer_gather(char *bytes, size_t size, size_t n, void *to)
{
	Talk *talk = to;
	Str line = { bytes, size * n };

	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (line.n < 3 || (line.p[0] != '4' && line.p[0] != '5'))
		return size * n;
	if (talk->over)
		talk->n = 0;
	talk->over = line.n < 4 || line.p[3] != '-';
	words_add(talk, talk->n == 0 ? str_sub(line, 0, 3) : STR_NONE);
	words_add(talk, S(" "));
	words_add(talk, str_sub(line, 4, line.n));
	return size * n;
}

/* libcurl: a connection is about to be made. */
static int
socket_note(void *to, curl_socket_t fd, curlsocktype purpose)
{
	Talk *talk = to;

	(void)purpose;
	talk->fd = fd;
	return CURL_SOCKOPT_OK;
}

/*
 * libcurl: what is said. Behind QUIT it would wait for the answer, which nobody needs, as long
 * as for any other: it hears nothing more.
 */
static int
command_note(CURL *easy, curl_infotype what, char *bytes, size_t n, void *to)
{
	Talk *talk = to;
	Str line = { bytes, n };

	(void)easy;
	if (what != CURLINFO_HEADER_OUT)
		return 0;
	talk->begun = talk->begun || str_starts(line, S("MAIL "));
	if (str_starts(line, S("QUIT")))
		shutdown(talk->fd, SHUT_RD);
	return 0;
}

static void
options_set(CURL *easy, const SmtpCall *call, Talk *talk, int left_ms)
{
	bool tls = strncmp(call->url, "smtps:", 6) == 0;
	long proof = call->prove || tls ? 1 : 0;

	easy_seclude(easy, "smtp,smtps");
	OPTION(easy, CURLOPT_URL, call->url);
	OPTION(easy, CURLOPT_USE_SSL, (long)(call->prove ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	OPTION(easy, CURLOPT_SSL_VERIFYPEER, proof);
	OPTION(easy, CURLOPT_SSL_VERIFYHOST, 2 * proof);
	if (*call->ca_file != '\0')
		OPTION(easy, CURLOPT_CAINFO, call->ca_file);
	OPTION(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)left_ms);
	OPTION(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)left_ms / 1000 + 1);
	OPTION(easy, CURLOPT_UPLOAD, 1L);
	OPTION(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->message.n);
	OPTION(easy, CURLOPT_READFUNCTION, message_give);
	OPTION(easy, CURLOPT_READDATA, talk);
	OPTION(easy, CURLOPT_HEADERFUNCTION, answer_gather);
	OPTION(easy, CURLOPT_HEADERDATA, talk);
	OPTION(easy, CURLOPT_SOCKOPTFUNCTION, socket_note);
	OPTION(easy, CURLOPT_SOCKOPTDATA, talk);
	OPTION(easy, CURLOPT_DEBUGFUNCTION, command_note);
	OPTION(easy, CURLOPT_DEBUGDATA, talk);
	OPTION(easy, CURLOPT_VERBOSE, 1L);
}

/*
 * Is it this mail that the server does not want? Before MAIL it is us, or anybody, who is not
 * wanted, and a mail must not be lost for that.
 */
static bool
is_refusal(long status, const Talk *talk)
{
	return talk->begun && status >= 500 && status < 600 && status != AUTH_NEEDED &&
	       status != AUTH_WEAK && status != AUTH_WRONG && status != AUTH_PLAIN;
}

/* A connection that is good is kept to the end, where QUIT is said and nothing is noted. */
static void
hear_no_more(CURL *easy)
{
	curl_socket_t fd;

	if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
	    fd != CURL_SOCKET_BAD)
		shutdown(fd, SHUT_RD);
}

SmtpVerdict
smtp_send(Ctx *ctx, const SmtpCall *call, Str *words)
{
	Talk talk = { .left = call->message, .over = true, .fd = -1 };
	int left_ms = MAX(deadline_left_ms(ctx->deadline), 1);
	char *faults = arena_new(ctx->arena, char, CURL_ERROR_SIZE);
	struct curl_slist *to =
	    curl_slist_append(NULL, arena_print(ctx->arena, "<%.*s>", STR_ARG(call->to)));
	CURL *easy;
	CURLcode code;
	long status = 0;

	CHECK(to != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	easy = curl_easy_init();
	CHECK(easy != NULL);
	options_set(easy, call, &talk, left_ms);
	OPTION(easy, CURLOPT_ERRORBUFFER, faults);
	OPTION(easy, CURLOPT_MAIL_FROM, arena_print(ctx->arena, "<%.*s>", STR_ARG(call->from)));
	OPTION(easy, CURLOPT_MAIL_RCPT, to);
	code = curl_easy_perform(easy);
	CHECK(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
	hear_no_more(easy);
	curl_easy_cleanup(easy);
	curl_slist_free_all(to);
	curl_global_cleanup();
	if (code == CURLE_OK)
		return SMTP_TAKEN;
	if (status < 400 || talk.n == 0 || code == CURLE_OPERATION_TIMEDOUT) {
		talk.n = 0;
		words_add(&talk, str_of(*faults != '\0' ? faults : curl_easy_strerror(code)));
	}
	*words = str_keep(ctx->arena, (Str){ talk.words, talk.n });
	return is_refusal(status, &talk) ? SMTP_REFUSED : SMTP_LATER;
}
