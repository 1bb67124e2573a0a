#include "common/board.h"

#include "common/board_layout.h"

#define PUT(member, value) atomic_store_explicit(&(member), (value), memory_order_relaxed)
#define GET(member) atomic_load_explicit(&(member), memory_order_relaxed)

void
board_queue_open(Board *board)
{
	PUT(board->queue, -1);
	PUT(board->moments, 0);
	PUT(board->last_number, UINT64_MAX);
}

/* The newest moment is number moments - 1; a ring of the last BOARD_MOMENTS. */
static BoardMoment *
moment_at(Board *board, uint64_t i)
{
	return &board->moment[i % BOARD_MOMENTS];
}

void
board_queue_set(Board *board, int length, int64_t now_us, int64_t step_us)
{
	uint64_t n = GET(board->moments),
		 last = GET(board->accepted) + (uint64_t)MAX(length, 0);

	PUT(board->queue, length);
	if (length <= 0) /* who comes from now on has not waited since any moment before */
		PUT(board->moments, 0);
	else if (n == 0 || now_us - GET(moment_at(board, n - 1)->at_us) >= step_us) {
		BoardMoment *moment = moment_at(board, n);

		PUT(moment->at_us, now_us);
		atomic_store_explicit(&moment->last_number, last, memory_order_release);
		atomic_store_explicit(&board->moments, n + 1, memory_order_release);
	}
}

int
board_queue(const Board *board)
{
	return GET(board->queue);
}

int64_t
board_accepted(Board *board, int64_t now_us)
{
	uint64_t number =
	    1 + atomic_fetch_add_explicit(&board->accepted, 1, memory_order_relaxed);
	uint64_t n = atomic_load_explicit(&board->moments, memory_order_acquire);
	/* the one before the oldest may be written now */
	uint64_t oldest = n < BOARD_MOMENTS ? 0 : n - BOARD_MOMENTS + 1;
	int64_t since_us = now_us;

	for (uint64_t i = n; i > oldest; i--) {
		BoardMoment *moment = moment_at(board, i - 1);

		if (atomic_load_explicit(&moment->last_number, memory_order_acquire) < number)
			break;
		since_us = GET(moment->at_us);
	}
	return MAX(now_us - since_us, INT64_C(0));
}

void
board_queue_close(Board *board, int length)
{
	uint64_t accepted = GET(board->accepted);

	PUT(board->last_number, length < 0 ? UINT64_MAX : accepted + (uint64_t)length);
}

bool
board_queue_over(const Board *board)
{
	return GET(board->accepted) >= GET(board->last_number);
}
