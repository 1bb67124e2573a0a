#include "fcgi/hashing.h"

#include <time.h>

#include "common/log.h"
#include "common/password.h"

enum { LEAST_MS = 2, MOST_MS = 10 };

/*
 * A place at the gate, asked for again and again: a place comes free every few milliseconds,
 * and nothing that a killed process could hold has to wake anybody. Waits grow from 2 to 10 ms,
 * each somewhere between half and whole, so that those who wait do not ask in step.
 */
static const Problem *
place_take(Req *rq)
{
	Deadline half = deadline_in_ms(deadline_left_ms(rq->ctx->deadline) / 2);
	int wait_ms = LEAST_MS;
	uint32_t random;
	int64_t ns;

	while (!board_gate_enter(rq->board, rq->slot, GATE_HASH,
	                         (int)conf->auth_hash_concurrency)) {
		if (deadline_passed(half))
			return problem_inside(rq->ctx, P_overloaded,
			                      "no place for a password hash");
		random_bytes(&random, sizeof random);
		ns = wait_ms * INT64_C(500000);
		ns += (int64_t)(random % (uint32_t)ns);
		nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
		wait_ms = MIN(wait_ms + 1, MOST_MS);
	}
	return NULL;
}

static void
place_leave(Req *rq)
{
	board_gate_leave(rq->board, rq->slot, GATE_HASH);
}

const Problem *
hashing_make(Req *rq, Str password, Str *hash)
{
	bool made;

	TRY(place_take(rq));
	made = password_hash(rq->ctx->arena, password, (int)conf->auth_hash_cost, hash);
	place_leave(rq);
	return made ? NULL : problem_inside(rq->ctx, P_internal, "libxcrypt made no hash");
}

const Problem *
hashing_verify(Req *rq, Str password, Str hash, bool *right, Str *fresh)
{
	Arena *arena = rq->ctx->arena;
	int cost = (int)conf->auth_hash_cost;
	PasswordVerdict verdict = PASSWORD_UNREADABLE;

	*fresh = STR_NONE;
	TRY(place_take(rq));
	if (hash.n > 0)
		verdict = password_verify(password, hash);
	if (verdict == PASSWORD_RIGHT && password_is_stale(hash, cost) &&
	    !password_hash(arena, password, cost, fresh))
		*fresh = STR_NONE; /* the old one still is good */
	if (verdict == PASSWORD_UNREADABLE &&
	    password_verify(password, password_decoy(arena, cost)) == PASSWORD_UNREADABLE) {
		place_leave(rq);
		return problem_inside(rq->ctx, P_internal, "libxcrypt made no hash");
	}
	place_leave(rq);
	if (hash.n > 0 && verdict == PASSWORD_UNREADABLE)
		log_say(LOG_WARNING, "password", "a stored password hash cannot be read");
	*right = verdict == PASSWORD_RIGHT;
	return NULL;
}
