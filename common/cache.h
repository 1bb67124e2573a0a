#pragma once

/*
 * Redis: what hosts share besides the database, and may lose at any moment. The only file that
 * touches hiredis, which writes the commands and reads the answers; the socket is ours: a
 * time-out of hiredis holds for one system call, and a server that drips would never meet it.
 *
 * One Cache a worker, opened after the fork. A command, its connection included, takes
 * redis.timeout_ms at most, and is not begun when the request has less time left. Every
 * question has a number, which its answer repeats. Whatever is not the answer that was asked
 * for (late, cut, an error, another question's, more than was asked for) drops the connection,
 * so that no answer ever meets another question, and opens a breaker on the board: for a second
 * no worker of the host asks, then one of them, which closes it if Redis takes a write and then
 * answers. So a fault here is never a problem: false means "do without".
 *
 * A host name is looked up beside the requests, at the start and when a connection fails or
 * leads to a Redis that is not to be written to: until it is known there is no Redis.
 *
 * Nothing may lie in Redis alone, nor be believed because it lies there: whoever reaches Redis
 * could have written it. Every key has a prefix and an end. Here are the counts of rate limits
 * (fcgi/limit.c) and copies of sessions' rights (fcgi/copies.h).
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

/* Does it answer, and take what is written? Needs ctx->cache, as all that follow. */
bool cache_writes(Ctx *ctx) MUST_USE;

/* A piece of an answer. */
typedef struct CacheItem {
	int64_t number; /* of an 'n' */
	Str text;       /* of a 't', in the arena; STR_NONE: nil */
} CacheItem;

/*
 * Run a script on one key, which nothing interrupts.
 *
 * script   Lua; sees KEYS[1] and ARGV, must give every key it makes an end. Returns its last
 *          argument, which is the question's number and ours, and then what form says
 * key      without the prefix; any bytes
 * args     n_args of them, any bytes; CACHE_ARGS_MAX at most
 * form     a letter an item, CACHE_ARGS_MAX at most: 'n' an integer, 't' a text or nil
 * out      one a letter; untouched on failure
 */
#define CACHE_ARGS_MAX 6
bool cache_eval(Ctx *ctx, const char *script, Str key, const Str *args, size_t n_args,
                const char *form, CacheItem *out) MUST_USE;

/* For the log, after a request: has this worker seen it go, or come back, since last time? */
typedef enum CacheNews { CACHE_NO_NEWS, CACHE_LOST, CACHE_BACK } CacheNews;

/* words: why it was lost; "" otherwise */
CacheNews cache_news(Cache *cache, const char **words);
