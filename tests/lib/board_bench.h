#pragma once

/*
 * A bench for what stands on the board: one of its own for each test, in a directory of its
 * own.
 */

#include "common/board.h"

extern char board_dir[64];
extern Board *board;

/* cmocka's set-up and tear-down of a test, or of the group. */
int board_bench_open(void **state);
int board_bench_close(void **state);
