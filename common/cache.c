#include "common/cache.h"

#ifdef HAVE_HIREDIS

#include <errno.h>
#include <netdb.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/settings_check.h"

enum {
	WORDS_MAX = CACHE_ARGS_MAX + 5, /* of a command: EVAL script 1 key args number */
	ITEMS_MAX = CACHE_ARGS_MAX + 1, /* of an answer */
	OPEN_US = 1000000,              /* the breaker, after a fault */
	ANSWER_BYTES = 65536,           /* far above what is asked for */
	ADDRESSES_MAX = 4,              /* of a name that are tried */
	LOOKUP_MS = 300,   /* that a worker waits for a name before its first request */
	PIECE_BYTES = 4096 /* read at once */
};

/*
 * A look-up in the background; on its own, since the resolver cannot be made to let go of it.
 */
typedef struct Lookup {
	struct addrinfo hints;
	struct gaicb request, *list[1];
	char host[256], port[8];
} Lookup;

struct Cache {
	CacheConfig config;
	RedisUrl url;
	SocketAddress places[ADDRESSES_MAX]; /* of its name, or the one of the url */
	size_t n_places, place;              /* place: the one that is tried */
	Lookup *lookup;                      /* under way */
	int fd;                              /* -1: none */
	redisReader *reader;                 /* of the connection */
	uint64_t question;                   /* number of the last one; the first is random */
	char words[160];                     /* what was wrong last */
	CacheNews news;
};

/* An answer, in the arena. */
typedef struct Reply {
	int type; /* REDIS_REPLY_… */
	Str text;
	long long number;
	struct Reply *items[ITEMS_MAX];
	size_t n_items;
} Reply;

/* --- hiredis builds answers of these; its own array would be as long as the server says */

static void *
reply_new(const redisReadTask *task)
{
	Arena *arena = *(Arena **)task->privdata;
	Reply *reply = arena_new(arena, Reply, 1), *parent;

	reply->type = task->type;
	if (task->parent != NULL) {
		parent = task->parent->obj;
		parent->items[task->idx] = reply;
	}
	return reply;
}

static void *
reply_text(const redisReadTask *task, char *text, size_t n)
{
	Reply *reply = reply_new(task);

	reply->text = str_keep(*(Arena **)task->privdata, (Str){ text, n });
	return reply;
}

#if HIREDIS_MAJOR >= 1
typedef size_t ArrayLength;

/* What no form asks for; without a function of ours hiredis would give what is no Reply. */
static void *
reply_double(const redisReadTask *task, double value, char *text, size_t n)
{
	(void)value, (void)text, (void)n;
	return reply_new(task);
}

static void *
reply_bool(const redisReadTask *task, int value)
{
	(void)value;
	return reply_new(task);
}
#else
typedef int ArrayLength;
#endif

static void *
reply_array(const redisReadTask *task, ArrayLength n)
{
	Reply *reply;

	if ((size_t)n > ITEMS_MAX)
		return NULL;
	reply = reply_new(task);
	reply->n_items = (size_t)n;
	return reply;
}

static void *
reply_number(const redisReadTask *task, long long number)
{
	Reply *reply = reply_new(task);

	reply->number = number;
	return reply;
}

static void
reply_free(void *reply)
{
	(void)reply; /* goes with the arena */
}

static redisReplyObjectFunctions reply_functions = {
	.createString = reply_text,
	.createArray = reply_array,
	.createInteger = reply_number,
	.createNil = reply_new,
#if HIREDIS_MAJOR >= 1
	.createDouble = reply_double,
	.createBool = reply_bool,
#endif
	.freeObject = reply_free,
};

/* --- the name */

static void
lookup_start(Cache *cache)
{
	Lookup *lookup;

	if (cache->lookup != NULL || cache->url.address.n > 0)
		return;
	lookup = calloc(1, sizeof *lookup);
	CHECK(lookup != NULL && cache->url.host.n < sizeof lookup->host &&
	      cache->url.port.n < sizeof lookup->port);
	memcpy(lookup->host, cache->url.host.p, cache->url.host.n);
	memcpy(lookup->port, cache->url.port.p, cache->url.port.n);
	lookup->hints = (struct addrinfo){ .ai_socktype = SOCK_STREAM };
	lookup->request = (struct gaicb){ .ar_name = lookup->host,
		                          .ar_service = lookup->port,
		                          .ar_request = &lookup->hints };
	lookup->list[0] = &lookup->request;
	if (getaddrinfo_a(GAI_NOWAIT, lookup->list, 1, NULL) == 0)
		cache->lookup = lookup;
	else
		free(lookup);
}

/*
 * Take over what a look-up has found, waiting at most so long; those known before may still do.
 */
static void
lookup_take(Cache *cache, int wait_ms)
{
	Lookup *lookup = cache->lookup;
	struct timespec wait = { .tv_nsec = wait_ms * 1000000L };
	size_t n = 0;

	if (lookup == NULL)
		return;
	if (wait_ms > 0)
		gai_suspend((const struct gaicb *const *)lookup->list, 1, &wait);
	if (gai_error(&lookup->request) == EAI_INPROGRESS)
		return;
	for (struct addrinfo *at = lookup->request.ar_result; at != NULL && n < ADDRESSES_MAX;
	     at = at->ai_next) {
		if (at->ai_addrlen > sizeof cache->places[n].storage)
			continue;
		memcpy(&cache->places[n].storage, at->ai_addr, at->ai_addrlen);
		cache->places[n++].n = at->ai_addrlen;
	}
	if (n > 0) {
		cache->n_places = n;
		cache->place = 0;
	}
	freeaddrinfo(lookup->request.ar_result);
	free(lookup);
	cache->lookup = NULL;
}

/* --- the connection */

static bool fault(Cache *cache, const char *format, ...) PRINTF(2, 3);

static bool
fault(Cache *cache, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(cache->words, sizeof cache->words, format, args);
	va_end(args);
	return false;
}

static void
link_drop(Cache *cache)
{
	if (cache->fd < 0)
		return;
	close(cache->fd);
	redisReaderFree(cache->reader);
	cache->reader = NULL;
	cache->fd = -1;
}

static bool
link_wait(Cache *cache, short events, Deadline deadline)
{
	struct pollfd socket = { .fd = cache->fd, .events = events };
	int n;

	do
		n = deadline_passed(deadline) ? 0
		                              : poll(&socket, 1, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	CHECK(n >= 0);
	return n > 0 || fault(cache, "no answer within %d ms", cache->config.timeout_ms);
}

static bool
link_connect_to(Cache *cache, const SocketAddress *to, Deadline deadline)
{
	int error = 0;
	socklen_t size = sizeof error;

	cache->fd =
	    socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (cache->fd < 0)
		return fault(cache, "socket: %s", strerror(errno));
	cache->reader = redisReaderCreateWithFunctions(&reply_functions);
	CHECK(cache->reader != NULL);
	if (connect(cache->fd, (const struct sockaddr *)&to->storage, to->n) == 0)
		return true;
	if (errno != EINPROGRESS)
		return fault(cache, "connect: %s", strerror(errno));
	if (!link_wait(cache, POLLOUT, deadline))
		return false;
	CHECK(getsockopt(cache->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	return error == 0 || fault(cache, "connect: %s", strerror(error));
}

/*
 * The address that failed last is not the one that is tried next; after the last, the name is
 * asked.
 */
static void
place_next(Cache *cache)
{
	cache->place = (cache->place + 1) % cache->n_places;
	if (cache->place == 0)
		lookup_start(cache);
}

static bool
link_connect(Cache *cache, Deadline deadline)
{
	lookup_take(cache, 0);
	if (cache->n_places == 0) {
		lookup_start(cache);
		return fault(cache, "its name is not known to the resolver yet");
	}
	if (link_connect_to(cache, &cache->places[cache->place], deadline))
		return true;
	place_next(cache);
	return false;
}

static bool
link_send(Cache *cache, Str bytes, Deadline deadline)
{
	while (bytes.n > 0) {
		ssize_t n = send(cache->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n >= 0)
			bytes = str_sub(bytes, (size_t)n, bytes.n);
		else if (errno == EAGAIN && !link_wait(cache, POLLOUT, deadline))
			return false;
		else if (errno != EAGAIN && errno != EINTR)
			return fault(cache, "send: %s", strerror(errno));
	}
	return true;
}

/*
 * An error. Some say that here is no Redis that takes writes, and that there may be one at
 * another address by now: after a failover the old one may live on as a replica. Before Redis 7
 * a script's error stood behind words about the script.
 */
static bool
refused(Cache *cache, Str words)
{
	static const char *const elsewhere[] = { "READONLY ", "MASTERDOWN ", "LOADING " };

	for (size_t i = 0; i < COUNT(elsewhere); i++)
		if (memmem(words.p, words.n, elsewhere[i], strlen(elsewhere[i])) != NULL)
			place_next(cache);
	return fault(cache, "%.*s", (int)MIN(words.n, (size_t)100), words.p);
}

/* One answer, which is all that has come. */
static bool
link_receive(Cache *cache, Arena *arena, Deadline deadline, Reply **out)
{
	redisReader *reader = cache->reader;
	void *reply = NULL;
	size_t bytes = 0;

	reader->privdata = &arena;
	while (reply == NULL) {
		char piece[PIECE_BYTES];
		ssize_t n;

		if (!link_wait(cache, POLLIN, deadline))
			return false;
		n = recv(cache->fd, piece, sizeof piece, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return fault(cache, "%s",
			             n == 0 ? "it closed the connection" : strerror(errno));
		bytes += (size_t)n;
		if (bytes > ANSWER_BYTES)
			return fault(cache, "its answer is too long");
		if (redisReaderFeed(reader, piece, (size_t)n) != REDIS_OK ||
		    redisReaderGetReply(reader, &reply) != REDIS_OK)
			return fault(cache, "%s", reader->errstr);
	}
	if (reader->len > reader->pos)
		return fault(cache, "it says more than it was asked");
	*out = reply;
	return (*out)->type != REDIS_REPLY_ERROR || refused(cache, (*out)->text);
}

/* --- commands */

static bool
ask(Cache *cache, Arena *arena, const Str *words, size_t n, Deadline deadline, Reply **out)
{
	const char *texts[WORDS_MAX];
	size_t lengths[WORDS_MAX];
	char *command = NULL;
	bool sent;
	long long bytes; /* an int before hiredis 1 */

	CHECK(n <= COUNT(texts));
	for (size_t i = 0; i < n; i++) {
		texts[i] = words[i].p;
		lengths[i] = words[i].n;
	}
	bytes = redisFormatCommandArgv(&command, (int)n, texts, lengths);
	CHECK(bytes > 0);
	sent = link_send(cache, (Str){ command, (size_t)bytes }, deadline);
	redisFreeCommand(command);
	return sent && link_receive(cache, arena, deadline, out);
}

/* Who we are, and which database. */
static bool
greet(Cache *cache, Arena *arena, Deadline deadline)
{
	const RedisUrl *url = &cache->url;
	Str auth[3] = { S("AUTH") }, select[] = { S("SELECT"), url->database };
	size_t n = 1;
	Reply *reply;

	if (url->user.n > 0)
		auth[n++] = url_decode(arena, url->user);
	auth[n++] = url_decode(arena, url->password);
	if (url->password.n > 0 && !ask(cache, arena, auth, n, deadline, &reply))
		return false;
	return url->database.n == 0 || ask(cache, arena, select, 2, deadline, &reply);
}

/*
 * A connection on which nothing is under way; one that speaks unasked, or has ended, is none.
 */
static bool
link_ready(Cache *cache, Arena *arena, Deadline deadline)
{
	struct pollfd socket = { .fd = cache->fd, .events = POLLIN };

	if (cache->fd >= 0 && poll(&socket, 1, 0) != 0)
		link_drop(cache);
	return cache->fd >= 0 ||
	       (link_connect(cache, deadline) && greet(cache, arena, deadline));
}

/* Is it what the form says, behind the question's number? */
static bool
reply_is(const Reply *reply, Str number, const char *form)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->n_items != strlen(form) + 1)
		return false;
	for (size_t i = 0; i < reply->n_items; i++) {
		const Reply *item = reply->items[i];
		char kind = i == 0 ? 't' : form[i - 1];

		if (item == NULL || (kind == 'n' ? item->type != REDIS_REPLY_INTEGER
		                                 : item->type != REDIS_REPLY_STRING &&
		                                       item->type != REDIS_REPLY_NIL))
			return false;
	}
	return str_eq(reply->items[0]->text, number);
}

/* A question, as cache_eval() is asked it. */
typedef struct Question {
	const char *script;
	Str key;
	const Str *args;
	size_t n_args;
	const char *form;
} Question;

/* Does it take writes? One that is full, or a replica, still answers who only reads. */
static const Question does_it_write = {
	.script = "redis.call('SET', KEYS[1], 1, 'PX', 1000)\nreturn {ARGV[1]}\n",
	.key = S("writes"),
	.form = "",
};

/* Ask, and be answered in the form of the question. */
static bool
link_question(Cache *cache, Arena *arena, const Question *question, Deadline deadline,
              Reply **out)
{
	Str words[WORDS_MAX] = { S("EVAL"), str_of(question->script), S("1") }, number;
	Buf name = { .arena = arena };
	size_t n = 3;

	buf_puts(&name, cache->config.prefix);
	buf_put(&name, question->key);
	words[n++] = buf_str(&name);
	for (size_t i = 0; i < question->n_args; i++)
		words[n++] = question->args[i];
	number = str_print(arena, "%016llx", (unsigned long long)++cache->question);
	words[n++] = number;
	return ask(cache, arena, words, n, deadline, out) &&
	       (reply_is(*out, number, question->form) ||
	        fault(cache, "its answer is not the one that was asked for"));
}

/*
 * The same in the request's time and by the breaker; NULL: do without. Who is let in by an open
 * one first sees whether writes are taken, and nobody else closes it.
 */
static const Reply *
command(Ctx *ctx, const Question *question)
{
	Cache *cache = ctx->cache;
	Board *board = cache->config.board;
	bool probes = board_breaker_open(board, BREAKER_CACHE), good;
	int64_t now_us = clock_mono_us();
	Deadline deadline = { now_us + cache->config.timeout_ms * INT64_C(1000) };
	Reply *reply = NULL;

	if (deadline.at_us > ctx->deadline.at_us ||
	    !board_breaker_enter(board, BREAKER_CACHE, now_us, OPEN_US))
		return NULL;
	board_count_add(board, COUNT_CACHE_CALLS, 1);
	good =
	    link_ready(cache, ctx->arena, deadline) &&
	    (!probes || link_question(cache, ctx->arena, &does_it_write, deadline, &reply)) &&
	    link_question(cache, ctx->arena, question, deadline, &reply);
	if (!good) {
		link_drop(cache);
		board_count_add(board, COUNT_CACHE_FAULTS, 1);
	}
	if ((probes || !good) &&
	    board_breaker_leave(board, BREAKER_CACHE, good, clock_mono_us(), OPEN_US))
		cache->news = good ? CACHE_BACK : CACHE_LOST;
	return good ? reply : NULL;
}

bool
cache_writes(Ctx *ctx)
{
	return command(ctx, &does_it_write) != NULL;
}

bool
cache_eval(Ctx *ctx, const char *script, Str key, const Str *args, size_t n_args,
           const char *form, CacheItem *out)
{
	const Reply *reply;

	CHECK(n_args <= CACHE_ARGS_MAX && strlen(form) <= CACHE_ARGS_MAX);
	reply = command(ctx, &(Question){ script, key, args, n_args, form });
	if (reply == NULL)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		const Reply *item = reply->items[i + 1];

		out[i] = (CacheItem){
			.number = item->number,
			.text = item->type == REDIS_REPLY_STRING ? item->text : STR_NONE,
		};
	}
	return true;
}

CacheNews
cache_news(Cache *cache, const char **words)
{
	CacheNews news = cache->news;

	cache->news = CACHE_NO_NEWS;
	*words = news == CACHE_LOST ? cache->words : "";
	return news;
}

Cache *
cache_open(const CacheConfig *config)
{
	Cache *cache;

	if (*config->url == '\0')
		return NULL;
	cache = calloc(1, sizeof *cache);
	CHECK(cache != NULL);
	cache->config = *config;
	cache->fd = -1;
	random_bytes(&cache->question, sizeof cache->question);
	CHECK(redis_url_read(str_of(config->url), &cache->url)); /* settings are checked */
	cache->places[0] = cache->url.address;
	cache->n_places = cache->url.address.n > 0;
	lookup_start(cache);
	lookup_take(cache, LOOKUP_MS);
	return cache;
}

void
cache_close(Cache *cache)
{
	if (cache == NULL)
		return;
	link_drop(cache);
	free(cache);
}

#else /* built without hiredis: settings refuse any url, so there is no cache to ask */

Cache *
cache_open(const CacheConfig *config)
{
	CHECK(*config->url == '\0');
	return NULL;
}

void
cache_close(Cache *cache)
{
	CHECK(cache == NULL);
}

bool
cache_writes(Ctx *ctx)
{
	(void)ctx;
	return false;
}

bool
cache_eval(Ctx *ctx, const char *script, Str key, const Str *args, size_t n_args,
           const char *form, CacheItem *out)
{
	(void)ctx, (void)script, (void)key, (void)args, (void)n_args, (void)form, (void)out;
	return false;
}

CacheNews
cache_news(Cache *cache, const char **words)
{
	(void)cache;
	*words = "";
	return CACHE_NO_NEWS;
}

#endif
