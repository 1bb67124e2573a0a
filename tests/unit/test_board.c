#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/board.h"
#include "common/board_layout.h"
#include "common/settings.h"

enum { KILLS = 10000, ALIVE = 2, LANE_MOST = 1 };

static char dir[64];

static int
dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_board.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
dir_remove(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/board", dir);
	unlink(path);
	return rmdir(dir);
}

static Board *
opened(void)
{
	Board *board = board_open(dir);

	assert_non_null(board);
	return board;
}

/* A process that has ended and been reaped, so that its number is nobody's. */
static int
dead_pid(void)
{
	int pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void
counters_stay_when_the_board_is_opened_again(void **state)
{
	Board *board = opened();
	uint64_t sum_us, buckets[BOARD_BUCKETS];
	int slot = board_slot_take(board, getpid());

	(void)state;
	board_count_add(board, COUNT_DB_CONNECTS, 7);
	board_request_end(board, slot, 3, 200, 1500);
	board_request_end(board, slot, 3, 299, INT64_C(99000000));
	board_slot_free(board, slot);
	board_close(board);
	board = opened();
	assert_int_equal(board_count(board, COUNT_DB_CONNECTS), 7);
	assert_int_equal(board_requests(board, 3, 0), 1);
	assert_int_equal(board_statuses[24 + 1], 0);
	assert_int_equal(board_requests(board, 3, 25), 1); /* 299 is none of those we name */
	board_histogram(board, 3, buckets, &sum_us);
	assert_int_equal(buckets[0], 0);
	assert_int_equal(buckets[1], 1); /* 1.5 ms is within 2 ms */
	assert_int_equal(buckets[BOARD_BUCKETS - 2], 1);
	assert_int_equal(buckets[BOARD_BUCKETS - 1], 2);
	assert_int_equal(sum_us, 99001500);
	board_close(board);
}

static void
another_table_of_routes_forgets_the_counters_by_route_alone(void **state)
{
	Board *board = opened();

	(void)state;
	board_routes_set(board, 1);
	board_request_count(board, -1, 404, 10);
	board_count_add(board, COUNT_LANE_REFUSED, 1);
	board_routes_set(board, 1);
	assert_int_equal(board_requests(board, BOARD_ROUTES - 1, 8), 1);
	board_routes_set(board, 2);
	assert_int_equal(board_requests(board, BOARD_ROUTES - 1, 8), 0);
	assert_int_equal(board_count(board, COUNT_LANE_REFUSED), 1);
	board_close(board);
}

static void
a_board_of_another_layout_is_replaced_and_never_attached(void **state)
{
	Board *board = opened();
	char path[128], other[] = "not a board of ours";
	int fd;

	(void)state;
	board_count_add(board, COUNT_DB_CONNECTS, 7);
	board_close(board);
	snprintf(path, sizeof path, "%s/board", dir);
	fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, other, sizeof other), sizeof other);
	close(fd);
	assert_null(board_attach(dir));
	assert_int_equal(errno, EPROTO);
	board = opened();
	assert_int_equal(board_count(board, COUNT_DB_CONNECTS), 0);
	board_close(board);
	assert_int_equal(truncate(path, 100), 0);
	board_close(opened());
}

static void
a_directory_that_is_not_there_says_so(void **state)
{
	(void)state;
	assert_null(board_open("/nonexistent/postern"));
	assert_int_equal(errno, ENOENT);
	assert_null(board_attach(dir));
	assert_int_equal(errno, ENOENT);
}

static void
a_board_that_has_no_room_is_not_made(void **state)
{
	int status, pid = fork();

	(void)state;
	if (pid == 0) {
		struct rlimit little = { 4096, 4096 };

		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &little) < 0 || board_open(dir) != NULL)
			_exit(255);
		_exit(errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EFBIG);
	assert_null(board_attach(dir));
	assert_int_equal(rmdir(dir), 0); /* nothing half made is left */
	assert_int_equal(mkdir(dir, 0700), 0);
	board_close(opened());
}

static void
nobody_else_may_read_the_board(void **state)
{
	char path[128];
	struct stat about;

	(void)state;
	board_close(opened());
	snprintf(path, sizeof path, "%s/board", dir);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
}

static void
a_worker_is_seen_as_it_was_at_one_moment(void **state)
{
	Board *board = opened();
	const Board *reader = board_attach(dir);
	int slot = board_slot_take(board, getpid());
	char longest[] = "0123456789012345678901234567890123456789012345678901234567890123";
	BoardWorker seen;

	(void)state;
	assert_non_null(reader);
	board_slot_set(board, slot, 5, (Deadline){ 1 });
	assert_true(board_worker(reader, slot, &seen));
	assert_int_equal(seen.state, WORKER_STARTING);
	assert_int_equal(seen.deadline_us, 1);
	board_state_set(board, slot, WORKER_IDLE);
	board_request_start(board, slot, longest, (Deadline){ 12345 });
	board_request_route(board, slot, 9);
	board_memory_set(board, slot, 4096);
	assert_true(board_worker(reader, slot, &seen));
	assert_string_equal(seen.request_id, longest);
	assert_int_equal(seen.pid, getpid());
	assert_int_equal(seen.generation, 5);
	assert_int_equal(seen.route, 9);
	assert_int_equal(seen.state, WORKER_BUSY);
	assert_int_equal(seen.deadline_us, 12345);
	assert_int_equal(seen.memory_bytes, 4096);
	board_request_end(board, slot, 9, 200, 1);
	assert_true(board_worker(reader, slot, &seen));
	assert_int_equal(seen.state, WORKER_IDLE);
	assert_int_equal(seen.requests, 1);
	assert_int_equal(seen.deadline_us, 0);
	assert_string_equal(seen.request_id, "");
	board_slot_free(board, slot);
	assert_false(board_worker(reader, slot, &seen));
	board_close(reader);
	board_close(board);
}

static void
a_lane_takes_as_many_as_it_may_and_no_more(void **state)
{
	Board *board = opened();
	int slots[4];

	(void)state;
	for (size_t i = 0; i < COUNT(slots); i++)
		slots[i] = board_slot_take(board, getpid());
	assert_false(board_lane_enter(board, slots[0], LANE_API, 0));
	for (size_t i = 0; i < 3; i++)
		assert_true(board_lane_enter(board, slots[i], LANE_API, 3));
	assert_false(board_lane_enter(board, slots[3], LANE_API, 3));
	assert_true(board_lane_enter(board, slots[3], LANE_OPS, 3));
	assert_int_equal(board_lane_count(board, LANE_API), 3);
	board_lane_leave(board, slots[1]);
	board_lane_leave(board, slots[1]);
	assert_int_equal(board_lane_count(board, LANE_API), 2);
	assert_true(board_gate_enter(board, slots[1], GATE_HASH, 1));
	assert_false(board_gate_enter(board, slots[2], GATE_HASH, 1));
	board_gate_leave(board, slots[1], GATE_HASH);
	assert_true(board_gate_enter(board, slots[2], GATE_HASH, 1));
	for (size_t i = 0; i < COUNT(slots); i++)
		board_slot_free(board, slots[i]);
	assert_int_equal(board_lane_count(board, LANE_API), 0);
	assert_int_equal(board_lane_count(board, LANE_OPS), 0);
	assert_int_equal(board_gate_count(board, GATE_HASH), 0);
	board_close(board);
}

static void
an_old_generation_takes_no_place_from_the_new_one(void **state)
{
	Board *board = opened();
	int old = board_slot_take(board, getpid()), fresh = board_slot_take(board, getpid());

	(void)state;
	board_slot_set(board, old, 7, (Deadline){ 0 });
	board_slot_set(board, fresh, 8, (Deadline){ 0 });
	assert_true(board_lane_enter(board, old, LANE_API, 1));
	assert_true(board_lane_enter(board, fresh, LANE_API, 1));
	assert_int_equal(board_lane_count(board, LANE_API), 2);
	board_lane_leave(board, fresh);
	assert_int_equal(board_lane_count(board, LANE_API), 1);
	board_slot_free(board, old);
	assert_int_equal(board_lane_count(board, LANE_API), 0);
	board_close(board);
}

static void
slots_of_the_dead_are_cleared_when_the_board_is_opened(void **state)
{
	Board *board = opened();
	int mine, theirs, pid = fork();
	BoardWorker seen;

	(void)state;
	if (pid == 0) { /* a worker without a parent of ours, which dies in a lane */
		int slot = board_slot_take(board, getpid());

		_exit(board_lane_enter(board, slot, LANE_API, 1) ? slot : 255);
	}
	assert_int_equal(waitpid(pid, &theirs, 0), pid);
	theirs = WEXITSTATUS(theirs);
	mine = board_slot_take(board, dead_pid()); /* its parent, we, will free it */
	assert_int_equal(board_lane_count(board, LANE_API), 1);
	board_close(board);
	board = opened();
	assert_int_equal(board_lane_count(board, LANE_API), 0);
	assert_false(board_worker(board, theirs, &seen));
	assert_true(board_worker(board, mine, &seen));
	board_slot_free(board, mine);
	board_close(board);
}

static void
a_dead_parent_is_none(void **state)
{
	Board *board = opened();
	Instant started;

	(void)state;
	board_parent_set(board, getpid(), (Instant){ 77 });
	assert_int_equal(board_parent(board, &started), getpid());
	assert_int_equal(started.us, 77);
	board_parent_set(board, dead_pid(), (Instant){ 77 });
	assert_int_equal(board_parent(board, &started), 0);
	board_close(board);
}

static void
how_a_reload_ended_can_be_read(void **state)
{
	Board *board = opened();
	BoardReload before, after;
	char longer[600];

	(void)state;
	board_reload(board, &before);
	assert_int_equal(before.begun, before.count);
	board_reload_begin(board);
	board_reload(board, &after);
	assert_int_equal(after.count, before.count);
	assert_int_equal(after.begun, before.count + 1);
	board_reload_set(board, false, "postern.conf:3: pool.workers: 0 is less than 1");
	board_reload(board, &after);
	assert_int_equal(after.count, before.count + 1);
	assert_int_equal(after.begun, after.count);
	assert_false(after.good);
	assert_string_equal(after.words, "postern.conf:3: pool.workers: 0 is less than 1");
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	board_reload_set(board, true, longer);
	board_reload(board, &after);
	assert_true(after.good);
	assert_int_equal(strlen(after.words), 511);
	board_close(board);
}

/* A parent that was killed in a reload leaves no caller of the next one waiting. */
static void
a_reload_that_never_ended_is_forgotten(void **state)
{
	Board *board = opened();
	BoardReload seen;

	(void)state;
	board_reload_begin(board);
	board_reload_none(board);
	board_reload(board, &seen);
	assert_int_equal(seen.begun, seen.count);
	board_close(board);
}

static void
one_holds_the_board_at_a_time(void **state)
{
	Board *board = opened();
	int first = board_lock(dir), second;

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(board_lock(dir), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(first);
	second = board_lock(dir);
	assert_true(second >= 0);
	close(second);
	board_close(board);
}

static void
three_generations_of_the_most_workers_have_room(void **state)
{
	int64_t most = 0;

	(void)state;
	for (size_t i = 0; i < setting_row_count; i++)
		if (strcmp(setting_rows[i].section, "pool") == 0 &&
		    strcmp(setting_rows[i].name, "workers") == 0)
			most = setting_rows[i].most;
	assert_true(most > 0);
	assert_true(3 * (most + 1) <= BOARD_SLOTS); /* each with a keeper */
}

static void
come_and_go(Board *board, int slot)
{
	for (unsigned i = 0;; i++) {
		board_request_start(board, slot, "some-request", (Deadline){ 1 });
		if (board_lane_enter(board, slot, (Lane)(i % LANES), LANE_MOST)) {
			if (board_gate_enter(board, slot, GATE_HASH, LANE_MOST))
				board_gate_leave(board, slot, GATE_HASH);
			board_lane_leave(board, slot);
		}
		board_request_end(board, slot, 1, 200, 10);
	}
}

typedef struct Child {
	int pid, slot;
} Child;

static Child
child_start(Board *board)
{
	Child child = { .slot = board_slot_take(board, getpid()) };

	assert_true(child.slot >= 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0)
		come_and_go(board, child.slot);
	board_slot_pid_set(board, child.slot, child.pid);
	return child;
}

/* How many were killed where: one may be counted as inside and as between. */
typedef struct Falls {
	int outside; /* held nothing */
	int inside;  /* held a place */
	int between; /* had taken or left one, and not noted it */
} Falls;

static bool
holds(const BoardPlaces *places, int slot)
{
	for (size_t i = 0; i < LANE_MOST; i++)
		if (atomic_load(&places->v[i]) == slot + 1)
			return true;
	return false;
}

static void
fall_note(const Board *board, int slot, Falls *falls)
{
	const BoardSlot *own = &board->slots[slot];
	bool gate = holds(&board->gates[GATE_HASH], slot), in_lane = false, between;

	between = gate != (atomic_load(&own->gate_place[GATE_HASH]) >= 0);
	for (int lane = 0; lane < LANES; lane++) {
		bool here = holds(&board->lanes[lane][0], slot);

		in_lane = in_lane || here;
		between = between || here != (atomic_load(&own->lane) == lane);
	}
	falls->between += between;
	falls->inside += in_lane || gate;
	falls->outside += !between && !in_lane && !gate;
}

static void
child_reap(Board *board, Child child, Falls *falls)
{
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	fall_note(board, child.slot, falls);
	board_slot_free(board, child.slot);
	for (Lane lane = 0; lane < LANES; lane++)
		assert_true(board_lane_count(board, lane) <= LANE_MOST);
	assert_true(board_gate_count(board, GATE_HASH) <= LANE_MOST);
}

/* Two contend for places of which there is one each; one dies, the other goes on. */
static void
killed_at_any_instruction_nothing_stays_taken(void **state)
{
	Board *board = opened();
	uint64_t served = board_requests(board, 1, 0);
	Child children[ALIVE];
	Falls falls = { 0 };

	(void)state;
	srand(1);
	for (size_t i = 0; i < ALIVE; i++)
		children[i] = child_start(board);
	for (int kills = 0; kills < KILLS; kills++) {
		size_t i = (size_t)rand() % ALIVE;
		struct timespec pause = { .tv_nsec = rand() % 100000 };

		nanosleep(&pause, NULL);
		assert_int_equal(kill(children[i].pid, SIGKILL), 0);
		child_reap(board, children[i], &falls);
		children[i] = child_start(board);
	}
	for (size_t i = 0; i < ALIVE; i++) {
		kill(children[i].pid, SIGKILL);
		child_reap(board, children[i], &falls);
	}
	for (Lane lane = 0; lane < LANES; lane++)
		assert_int_equal(board_lane_count(board, lane), 0);
	assert_int_equal(board_gate_count(board, GATE_HASH), 0);
	assert_true(board_requests(board, 1, 0) > served);
	assert_true(falls.outside > KILLS / 100 && falls.inside > KILLS / 100);
	assert_true(falls.between > KILLS / 1000);
	for (int i = 0; i < BOARD_SLOTS; i++)
		assert_true(board_slot_take(board, getpid()) >= 0);
	assert_int_equal(board_slot_take(board, getpid()), -1);
	board_close(board);
}

/* --- the queue of the listening socket */

/*
 * What the parent sees at moments of 100 ms, and what is then known of those who are accepted.
 */
static void
who_waited_is_known_by_his_number(void **state)
{
	static const struct {
		int seen;      /* waiting, at the moment; -2: the parent did not look */
		int accept;    /* so many come in, 50 ms after it */
		int waited_ms; /* the last of them at least */
	} rows[] = {
		{ -2, 3, 0 },  /* nobody has ever looked */
		{ 0, 2, 0 },   /* these came later */
		{ 2, 1, 50 },  /* one of the two that were seen */
		{ 2, 1, 150 }, /* the other */
		{ 4, 3, 50 },  /* who was there before, and two of the newer ones */
		{ 1, 2, 0 },   /* the one, and one that nobody saw */
		{ 0, 1, 0 },   /* an empty queue is the end of every wait */
		{ -1, 5, 0 },  /* the kernel does not tell */
	};
	Board *board = opened();
	int64_t now_us = 1000000;

	(void)state;
	board_queue_open(board);
	for (size_t i = 0; i < COUNT(rows); i++, now_us += 100000) {
		int64_t waited_us = -1;

		if (rows[i].seen != -2)
			board_queue_set(board, rows[i].seen, now_us, 100000);
		for (int n = 0; n < rows[i].accept; n++)
			waited_us = board_accepted(board, now_us + 50000);
		assert_int_equal(waited_us, rows[i].waited_ms * 1000);
	}
	board_close(board);
}

static void
a_long_wait_is_known_as_far_as_moments_reach(void **state)
{
	Board *board = opened();

	(void)state;
	board_queue_open(board);
	for (int ms = 0; ms < 10000; ms += 10)
		board_queue_set(board, 7, ms * 1000, 100000);
	assert_int_equal(board_accepted(board, 10000000), 10000000 - 3700000);
	board_queue_open(board); /* another socket: nobody waits there yet */
	assert_int_equal(board_accepted(board, 10000000), 0);
	assert_int_equal(board_queue(board), -1);
	board_close(board);
}

static void
a_closed_queue_is_over_when_those_who_waited_are_accepted(void **state)
{
	Board *board = opened();

	(void)state;
	board_queue_open(board);
	assert_false(board_queue_over(board));
	board_queue_close(board, 2);
	assert_false(board_queue_over(board));
	board_accepted(board, 0);
	assert_false(board_queue_over(board));
	board_accepted(board, 0);
	assert_true(board_queue_over(board));
	board_queue_close(board, 0);
	assert_true(board_queue_over(board));
	board_queue_close(board, -1);
	assert_false(board_queue_over(board));
	board_close(board);
}

#define BOARD_TEST(name) cmocka_unit_test_setup_teardown(name, dir_make, dir_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOARD_TEST(counters_stay_when_the_board_is_opened_again),
		BOARD_TEST(another_table_of_routes_forgets_the_counters_by_route_alone),
		BOARD_TEST(a_board_of_another_layout_is_replaced_and_never_attached),
		BOARD_TEST(a_directory_that_is_not_there_says_so),
		BOARD_TEST(a_board_that_has_no_room_is_not_made),
		BOARD_TEST(nobody_else_may_read_the_board),
		BOARD_TEST(a_worker_is_seen_as_it_was_at_one_moment),
		BOARD_TEST(a_lane_takes_as_many_as_it_may_and_no_more),
		BOARD_TEST(an_old_generation_takes_no_place_from_the_new_one),
		BOARD_TEST(slots_of_the_dead_are_cleared_when_the_board_is_opened),
		BOARD_TEST(a_dead_parent_is_none),
		BOARD_TEST(how_a_reload_ended_can_be_read),
		BOARD_TEST(a_reload_that_never_ended_is_forgotten),
		BOARD_TEST(one_holds_the_board_at_a_time),
		BOARD_TEST(three_generations_of_the_most_workers_have_room),
		BOARD_TEST(who_waited_is_known_by_his_number),
		BOARD_TEST(a_long_wait_is_known_as_far_as_moments_reach),
		BOARD_TEST(a_closed_queue_is_over_when_those_who_waited_are_accepted),
		BOARD_TEST(killed_at_any_instruction_nothing_stays_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
