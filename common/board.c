#include "common/board.h"

#include <string.h>
#include <unistd.h>

#include "common/board_layout.h"

enum { READ_TRIES = 100 };

const char *const lane_names[LANES] = {
	[LANE_API] = "api",
	[LANE_AUTH] = "auth",
	[LANE_INFERENCE] = "inference",
	[LANE_OPS] = "ops",
};
const char *const worker_state_names[] = {
	[WORKER_NONE] = "none", [WORKER_STARTING] = "starting", [WORKER_IDLE] = "idle",
	[WORKER_BUSY] = "busy", [WORKER_DRAINING] = "draining",
};

/* --- texts as words, so that a reader and a writer never race on bytes */

static void
words_store(_Atomic uint64_t *words, size_t n, const char *text)
{
	size_t left = MIN(strlen(text), n * sizeof(uint64_t) - 1);

	for (size_t i = 0; i < n; i++) {
		uint64_t word = 0;
		size_t bytes = MIN(left, sizeof word);

		memcpy(&word, text, bytes);
		text += bytes;
		left -= bytes;
		atomic_store_explicit(&words[i], word, memory_order_relaxed);
	}
}

/* text: room for n * 8 bytes; ends in NUL whatever was read. */
static void
words_load(const _Atomic uint64_t *words, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);

		memcpy(text + i * sizeof word, &word, sizeof word);
	}
	text[n * sizeof(uint64_t) - 1] = '\0';
}

/* A writer's step into and out of its record: odd while it is inside. */
static void
write_begin(_Atomic uint32_t *seq)
{
	atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) | 1,
	                      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void
write_end(_Atomic uint32_t *seq)
{
	atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 1,
	                      memory_order_release);
}

/*
 * Was nothing written since seq was `before`? A writer that was killed inside is waited for in
 * vain.
 */
static bool
read_whole(const _Atomic uint32_t *seq, uint32_t before)
{
	atomic_thread_fence(memory_order_acquire);
	return (before & 1) == 0 && atomic_load_explicit(seq, memory_order_relaxed) == before;
}

#define PUT(member, value) atomic_store_explicit(&(member), (value), memory_order_relaxed)
#define GET(member) atomic_load_explicit(&(member), memory_order_relaxed)

static BoardSlot *
slot_of(Board *board, int slot)
{
	CHECK(slot >= 0 && slot < BOARD_SLOTS);
	return &board->slots[slot];
}

static void
slot_state(BoardSlot *slot, WorkerState state)
{
	PUT(slot->state, (int32_t)state);
	PUT(slot->since_us, clock_mono_us());
}

/* --- slots */

int
board_slot_take(Board *board, int pid)
{
	bool dead;

	for (int i = 0; i < BOARD_SLOTS; i++) {
		BoardSlot *slot = &board->slots[i];
		int32_t none = 0;

		if (GET(slot->pid) != 0 ||
		    !atomic_compare_exchange_strong(&slot->pid, &none, pid))
			continue;
		write_begin(&slot->seq);
		PUT(slot->start, process_start(pid, &dead));
		PUT(slot->owner, getpid());
		PUT(slot->owner_start, process_start(getpid(), &dead));
		PUT(slot->route, -1);
		PUT(slot->kind, SLOT_WORKER);
		PUT(slot->generation, 0);
		PUT(slot->lane, -1);
		for (size_t gate = 0; gate < GATES; gate++)
			PUT(slot->gate_place[gate], -1);
		PUT(slot->deadline_us, 0);
		PUT(slot->memory_bytes, 0);
		PUT(slot->requests, 0);
		words_store(slot->request_id, BOARD_ID_WORDS, "");
		slot_state(slot, WORKER_STARTING);
		write_end(&slot->seq);
		return i;
	}
	return -1;
}

void
board_slot_set(Board *board, int slot_number, uint32_t generation, Deadline ready_by)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	PUT(slot->generation, generation);
	PUT(slot->deadline_us, ready_by.at_us);
	write_end(&slot->seq);
}

void
board_slot_pid_set(Board *board, int slot_number, int pid)
{
	BoardSlot *slot = slot_of(board, slot_number);
	bool dead;

	/* The worker may write its slot by now, but never these two. */
	PUT(slot->start, process_start(pid, &dead));
	atomic_store(&slot->pid, pid);
}

void
board_slot_kind_set(Board *board, int slot_number, SlotKind kind)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	PUT(slot->kind, (int32_t)kind);
	write_end(&slot->seq);
}

static void
places_clear(BoardPlaces *places, int slot)
{
	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		uint16_t ours = (uint16_t)(slot + 1);

		if (GET(places->v[i]) == ours)
			atomic_compare_exchange_strong(&places->v[i], &ours, 0);
	}
}

/* Free it unless somebody else does: pid is what the slot was seen to hold. */
static void
slot_free(Board *board, int number, int32_t pid)
{
	BoardSlot *slot = slot_of(board, number);

	if (!atomic_compare_exchange_strong(&slot->pid, &pid, -getpid()))
		return;
	for (size_t lane = 0; lane < LANES; lane++)
		for (size_t set = 0; set < BOARD_LANE_SETS; set++)
			places_clear(&board->lanes[lane][set], number);
	for (size_t gate = 0; gate < GATES; gate++)
		places_clear(&board->gates[gate], number);
	write_begin(&slot->seq);
	PUT(slot->state, WORKER_NONE);
	PUT(slot->deadline_us, 0);
	write_end(&slot->seq);
	atomic_store(&slot->pid, 0);
}

void
board_slot_free(Board *board, int slot)
{
	int32_t pid = GET(slot_of(board, slot)->pid);

	if (pid > 0)
		slot_free(board, slot, pid);
}

void
board_sweep(Board *board)
{
	for (int i = 0; i < BOARD_SLOTS; i++) {
		BoardSlot *slot = &board->slots[i];
		int32_t pid = GET(slot->pid), owner = GET(slot->owner);
		bool freer_gone = pid < 0 && process_gone(-pid, 0);

		if (freer_gone ||
		    (pid > 0 && process_gone(pid, GET(slot->start)) &&
		     (owner == pid || process_gone(owner, GET(slot->owner_start)))))
			slot_free(board, i, pid);
	}
}

int
board_orphan(const Board *board, int slot_number)
{
	const BoardSlot *slot = &board->slots[slot_number];
	int32_t pid = GET(slot->pid), owner = GET(slot->owner);

	if (pid <= 0 || owner == pid || !process_gone(owner, GET(slot->owner_start)) ||
	    process_gone(pid, GET(slot->start)))
		return 0;
	return pid;
}

/* --- what the parent says */

void
board_generation_set(Board *board, uint32_t generation)
{
	atomic_store(&board->generation, generation);
}

uint32_t
board_generation(const Board *board)
{
	return atomic_load(&board->generation);
}

void
board_parent_set(Board *board, int pid, Instant started)
{
	bool dead;

	PUT(board->parent_start, pid == 0 ? 0 : process_start(pid, &dead));
	PUT(board->parent_since_us, started.us);
	atomic_store(&board->parent, pid);
}

int
board_parent(const Board *board, Instant *started)
{
	int pid = atomic_load(&board->parent);

	*started = (Instant){ GET(board->parent_since_us) };
	return pid == 0 || process_gone(pid, GET(board->parent_start)) ? 0 : pid;
}

void
board_draining_set(Board *board, bool draining)
{
	atomic_store(&board->draining, draining);
}

bool
board_draining(const Board *board)
{
	return atomic_load(&board->draining);
}

void
board_socket_set(Board *board, BoardSocket which, uint64_t device, uint64_t inode)
{
	PUT(board->socket_device[which], device);
	PUT(board->socket_inode[which], inode);
}

bool
board_socket_is(const Board *board, BoardSocket which, uint64_t device, uint64_t inode)
{
	return inode != 0 && GET(board->socket_device[which]) == device &&
	       GET(board->socket_inode[which]) == inode;
}

static void
reload_under_way(Board *board, bool is)
{
	write_begin(&board->reload_seq);
	PUT(board->reload_under_way, is);
	write_end(&board->reload_seq);
}

void
board_reload_begin(Board *board)
{
	reload_under_way(board, true);
}

void
board_reload_none(Board *board)
{
	reload_under_way(board, false);
}

void
board_reload_set(Board *board, bool good, const char *words)
{
	write_begin(&board->reload_seq);
	PUT(board->reload_under_way, false);
	PUT(board->reload_good, good);
	words_store(board->reload_words, BOARD_WORDS_WORDS, words);
	PUT(board->reload_count, GET(board->reload_count) + 1);
	write_end(&board->reload_seq);
}

void
board_reload(const Board *board, BoardReload *out)
{
	for (int tries = 0; tries < READ_TRIES; tries++) {
		uint32_t before =
		    atomic_load_explicit(&board->reload_seq, memory_order_acquire);

		out->count = GET(board->reload_count);
		out->begun = out->count + GET(board->reload_under_way);
		out->good = GET(board->reload_good);
		words_load(board->reload_words, BOARD_WORDS_WORDS, out->words);
		if (read_whole(&board->reload_seq, before))
			return;
	}
}

/* --- what a worker says */

void
board_state_set(Board *board, int slot_number, WorkerState state)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	slot_state(slot, state);
	PUT(slot->deadline_us, 0);
	write_end(&slot->seq);
}

void
board_request_start(Board *board, int slot_number, const char *request_id, Deadline deadline)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	slot_state(slot, WORKER_BUSY);
	PUT(slot->route, -1);
	PUT(slot->deadline_us, deadline.at_us);
	words_store(slot->request_id, BOARD_ID_WORDS, request_id);
	write_end(&slot->seq);
}

void
board_request_deadline(Board *board, int slot_number, Deadline deadline)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	PUT(slot->deadline_us, deadline.at_us);
	write_end(&slot->seq);
}

void
board_request_route(Board *board, int slot_number, int route)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	PUT(slot->route, route);
	write_end(&slot->seq);
}

void
board_request_end(Board *board, int slot_number, int route, int status, int64_t us)
{
	BoardSlot *slot = slot_of(board, slot_number);

	write_begin(&slot->seq);
	slot_state(slot, WORKER_IDLE);
	PUT(slot->route, -1);
	PUT(slot->deadline_us, 0);
	PUT(slot->requests, GET(slot->requests) + 1);
	words_store(slot->request_id, BOARD_ID_WORDS, "");
	write_end(&slot->seq);
	board_request_count(board, route, status, us);
}

void
board_memory_set(Board *board, int slot, int64_t bytes)
{
	PUT(slot_of(board, slot)->memory_bytes, bytes);
}

/* --- lanes and gates */

/*
 * A place among the first `most`, or -1. Slots begin at different places, so they seldom meet.
 */
static int
place_take(BoardPlaces *places, int slot, int most)
{
	most = MIN(most, BOARD_SLOTS);
	for (int i = 0; i < most; i++) {
		int at = (slot + i) % most;
		uint16_t none = 0;

		if (GET(places->v[at]) == 0 &&
		    atomic_compare_exchange_strong(&places->v[at], &none, (uint16_t)(slot + 1)))
			return at;
	}
	return -1;
}

static void
place_leave(BoardPlaces *places, int slot, int at)
{
	uint16_t ours = (uint16_t)(slot + 1);

	if (at >= 0 && at < BOARD_SLOTS)
		atomic_compare_exchange_strong(&places->v[at], &ours, 0);
}

/* The places of a lane that this slot's generation has; those long gone share with it. */
static BoardPlaces *
lane_set(Board *board, Lane lane, const BoardSlot *slot)
{
	return &board->lanes[lane][GET(slot->generation) % BOARD_LANE_SETS];
}

bool
board_lane_enter(Board *board, int slot_number, Lane lane, int most)
{
	BoardSlot *slot = slot_of(board, slot_number);
	int at;

	CHECK(lane < LANES && GET(slot->lane) < 0);
	at = place_take(lane_set(board, lane, slot), slot_number, most);
	if (at < 0)
		return false;
	PUT(slot->lane_place, at);
	PUT(slot->lane, (int32_t)lane);
	return true;
}

void
board_lane_leave(Board *board, int slot_number)
{
	BoardSlot *slot = slot_of(board, slot_number);
	int32_t lane = GET(slot->lane);

	if (lane < 0 || lane >= LANES)
		return;
	place_leave(lane_set(board, (Lane)lane, slot), slot_number, GET(slot->lane_place));
	PUT(slot->lane, -1);
}

bool
board_gate_enter(Board *board, int slot_number, Gate gate, int most)
{
	BoardSlot *slot = slot_of(board, slot_number);
	int at;

	CHECK(gate < GATES && GET(slot->gate_place[gate]) < 0);
	at = place_take(&board->gates[gate], slot_number, most);
	if (at < 0)
		return false;
	PUT(slot->gate_place[gate], at);
	return true;
}

void
board_gate_leave(Board *board, int slot_number, Gate gate)
{
	BoardSlot *slot = slot_of(board, slot_number);

	CHECK(gate < GATES);
	place_leave(&board->gates[gate], slot_number, GET(slot->gate_place[gate]));
	PUT(slot->gate_place[gate], -1);
}

static int
places_count(const BoardPlaces *places)
{
	int n = 0;

	for (size_t i = 0; i < BOARD_SLOTS; i++)
		n += GET(places->v[i]) != 0;
	return n;
}

int
board_lane_count(const Board *board, Lane lane)
{
	int n = 0;

	for (size_t set = 0; set < BOARD_LANE_SETS; set++)
		n += places_count(&board->lanes[lane][set]);
	return n;
}

int
board_gate_count(const Board *board, Gate gate)
{
	return places_count(&board->gates[gate]);
}

/* --- reports */

bool
board_worker(const Board *board, int slot_number, BoardWorker *out)
{
	const BoardSlot *slot = &board->slots[slot_number];

	for (int tries = 0; tries < READ_TRIES; tries++) {
		uint32_t before = atomic_load_explicit(&slot->seq, memory_order_acquire);
		int32_t state = GET(slot->state);

		out->pid = GET(slot->pid);
		out->slot = slot_number;
		out->route = GET(slot->route);
		out->kind = GET(slot->kind) == SLOT_KEEPER ? SLOT_KEEPER : SLOT_WORKER;
		out->state = state > WORKER_NONE && state <= WORKER_DRAINING
		                 ? (WorkerState)state
		                 : WORKER_NONE;
		out->generation = GET(slot->generation);
		out->since_us = GET(slot->since_us);
		out->deadline_us = GET(slot->deadline_us);
		out->requests = GET(slot->requests);
		out->memory_bytes = GET(slot->memory_bytes);
		words_load(slot->request_id, BOARD_ID_WORDS, out->request_id);
		if (read_whole(&slot->seq, before))
			break;
	}
	return out->pid > 0;
}
