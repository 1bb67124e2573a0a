#include "fcgi/status.h"

#include "fcgi/req.h"

static void
worker_fill(Arena *arena, const BoardWorker *worker, int64_t now_us, StatusWorker *out)
{
	bool known = worker->route >= 0 && (size_t)worker->route < route_count;

	*out = (StatusWorker){
		.pid = worker->pid,
		.slot = worker->slot,
		.state = str_of(worker_state_names[worker->state]),
		.since_ms = (now_us - worker->since_us) / 1000,
		.requests = (int64_t)worker->requests,
		.memory_bytes = worker->memory_bytes,
	};
	if (worker->state != WORKER_BUSY)
		return;
	out->route =
	    (OptStr){ true, known, known ? str_of(routes[worker->route].id) : STR_NONE };
	out->request_id = (OptStr){ true, true, str_keep(arena, str_of(worker->request_id)) };
}

void
status_fill(Arena *arena, const Board *board, Status *out)
{
	StatusWorker *rows = arena_new(arena, StatusWorker, BOARD_SLOTS);
	StatusLane *lanes = arena_new(arena, StatusLane, LANES);
	int64_t now_us = clock_mono_us();
	size_t n = 0;
	StatusKeeper keeper = { 0 };
	BoardWorker worker;

	for (int slot = 0; slot < BOARD_SLOTS; slot++)
		if (board_worker(board, slot, &worker)) {
			if (worker.kind == SLOT_WORKER)
				worker_fill(arena, &worker, now_us, &rows[n++]);
			else if (worker.state != WORKER_DRAINING)
				keeper.pid = worker.pid;
		}
	for (size_t i = 0; i < LANES; i++)
		lanes[i] =
		    (StatusLane){ str_of(lane_names[i]), board_lane_count(board, (Lane)i) };
	*out = (Status){
		.version = S(PACKAGE_VERSION),
		.workers = { rows, n },
		.keeper = keeper,
		.lanes = { lanes, LANES },
		.listen_queue = board_queue(board),
	};
	out->pid = board_parent(board, &out->started_at);
}
