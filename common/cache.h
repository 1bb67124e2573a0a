#pragma once

/*
 * Redis: what hosts share besides the database, and may lose at any moment. The only file that touches
 * hiredis, which writes the commands and reads the answers; the socket is ours, since a time-out of
 * hiredis holds for one system call only and a server that drips would never meet it.
 *
 * One Cache a worker, opened after the fork. A command, its connection included, takes redis.timeout_ms
 * at most, and is not begun when the request has less time left. Whatever is not the answer that was
 * asked for (late, cut, an error, more than was asked for) drops the connection, so that no answer ever
 * meets another question, and opens a breaker on the board: for a second no worker of the host asks,
 * then one of them. So a fault here is never a problem: false means "do without".
 *
 * A host name is looked up beside the requests, at the start and when a connection fails: until it is
 * known there is no Redis.
 *
 * Nothing may lie in Redis alone. Every key has a prefix and an end. It is not asked who is logged in: a
 * mark that a session has ended may have been flushed, evicted or never written, so that none being
 * there proves nothing, and the database would be asked in any case.
 */

#include "common/board.h"
#include "common/ctx.h"

typedef struct Cache Cache;

typedef struct CacheConfig {
	const char *url;    /* as redis.url; must outlive the cache, as all texts here */
	const char *prefix; /* of every key */
	int timeout_ms;     /* of a command */
	Board *board;       /* has the breaker and the counters */
} CacheConfig;

/* returns  NULL when the url is empty; it connects when it is first asked */
Cache *cache_open(const CacheConfig *config);
void cache_close(Cache *cache);

/* Does it answer? Needs ctx->cache, as all that follow. */
bool cache_ping(Ctx *ctx) MUST_USE;

/*
 * Run a script on one key, which nothing interrupts.
 *
 * script   Lua; sees KEYS[1] and ARGV, must give every key it makes an end, returns n_out integers
 * key      without the prefix; any bytes
 * args     n_args of them, CACHE_ARGS_MAX at most
 * out      n_out of them, as many at most; untouched on failure
 */
#define CACHE_ARGS_MAX 8
bool cache_eval(Ctx *ctx, const char *script, Str key, const int64_t *args, size_t n_args,
                int64_t *out, size_t n_out) MUST_USE;

/* For the log, after a request: has this worker seen it go, or come back, since it last asked? */
typedef enum CacheNews { CACHE_NO_NEWS, CACHE_LOST, CACHE_BACK } CacheNews;

/* words: why it was lost; "" otherwise */
CacheNews cache_news(Cache *cache, const char **words);
