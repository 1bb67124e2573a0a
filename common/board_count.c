#include "common/board.h"

#include "common/board_layout.h"

const char *const board_count_names[BOARD_COUNTS] = {
	[COUNT_HEADS_REFUSED] = "heads_refused_total",
	[COUNT_HEADS_TIMED_OUT] = "heads_timed_out_total",
	[COUNT_PEERS_CLOSED] = "peers_closed_total",
	[COUNT_PEERS_EVICTED] = "peers_evicted_total",
	[COUNT_LANE_REFUSED] = "lane_refused_total",
	[COUNT_RATE_LIMITED] = "rate_limited_total",
	[COUNT_CACHE_CALLS] = "cache_calls_total",
	[COUNT_CACHE_FAULTS] = "cache_faults_total",
	[COUNT_CACHE_COPIES] = "cache_copies_total",
	[COUNT_DB_CONNECTS] = "database_connects_total",
	[COUNT_DB_STATEMENTS] = "database_statements_total",
	[COUNT_DB_WAIT_US] = "database_wait_microseconds_total",
	[COUNT_DB_FAULTS] = "database_faults_total",
	[COUNT_UPSTREAM_CALLS] = "upstream_calls_total",
	[COUNT_UPSTREAM_FAULTS] = "upstream_faults_total",
	[COUNT_LOG_DROPPED] = "log_dropped_total",
	[COUNT_WORKERS_STARTED] = "workers_started_total",
	[COUNT_WORKERS_CRASHED] = "workers_crashed_total",
	[COUNT_WORKERS_KILLED] = "workers_killed_total",
	[COUNT_OUTBOX_DONE] = "outbox_done_total",
	[COUNT_OUTBOX_FAULTS] = "outbox_faults_total",
	[COUNT_OUTBOX_GAVE_UP] = "outbox_gave_up_total",
};

const char *const board_count_helps[BOARD_COUNTS] = {
	[COUNT_HEADS_REFUSED] =
	    "Requests refused because their FastCGI records were malformed.",
	[COUNT_HEADS_TIMED_OUT] = "Peers closed because their head was late.",
	[COUNT_PEERS_CLOSED] = "Peers that left before their head was whole.",
	[COUNT_PEERS_EVICTED] = "Silent peers closed to make room for others.",
	[COUNT_LANE_REFUSED] = "Requests refused because their lane was full.",
	[COUNT_RATE_LIMITED] = "Requests refused because their caller was over its limit.",
	[COUNT_CACHE_CALLS] = "Commands sent to Redis.",
	[COUNT_CACHE_FAULTS] =
	    "Commands that Redis did not answer as it should, or not in time.",
	[COUNT_CACHE_COPIES] =
	    "Requests that came in by a copy of their session's rights in Redis.",
	[COUNT_DB_CONNECTS] = "Connections made to the database.",
	[COUNT_DB_STATEMENTS] = "Statements sent to the database.",
	[COUNT_DB_WAIT_US] = "Time spent waiting for the database.",
	[COUNT_DB_FAULTS] = "Faults of the database or of its connection.",
	[COUNT_UPSTREAM_CALLS] = "Calls made to inference servers.",
	[COUNT_UPSTREAM_FAULTS] = "Calls to inference servers that failed.",
	[COUNT_LOG_DROPPED] = "Log lines that could not be written.",
	[COUNT_WORKERS_STARTED] = "Workers started.",
	[COUNT_WORKERS_CRASHED] = "Workers that died of a signal or a fault.",
	[COUNT_WORKERS_KILLED] = "Workers killed because they were past their hard limit.",
	[COUNT_OUTBOX_DONE] = "Deliveries of the outbox, such as mails handed to their server.",
	[COUNT_OUTBOX_FAULTS] = "Deliveries that failed and are tried again.",
	[COUNT_OUTBOX_GAVE_UP] = "Deliveries that were refused for good, or failed too often.",
};

const double board_bucket_bounds_s[BOARD_BUCKETS] = {
	0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, __builtin_inf(),
};

const int board_statuses[BOARD_STATUSES] = {
	200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 409, 412,
	413, 415, 422, 428, 429, 431, 499, 500, 501, 502, 503, 504, 0,
};

/* A route's place; none, and what is out of range, has the last. */
static size_t
route_index(int route)
{
	return route >= 0 && route < BOARD_ROUTES ? (size_t)route : BOARD_ROUTES - 1;
}

static size_t
status_index(int status)
{
	size_t i = 0;

	while (board_statuses[i] != status && board_statuses[i] != 0)
		i++;
	return i;
}

static size_t
bucket_index(int64_t us)
{
	size_t i = 0;

	while (i < BOARD_BUCKETS - 1 && (double)us > board_bucket_bounds_s[i] * 1e6)
		i++;
	return i;
}

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void
board_request_count(Board *board, int route, int status, int64_t us)
{
	BoardRoute *counted = &board->by_route[route_index(route)];

	us = MAX(us, 0);
	add(&counted->requests[status_index(status)], 1);
	add(&counted->buckets[bucket_index(us)], 1);
	add(&counted->sum_us, (uint64_t)us);
}

void
board_count_add(Board *board, BoardCount count, uint64_t n)
{
	CHECK(count < BOARD_COUNTS);
	add(&board->counts[count], n);
}

uint64_t
board_count(const Board *board, BoardCount count)
{
	CHECK(count < BOARD_COUNTS);
	return atomic_load_explicit(&board->counts[count], memory_order_relaxed);
}

uint64_t
board_requests(const Board *board, int route, size_t status)
{
	CHECK(status < BOARD_STATUSES);
	return atomic_load_explicit(&board->by_route[route_index(route)].requests[status],
	                            memory_order_relaxed);
}

void
board_histogram(const Board *board, int route, uint64_t buckets[BOARD_BUCKETS],
                uint64_t *sum_us)
{
	const BoardRoute *counted = &board->by_route[route_index(route)];
	uint64_t sum = 0;

	for (size_t i = 0; i < BOARD_BUCKETS; i++) {
		sum += atomic_load_explicit(&counted->buckets[i], memory_order_relaxed);
		buckets[i] = sum;
	}
	*sum_us = atomic_load_explicit(&counted->sum_us, memory_order_relaxed);
}

void
board_routes_set(Board *board, uint64_t hash)
{
	if (atomic_exchange(&board->routes, hash) == hash)
		return;
	for (size_t route = 0; route < BOARD_ROUTES; route++) {
		BoardRoute *counted = &board->by_route[route];

		for (size_t i = 0; i < BOARD_STATUSES; i++)
			atomic_store(&counted->requests[i], 0);
		for (size_t i = 0; i < BOARD_BUCKETS; i++)
			atomic_store(&counted->buckets[i], 0);
		atomic_store(&counted->sum_us, 0);
	}
}
