#include "tests/lib/board_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char board_dir[64];
Board *board;

int
board_bench_open(void **state)
{
	(void)state;
	strcpy(board_dir, "/tmp/test_board.XXXXXX");
	if (mkdtemp(board_dir) == NULL)
		return -1;
	board = board_open(board_dir);
	return board == NULL ? -1 : 0;
}

int
board_bench_close(void **state)
{
	char path[128];

	(void)state;
	board_close(board);
	snprintf(path, sizeof path, "%s/board", board_dir);
	unlink(path);
	return rmdir(board_dir);
}
