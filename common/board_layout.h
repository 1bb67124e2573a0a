#pragma once

/* How the board lies in memory. For the files common/board*.c alone. */

#include "common/board.h"

#include <stdatomic.h>

enum { BOARD_ID_WORDS = 9, BOARD_WORDS_WORDS = 64, BOARD_LANE_SETS = 4, BOARD_MOMENTS = 64 };
enum { BOARD_RATE_WAYS = 4, BOARD_RATE_SETS = BOARD_RATES / BOARD_RATE_WAYS };

/*
 * One worker. Its owner alone writes it, between two steps of seq, so that readers see it as it
 * was at one moment; seq is left odd by a writer that was killed there.
 */
typedef struct BoardSlot {
	_Atomic int32_t pid; /* 0: free; below 0: being freed by process -pid */
	_Atomic uint32_t seq;
	_Atomic uint64_t start; /* of the process, in ticks since boot; 0: not known */
	_Atomic int32_t owner;  /* process that will free the slot */
	_Atomic uint64_t owner_start;
	_Atomic int32_t state, route, kind;
	_Atomic uint32_t generation;
	_Atomic int32_t lane, lane_place; /* where to look first; the places are what counts */
	_Atomic int32_t gate_place[GATES];
	_Atomic int64_t since_us, deadline_us, memory_bytes;
	_Atomic uint64_t requests;
	_Atomic uint64_t request_id[BOARD_ID_WORDS];
} __attribute__((aligned(64))) BoardSlot;

/* Who is in: 0, or a slot's number plus 1. */
typedef struct BoardPlaces {
	_Atomic uint16_t v[BOARD_SLOTS];
} __attribute__((aligned(64))) BoardPlaces;

typedef struct BoardRoute {
	_Atomic uint64_t requests[BOARD_STATUSES];
	_Atomic uint64_t buckets[BOARD_BUCKETS];
	_Atomic uint64_t sum_us;
} __attribute__((aligned(64))) BoardRoute;

/* How many connections had come by then, the waiting ones among them. */
typedef struct BoardMoment {
	_Atomic int64_t at_us; /* monotonic */
	_Atomic uint64_t last_number;
} BoardMoment;

/* A caller whose requests are counted: 0, or the hash of who it is; its window. */
typedef struct BoardRate {
	_Atomic uint64_t key, state;
} BoardRate;

typedef struct BoardRateSet {
	BoardRate v[BOARD_RATE_WAYS];
} __attribute__((aligned(64))) BoardRateSet;

struct Board {
	uint64_t magic, layout;
	_Atomic int32_t parent;
	_Atomic uint64_t parent_start;
	_Atomic int64_t parent_since_us;
	_Atomic uint32_t generation;
	_Atomic int32_t queue;
	_Atomic bool draining;
	_Atomic uint64_t socket_device[SOCKETS], socket_inode[SOCKETS], routes;
	_Atomic uint32_t reload_seq;
	_Atomic uint64_t reload_count;
	_Atomic bool reload_good, reload_under_way;
	_Atomic uint64_t reload_words[BOARD_WORDS_WORDS];
	_Atomic uint64_t last_number; /* of those that are still accepted */
	_Atomic uint64_t moments;     /* so many have been, since the queue was empty */
	BoardMoment moment[BOARD_MOMENTS];
	_Atomic uint64_t accepted __attribute__((aligned(64)));
	_Atomic uint64_t counts[BOARD_COUNTS] __attribute__((aligned(64)));
	_Atomic int64_t breakers[BREAKERS]; /* 0: closed; else open until then, monotonic */
	_Atomic uint64_t rate_seeds[2];
	_Atomic uint64_t heard; /* 24 bits of the source, 40 of the moment in milliseconds */
	uint64_t epoch_seed;    /* as magic: from the board's first moment */
	_Atomic uint64_t epoch_void; /* how often all became void */
	/* microseconds, monotonic; 0: never */
	_Atomic uint64_t epoch_all, epochs[BOARD_EPOCHS];
	BoardPlaces lanes[LANES][BOARD_LANE_SETS], gates[GATES];
	BoardRoute by_route[BOARD_ROUTES];
	BoardSlot slots[BOARD_SLOTS];
	BoardRateSet rates[BOARD_RATE_SETS];
};

/*
 * When a process was started, in ticks since boot; with the pid it names one process for ever.
 *
 * dead     whether it is known to be gone, or waits to be reaped
 * returns  0 when it cannot be told
 * source   proc(5), /proc/pid/stat: the state follows the last ')', starttime is field 22
 */
uint64_t process_start(int pid, bool *dead);

/* Is the process that started then gone, though another may have its number by now? */
bool process_gone(int pid, uint64_t start);
