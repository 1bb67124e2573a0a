#include "fcgi/report.h"

#include <math.h>

#include "fcgi/req.h"
#include "fcgi/revoke.h"

static void
metric_head(Buf *out, const char *name, const char *type, const char *help)
{
	buf_print(out, "# HELP postern_%s %s\n# TYPE postern_%s %s\n", name, help, name, type);
}

static void
report_counts(Buf *out, const Board *board)
{
	for (int i = 0; i < BOARD_COUNTS; i++) {
		metric_head(out, board_count_names[i], "counter", board_count_helps[i]);
		buf_print(out, "postern_%s %llu\n", board_count_names[i],
		          (unsigned long long)board_count(board, (BoardCount)i));
	}
}

static const char *
route_label(int route)
{
	return route < 0 ? "none" : routes[route].id;
}

/* Routes and statuses that have been seen; -1 is a request that found no route. */
static void
report_requests(Buf *out, const Board *board)
{
	metric_head(out, "requests_total", "counter", "Requests answered, by route and status");
	for (int route = -1; route < (int)route_count; route++) {
		for (size_t i = 0; i < BOARD_STATUSES; i++) {
			unsigned long long n = board_requests(board, route, i);

			if (n == 0)
				continue;
			buf_print(out, "postern_requests_total{route=\"%s\",status=\"",
			          route_label(route));
			if (board_statuses[i] == 0)
				buf_puts(out, "other");
			else
				buf_i64(out, board_statuses[i]);
			buf_print(out, "\"} %llu\n", n);
		}
	}
}

static void
report_latency(Buf *out, const Board *board)
{
	metric_head(out, "request_seconds", "histogram",
	            "Time from a request's first byte to its answer");
	for (int route = -1; route < (int)route_count; route++) {
		uint64_t buckets[BOARD_BUCKETS], sum_us;
		const char *label = route_label(route);

		board_histogram(board, route, buckets, &sum_us);
		if (buckets[BOARD_BUCKETS - 1] == 0)
			continue;
		for (size_t i = 0; i < BOARD_BUCKETS; i++) {
			buf_print(out, "postern_request_seconds_bucket{route=\"%s\",le=\"",
			          label);
			if (isinf(board_bucket_bounds_s[i]))
				buf_puts(out, "+Inf");
			else
				buf_print(out, "%g", board_bucket_bounds_s[i]);
			buf_print(out, "\"} %llu\n", (unsigned long long)buckets[i]);
		}
		buf_print(out, "postern_request_seconds_sum{route=\"%s\"} %.6f\n", label,
		          (double)sum_us / 1e6);
		buf_print(out, "postern_request_seconds_count{route=\"%s\"} %llu\n", label,
		          (unsigned long long)buckets[BOARD_BUCKETS - 1]);
	}
}

static void
report_workers(Buf *out, const Board *board)
{
	int states[WORKER_DRAINING + 1] = { 0 };
	BoardWorker worker;

	for (int slot = 0; slot < BOARD_SLOTS; slot++)
		if (board_worker(board, slot, &worker) && worker.kind == SLOT_WORKER)
			states[worker.state]++;
	metric_head(out, "workers", "gauge", "Worker processes, by state");
	for (int state = WORKER_STARTING; state <= WORKER_DRAINING; state++)
		buf_print(out, "postern_workers{state=\"%s\"} %d\n", worker_state_names[state],
		          states[state]);
	metric_head(out, "lane_in_use", "gauge", "Workers held by the routes of a lane");
	for (int lane = 0; lane < LANES; lane++)
		buf_print(out, "postern_lane_in_use{lane=\"%s\"} %d\n", lane_names[lane],
		          board_lane_count(board, (Lane)lane));
}

/* How long ago it was certain that we hear what other hosts change. */
static void
report_hearing(Buf *out, const Board *board)
{
	int64_t heard_us = board_heard_us(board, revoke_source());

	metric_head(out, "listener_age_seconds", "gauge",
	            "Time since the keeper last proved that it hears other hosts; -1: never");
	buf_print(out, "postern_listener_age_seconds %.3f\n",
	          heard_us == 0 ? -1.0 : (double)(clock_mono_us() - heard_us) / 1e6);
}

static void
report_cache(Buf *out, const Board *board)
{
	metric_head(out, "cache_breaker_open", "gauge",
	            "Whether this host does without Redis now");
	buf_print(out, "postern_cache_breaker_open %d\n",
	          board_breaker_open(board, BREAKER_CACHE));
}

void
report_metrics(Buf *out, const Board *board)
{
	Instant started;

	board_parent(board, &started);
	metric_head(out, "start_time_seconds", "gauge", "When the parent started, Unix time");
	buf_print(out, "postern_start_time_seconds %.3f\n", (double)started.us / 1e6);
	report_workers(out, board);
	report_hearing(out, board);
	report_requests(out, board);
	report_latency(out, board);
	report_cache(out, board);
	report_counts(out, board);
}

void
report_status(Buf *out, const Status *status)
{
	const StatusWorker *rows = status->workers.v;
	const StatusLane *lanes = status->lanes.v;

	buf_print(out, "postern %.*s, pid %lld, since ", STR_ARG(status->version),
	          (long long)status->pid);
	instant_put(out, status->started_at);
	buf_print(out, "\nkeeper: pid %lld\nlisten queue: %lld\nlanes:",
	          (long long)status->keeper.pid, (long long)status->listen_queue);
	for (size_t i = 0; i < status->lanes.n; i++)
		buf_print(out, " %.*s=%lld", STR_ARG(lanes[i].name),
		          (long long)lanes[i].in_use);
	buf_print(out, "\n\n%5s %8s %-9s %10s %10s %9s  %s\n", "slot", "pid", "state",
	          "since ms", "requests", "memory K", "route, request id");
	for (size_t i = 0; i < status->workers.n; i++)
		buf_print(out, "%5lld %8lld %-9.*s %10lld %10lld %9lld  %.*s %.*s\n",
		          (long long)rows[i].slot, (long long)rows[i].pid,
		          STR_ARG(rows[i].state), (long long)rows[i].since_ms,
		          (long long)rows[i].requests, (long long)(rows[i].memory_bytes / 1024),
		          STR_ARG(rows[i].route.v), STR_ARG(rows[i].request_id.v));
}
