#include "common/board.h"

#include "common/board_layout.h"

enum { SOURCE_BITS = 24 };

static const uint64_t source_mask = (UINT64_C(1) << SOURCE_BITS) - 1;

/* FNV-1a, folded. Nobody can choose the ids: we make them. */
uint16_t
board_epoch_of(EpochKind kind, Str id)
{
	uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ kind) * UINT64_C(0x100000001b3);

	for (size_t i = 0; i < id.n; i++)
		hash = (hash ^ (uint8_t)id.p[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return (uint16_t)((hash ^ hash >> 16) % BOARD_EPOCHS);
}

/*
 * To now, and past what it was in any case. In order with all else: a raise comes after its
 * COMMIT, a look before its question.
 */
static void
epoch_raise(_Atomic uint64_t *epoch)
{
	uint64_t now_us = (uint64_t)clock_mono_us(), was = atomic_load(epoch);

	while (!atomic_compare_exchange_weak(epoch, &was, MAX(was + 1, now_us)))
		;
}

void
board_epoch_raise(Board *board, uint16_t epoch)
{
	epoch_raise(&board->epochs[epoch]);
}

void
board_epochs_raise(Board *board)
{
	epoch_raise(&board->epoch_all);
}

void
board_epochs_void(Board *board)
{
	atomic_fetch_add(&board->epoch_void, 1);
}

int64_t
board_epochs_raised_us(const Board *board, const uint16_t *epochs, size_t n)
{
	uint64_t last_us = atomic_load(&board->epoch_all);

	for (size_t i = 0; i < n; i++) {
		uint64_t raised_us = atomic_load(&board->epochs[epochs[i]]);

		last_us = MAX(last_us, raised_us);
	}
	return (int64_t)last_us;
}

uint64_t
board_epochs_sum(const Board *board, const uint16_t *epochs, size_t n)
{
	uint64_t sum = board->epoch_seed + atomic_load(&board->epoch_void) +
	               atomic_load(&board->epoch_all);

	for (size_t i = 0; i < n; i++)
		sum += atomic_load(&board->epochs[epochs[i]]);
	return sum;
}

/* One word, so that no moment is taken for another source's. */
void
board_heard_set(Board *board, uint64_t source, int64_t at_us)
{
	uint64_t ms = (uint64_t)at_us / 1000;

	atomic_store(&board->heard, ms << SOURCE_BITS | (source & source_mask));
}

int64_t
board_heard_us(const Board *board, uint64_t source)
{
	uint64_t heard = atomic_load(&board->heard);

	return (heard & source_mask) == (source & source_mask)
	           ? (int64_t)(heard >> SOURCE_BITS) * 1000
	           : 0;
}
