#include "common/board.h"

#include "common/board_layout.h"

enum {
	COUNT_BITS = 24, /* of a state; above it the window's start in ms, monotonic */
	CLAIM_TRIES = 16 /* each lost to another process that got on */
};

static const uint64_t count_most = (UINT64_C(1) << COUNT_BITS) - 1;

/* A window as it stands: when it began, and what was taken from it. */
typedef struct Window {
	int64_t start_ms;
	uint64_t count;
} Window;

static Window
window_of(uint64_t state)
{
	return (Window){ (int64_t)(state >> COUNT_BITS), state & count_most };
}

static uint64_t
state_of(Window window)
{
	return (uint64_t)window.start_ms << COUNT_BITS | window.count;
}

/* Over, or of a time that has not come: the clock began anew with the host. */
static bool
window_over(Window window, int64_t window_ms, int64_t now_ms)
{
	return window.count == 0 || now_ms - window.start_ms >= window_ms ||
	       window.start_ms - now_ms >= window_ms;
}

/* --- keys: SipHash-2-4 (Aumasson, Bernstein, 2012): nobody can aim at another's place */

static uint64_t
rotated(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void
sip_rounds(uint64_t v[4], int rounds)
{
	for (int i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[0] = rotated(v[0], 32);
		v[2] += v[3];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[2] = rotated(v[2], 32);
	}
}

/* The board's key of the hash, made by whoever needs it first. */
static uint64_t
seed_of(_Atomic uint64_t *seed)
{
	uint64_t random, none = 0;

	if (atomic_load(seed) == 0) {
		random_bytes(&random, sizeof random);
		atomic_compare_exchange_strong(seed, &none, random | 1);
	}
	return atomic_load(seed);
}

static uint64_t
key_hash(Board *board, unsigned kind, const uint8_t id[16])
{
	uint64_t seeds[2] = { seed_of(&board->rate_seeds[0]), seed_of(&board->rate_seeds[1]) };
	uint64_t v[4] = { seeds[0] ^ UINT64_C(0x736f6d6570736575),
		          seeds[1] ^ UINT64_C(0x646f72616e646f6d),
		          seeds[0] ^ UINT64_C(0x6c7967656e657261),
		          seeds[1] ^ UINT64_C(0x7465646279746573) };
	/* 17 bytes: the id and its kind */
	uint64_t words[3] = { 0, 0, UINT64_C(17) << 56 | kind };

	for (size_t i = 0; i < 16; i++)
		words[i / 8] |= (uint64_t)id[i] << i % 8 * 8;
	for (size_t i = 0; i < COUNT(words); i++) {
		v[3] ^= words[i];
		sip_rounds(v, 2);
		v[0] ^= words[i];
	}
	v[2] ^= 0xFF;
	sip_rounds(v, 4);
	return MAX(v[0] ^ v[1] ^ v[2] ^ v[3], UINT64_C(1)); /* 0: nobody's place */
}

/* --- places */

static BoardRate *
place_of_key(BoardRateSet *set, uint64_t key)
{
	for (size_t i = 0; i < BOARD_RATE_WAYS; i++)
		if (atomic_load(&set->v[i].key) == key)
			return &set->v[i];
	return NULL;
}

/*
 * A place that is free or over, else the one that has taken least: a flood of new keys puts out
 * its own.
 */
static BoardRate *
place_to_take(BoardRateSet *set, int64_t window_ms, int64_t now_ms)
{
	BoardRate *least = &set->v[0];

	for (size_t i = 0; i < BOARD_RATE_WAYS; i++) {
		BoardRate *place = &set->v[i];
		Window window = window_of(atomic_load(&place->state));

		if (atomic_load(&place->key) == 0 || window_over(window, window_ms, now_ms))
			return place;
		if (window.count < window_of(atomic_load(&least->state)).count)
			least = place;
	}
	return least;
}

/*
 * The place of a key. Two words are not one instruction: whoever is killed between them leaves
 * the new key with the old one's count, which is over, or the least there was, until its window
 * ends.
 */
static BoardRate *
place_find(BoardRateSet *set, uint64_t key, int64_t window_ms, int64_t now_ms)
{
	for (int tries = 0; tries < CLAIM_TRIES; tries++) {
		BoardRate *place = place_of_key(set, key);
		uint64_t before, state;

		if (place != NULL)
			return place;
		place = place_to_take(set, window_ms, now_ms);
		before = atomic_load(&place->key);
		state = atomic_load(&place->state);
		if (before != key && atomic_compare_exchange_strong(&place->key, &before, key))
			atomic_compare_exchange_strong(&place->state, &state, 0);
	}
	return NULL;
}

/* --- counting */

bool
board_rate_take(Board *board, unsigned kind, const uint8_t id[16], const RateRule *rule,
                int64_t now_us, RateState *out)
{
	int64_t now_ms = now_us / 1000, window_ms = rule->window_ms;
	uint64_t key = key_hash(board, kind, id),
		 quota = MIN((uint64_t)rule->quota, count_most);
	BoardRate *place =
	    place_find(&board->rates[key % BOARD_RATE_SETS], key, window_ms, now_ms);
	uint64_t seen = place == NULL ? 0 : atomic_load(&place->state);
	Window window;
	bool passes;

	do {
		window = window_of(seen);
		if (window_over(window, window_ms, now_ms))
			window = (Window){ now_ms, 0 };
		passes = window.count < quota;
		window.count += passes;
	} while (place != NULL && passes &&
	         !atomic_compare_exchange_weak(&place->state, &seen, state_of(window)));
	*out = (RateState){
		.left = (int64_t)(quota - MIN(window.count, quota)),
		.reset_ms = MIN(window.start_ms + window_ms - now_ms, window_ms),
	};
	return passes;
}

/* --- breakers */

bool
board_breaker_enter(Board *board, Breaker breaker, int64_t now_us, int64_t open_us)
{
	int64_t until = atomic_load(&board->breakers[breaker]);

	if (until == 0)
		return true;
	/* whoever moves the instant is the probe; if it dies, the next comes after open_us */
	return now_us >= until && atomic_compare_exchange_strong(&board->breakers[breaker],
	                                                         &until, now_us + open_us);
}

bool
board_breaker_leave(Board *board, Breaker breaker, bool good, int64_t now_us, int64_t open_us)
{
	int64_t until = good ? 0 : now_us + open_us;

	if (good && atomic_load(&board->breakers[breaker]) == 0)
		return false; /* as nearly always: nothing is written */
	return (atomic_exchange(&board->breakers[breaker], until) == 0) != good;
}

bool
board_breaker_open(const Board *board, Breaker breaker)
{
	return atomic_load(&board->breakers[breaker]) != 0;
}
