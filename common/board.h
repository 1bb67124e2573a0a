#pragma once

/*
 * What the host's processes share: a file in the runtime directory, mapped by all of them.
 *
 * C11 atomics only and no lock, so a process killed at any instruction leaves nothing held.
 * What is in flight (lanes, gates) is owned by a worker's slot: a place holds its owner's
 * number, so that taking it and owning it are one instruction, and whoever clears the slot
 * gives it back. Counters belong to the board, not to a process, so they never fall while it
 * lives.
 */

#include "common/clock.h"
#include "common/uuid.h"

/*
 * Three generations live side by side during a reload: the new one, the one that serves, and
 * one that still finishes; pool.workers and a keeper each.
 */
#define BOARD_SLOTS 2048
#define BOARD_ROUTES 128
#define BOARD_STATUSES 32  /* the statuses of board_statuses, and one place for any other */
#define BOARD_BUCKETS 14   /* of the latency histograms; bounds in board.c */
#define BOARD_EPOCHS 65536 /* what board_epoch_of() is below */
#define BOARD_RATES 65536  /* callers whose requests are counted at once */

typedef enum WorkerState {
	WORKER_NONE,
	WORKER_STARTING,
	WORKER_IDLE,
	WORKER_BUSY,
	WORKER_DRAINING
} WorkerState;
typedef enum Lane {
	LANE_API, /* unless a route says */
	LANE_AUTH,
	LANE_INFERENCE,
	LANE_OPS,
	LANES
} Lane;
typedef enum Gate { GATE_HASH, GATES } Gate;
typedef enum SlotKind { SLOT_WORKER, SLOT_KEEPER } SlotKind;
typedef enum EpochKind { EPOCH_SESSION, EPOCH_USER, EPOCH_KEY, EPOCH_ROLE } EpochKind;
typedef enum Breaker { BREAKER_CACHE, BREAKERS } Breaker;

/* Events counted host-wide, as /metrics names them. */
typedef enum BoardCount {
	COUNT_HEADS_REFUSED,
	COUNT_HEADS_TIMED_OUT,
	COUNT_PEERS_CLOSED,
	COUNT_PEERS_EVICTED,
	COUNT_LANE_REFUSED,
	COUNT_RATE_LIMITED,
	COUNT_CACHE_CALLS,
	COUNT_CACHE_FAULTS,
	COUNT_CACHE_COPIES,
	COUNT_DB_CONNECTS,
	COUNT_DB_STATEMENTS,
	COUNT_DB_WAIT_US,
	COUNT_DB_FAULTS,
	COUNT_UPSTREAM_CALLS,
	COUNT_UPSTREAM_FAULTS,
	COUNT_LOG_DROPPED,
	COUNT_WORKERS_STARTED,
	COUNT_WORKERS_CRASHED,
	COUNT_WORKERS_KILLED,
	COUNT_OUTBOX_DONE,
	COUNT_OUTBOX_FAULTS,
	COUNT_OUTBOX_GAVE_UP,
	BOARD_COUNTS
} BoardCount;
extern const char *const board_count_names[BOARD_COUNTS]; /* without the prefix */
extern const char *const board_count_helps[BOARD_COUNTS];
extern const char *const lane_names[LANES];
extern const char *const worker_state_names[];
extern const double board_bucket_bounds_s[BOARD_BUCKETS]; /* the last is infinity */

typedef struct Board Board;

/*
 * Make or take over the board in dir, which exists. A board of another layout is replaced;
 * whoever has that mapped keeps it. Slots whose processes are dead are cleared.
 * returns  NULL with errno: ENOSPC when there is no room for it
 */
Board *board_open(const char *dir);

/* Look at the board in dir as it is; NULL with errno: ENOENT, or EPROTO for another layout. */
const Board *board_attach(const char *dir);
void board_close(const Board *board);

/* Take part in it as it is: for a tool that has changed something. NULL with errno. */
Board *board_join(const char *dir);

/* Clear the slots of dead processes that have no living parent of ours. */
void board_sweep(Board *board);

/* The living process of a slot whose parent is gone; 0 when there is none. */
int board_orphan(const Board *board, int slot);

/* Forget the counters by route when the table of routes (its hash) is another than before. */
void board_routes_set(Board *board, uint64_t hash);

/* --- the parent */
int board_slot_take(Board *board, int pid); /* a free slot, to be freed by us; -1 when full */
/* Before the fork: past ready_by plus the hard limit a worker that only starts is killed. */
void board_slot_set(Board *board, int slot, uint32_t generation, Deadline ready_by);
void board_slot_pid_set(Board *board, int slot, int pid);        /* after it: the child's */
void board_slot_kind_set(Board *board, int slot, SlotKind kind); /* taken as a worker's */
/* its worker is gone: lanes and gates come back */
void board_slot_free(Board *board, int slot);
void board_generation_set(Board *board, uint32_t generation);
uint32_t board_generation(const Board *board);
void board_parent_set(Board *board, int pid, Instant started); /* pid 0: none */
void board_draining_set(Board *board, bool draining);
bool board_draining(const Board *board);

/* The sockets that the parent bound last, so that the next one knows them for its own. */
typedef enum BoardSocket { SOCKET_MAIN, SOCKET_STATUS, SOCKETS } BoardSocket;
void board_socket_set(Board *board, BoardSocket which, uint64_t device, uint64_t inode);
bool board_socket_is(const Board *board, BoardSocket which, uint64_t device, uint64_t inode);

/*
 * Connections that wait to be accepted. The kernel keeps their order and not their age; but who
 * is accepted as number k waited since before the first moment when no fewer than k had come:
 * accepted by then, or seen waiting.
 *
 * open   the parent, with a socket that is new to the board
 * set    the parent, now and then. length: who waits, -1: not known; step_us: between two
 *        moments that are remembered, of which there are 63
 * close  the parent, when it ends: of those who wait, `length` are still served; -1: all
 */
void board_queue_open(Board *board);
void board_queue_set(Board *board, int length, int64_t now_us, int64_t step_us);
void board_queue_close(Board *board, int length);

int board_queue(const Board *board); /* as the parent saw it lately; -1: not known */
/* closed, and all who are still served are accepted */
bool board_queue_over(const Board *board);

/* A worker has accepted one. Returns how long that waited at least, microseconds. */
int64_t board_accepted(Board *board, int64_t now_us);

/* That one has begun; that none is under way, whatever the parent before has left. */
void board_reload_begin(Board *board);
void board_reload_none(Board *board);

/* How a reload ended. words: why it was refused, or what it left as it was; 511 bytes. */
void board_reload_set(Board *board, bool good, const char *words);

/* --- a worker, on its own slot */
void board_state_set(Board *board, int slot, WorkerState state);
/* busy with this from now on; past the deadline plus the hard limit the parent kills it */
void board_request_start(Board *board, int slot, const char *request_id, Deadline deadline);
void board_request_route(Board *board, int slot, int route);
/* it may take until then: a model has a time of its own */
void board_request_deadline(Board *board, int slot, Deadline deadline);
/* route -1: none was found, which counts at BOARD_ROUTES - 1. us: how long it took */
void board_request_end(Board *board, int slot, int route, int status, int64_t us);
/* The counters alone, for an answer that belongs to no slot. */
void board_request_count(Board *board, int route, int status, int64_t us);
void board_memory_set(Board *board, int slot, int64_t bytes);
void board_count_add(Board *board, BoardCount count, uint64_t n);

/*
 * A place in a lane for this slot's request; false when `most` are taken by slots of the same
 * generation: during a reload the old workers finish in places of their own, or the new ones
 * would be refused because of them. One lane at a time.
 */
bool board_lane_enter(Board *board, int slot, Lane lane, int most);
void board_lane_leave(Board *board, int slot);

/* A place in a gate; false when `most` are taken. */
bool board_gate_enter(Board *board, int slot, Gate gate, int most);
void board_gate_leave(Board *board, int slot, Gate gate);

/*
 * Rate limits: `quota` requests in each window, which begins with a caller's first request. A
 * window counts exactly, whoever counts in it, and is one word. When all places of a caller's
 * set are taken by others, the one that has taken least is put out.
 *
 * A window and not a bucket that fills again all the time: 1,000 requests at once at a limit of
 * 100 a minute pass 100, however long they take, and what the field RateLimit promises is so.
 */
typedef struct RateRule {
	int64_t quota, window_ms; /* quota: below 2^24 */
} RateRule;

typedef struct RateState {
	int64_t left;     /* of the quota after this request */
	int64_t reset_ms; /* until the window ends */
} RateState;

/*
 * Count a request of a caller.
 *
 * kind, id  of the caller; ids of different kinds are different callers
 * now_us    monotonic; passed in, so that a test can choose it
 * returns   whether it is within the quota; one that is not counts for nothing
 */
bool board_rate_take(Board *board, unsigned kind, const uint8_t id[16], const RateRule *rule,
                     int64_t now_us, RateState *out) MUST_USE;

/*
 * A breaker that opens at the first fault, for a helper that is easily done without: closed, or
 * open until an instant, after which one process tries again. One word, so that a process that
 * dies while it tries leaves nothing behind.
 *
 * open_us   how long it stays open after a fault
 */
bool board_breaker_enter(Board *board, Breaker breaker, int64_t now_us,
                         int64_t open_us) MUST_USE;
/* How it went for one that entered; true when that has opened it, or closed it. */
bool board_breaker_leave(Board *board, Breaker breaker, bool good, int64_t now_us,
                         int64_t open_us);

/*
 * --- epochs: has anything changed that kept rights depend on?
 *
 * A fixed array of counters that only rise, to the moment of the last raise. Whoever keeps
 * rights notes the sum of the counters of its session, user, key and roles before it asks the
 * database; the same sum later says that none of them has risen. Ids may share a counter: that
 * costs a question too many, never a stale right. Whoever changes one of them raises its
 * counter after the COMMIT.
 */

/* The counter of an id: the bytes of a Uuid, or a name. The same in all of the host. */
uint16_t board_epoch_of(EpochKind kind, Str id);
void board_epoch_raise(Board *board, uint16_t epoch);

/* All at once: something has changed, and it is not known what. */
void board_epochs_raise(Board *board);

/* As if all were raised, though nothing is known to have changed: it may have been missed. */
void board_epochs_void(Board *board);

/* Of these and those that go for all; random when the board is new. */
uint64_t board_epochs_sum(const Board *board, const uint16_t *epochs, size_t n);

/*
 * When one of these, or all, was raised last: monotonic, microseconds. The board's first moment
 * when that was never. In the future on a board from before a reboot. That they became void is
 * no such moment.
 */
int64_t board_epochs_raised_us(const Board *board, const uint16_t *epochs, size_t n);

/*
 * Everything that was sent before at_us (monotonic) has been heard, and its epochs are raised.
 * source: a number for the database it was sent in, of which the low 24 bits count.
 */
void board_heard_set(Board *board, uint64_t source, int64_t at_us);

/* The last such moment, whole milliseconds; 0: of this source nothing is known. */
int64_t board_heard_us(const Board *board, uint64_t source);

/* --- whoever reports: one slot as it was at one moment */
typedef struct BoardWorker {
	int pid, slot, route;
	SlotKind kind;
	WorkerState state;
	uint32_t generation;
	char request_id[72];
	int64_t since_us;    /* monotonic: when it came into this state */
	int64_t deadline_us; /* of its request; 0 when idle */
	uint64_t requests;
	int64_t memory_bytes;
} BoardWorker;

bool board_worker(const Board *board, int slot, BoardWorker *out); /* false: the slot is free */
int board_lane_count(const Board *board, Lane lane);
int board_gate_count(const Board *board, Gate gate);
bool board_breaker_open(const Board *board, Breaker breaker);
/* 0: there is none, or it is dead; started: the last one's */
int board_parent(const Board *board, Instant *started);

typedef struct BoardReload {
	uint64_t count; /* of reloads that have ended so far, good or not */
	uint64_t begun; /* count, or one more while one is under way */
	bool good;      /* the last that ended */
	char words[512];
} BoardReload;
void board_reload(const Board *board, BoardReload *out);

/*
 * A descriptor that has the board in dir for its own, until it is closed, among those who ask
 * for it so: who has a reload made, one after the other. -1 with errno: EWOULDBLOCK.
 */
int board_lock(const char *dir);
uint64_t board_count(const Board *board, BoardCount count);
extern const int board_statuses[BOARD_STATUSES]; /* 0 at the end: any other */
uint64_t board_requests(const Board *board, int route, size_t status_index);
/* Cumulative bucket counts as Prometheus wants them, and the sum in microseconds. */
void board_histogram(const Board *board, int route, uint64_t buckets[BOARD_BUCKETS],
                     uint64_t *sum_us);
