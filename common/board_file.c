#include "common/board.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/board_layout.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 &&
                   ATOMIC_SHORT_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2,
               "a lock inside an atomic could be held by a killed process");

enum { LAYOUT_VERSION = 3 };

static const uint64_t board_magic = UINT64_C(0x504f5354424f4152); /* "POSTBOAR" */
static const char board_name[] = "board", board_new_name[] = "board.new";

/* FNV-1a of everything that decides where things lie and what they mean. */
static uint64_t
layout_hash(void)
{
	static const uint64_t facts[] = {
		LAYOUT_VERSION,
		sizeof(struct Board),
		sizeof(BoardSlot),
		sizeof(BoardRoute),
		offsetof(struct Board, accepted),
		offsetof(struct Board, counts),
		offsetof(struct Board, epochs),
		offsetof(struct Board, lanes),
		offsetof(struct Board, by_route),
		offsetof(struct Board, slots),
		BOARD_SLOTS,
		BOARD_ROUTES,
		BOARD_STATUSES,
		BOARD_BUCKETS,
		BOARD_COUNTS,
		BOARD_EPOCHS,
		SOCKETS,
		LANES,
		BOARD_LANE_SETS,
		BOARD_MOMENTS,
		GATES,
		offsetof(struct Board, rates),
		BOARD_RATE_SETS,
		BREAKERS,
	};
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < COUNT(facts); i++)
		for (unsigned shift = 0; shift < 64; shift += 8)
			hash = (hash ^ (facts[i] >> shift & 0xFF)) * UINT64_C(0x100000001b3);
	return hash;
}

/* --- processes that may be dead */

uint64_t
process_start(int pid, bool *dead)
{
	char path[64], text[1024], *at, state;
	CLEANUP(closep) int fd = -1;
	unsigned long long start = 0;
	ssize_t n;

	*dead = kill(pid, 0) < 0 && errno == ESRCH;
	if (*dead)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strrchr(text, ')');
	if (at == NULL || sscanf(at + 1,
	                         " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
	                         "%*d %*d %*d %*d %llu",
	                         &state, &start) != 2)
		return 0;
	*dead = state == 'Z' || state == 'X';
	return start;
}

bool
process_gone(int pid, uint64_t start)
{
	bool dead;
	uint64_t now = process_start(pid, &dead);

	return dead || (start != 0 && now != 0 && now != start);
}

/* --- the file */

static Board *
board_map(int fd, int protection)
{
	Board *board = mmap(NULL, sizeof *board, protection, MAP_SHARED, fd, 0);

	return board == MAP_FAILED ? NULL : board;
}

/* The board in dir when it has our layout; else NULL with errno (EPROTO: another layout). */
static Board *
board_find(int dir, int flags, int protection)
{
	CLEANUP(closep) int fd = openat(dir, board_name, flags | O_CLOEXEC | O_NOFOLLOW);
	struct stat about;
	Board *board;

	if (fd < 0 || fstat(fd, &about) < 0)
		return NULL;
	if (!S_ISREG(about.st_mode) || about.st_size != (off_t)sizeof *board) {
		errno = EPROTO;
		return NULL;
	}
	board = board_map(fd, protection);
	if (board != NULL && (board->magic != board_magic || board->layout != layout_hash())) {
		munmap(board, sizeof *board);
		errno = EPROTO;
		return NULL;
	}
	return board;
}

/* A new one in place of whatever is there. Its memory is reserved: a full disk shows here. */
static Board *
board_make(int dir)
{
	CLEANUP(closep) int fd = -1;
	Board *board;
	int failed;

	if (unlinkat(dir, board_new_name, 0) < 0 && errno != ENOENT)
		return NULL;
	fd = openat(dir, board_new_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	            0600);
	if (fd < 0)
		return NULL;
	failed = posix_fallocate(fd, 0, (off_t)sizeof *board);
	board = failed != 0 ? NULL : board_map(fd, PROT_READ | PROT_WRITE);
	if (board == NULL) {
		failed = failed != 0 ? failed : errno;
		unlinkat(dir, board_new_name, 0);
		errno = failed;
		return NULL;
	}
	/*
	 * a sum of another board's means nothing here, and what was raised there is not known
	 */
	random_bytes(&board->epoch_seed, sizeof board->epoch_seed);
	board_epochs_raise(board);
	board->magic = board_magic;
	board->layout = layout_hash();
	if (renameat(dir, board_new_name, dir, board_name) < 0) {
		munmap(board, sizeof *board);
		return NULL;
	}
	return board;
}

Board *
board_open(const char *dir)
{
	/* The lock on the directory goes with the descriptor, however this process ends. */
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	Board *board;

	if (fd < 0)
		return NULL;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return NULL;
	board = board_find(fd, O_RDWR, PROT_READ | PROT_WRITE);
	if (board == NULL && (errno == ENOENT || errno == EPROTO || errno == ELOOP))
		board = board_make(fd);
	if (board != NULL)
		board_sweep(board);
	return board;
}

Board *
board_join(const char *dir)
{
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : board_find(fd, O_RDWR, PROT_READ | PROT_WRITE);
}

const Board *
board_attach(const char *dir)
{
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : board_find(fd, O_RDONLY, PROT_READ);
}

int
board_lock(const char *dir)
{
	CLEANUP(closep) int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = at < 0 ? -1 : openat(at, board_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int failed;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	failed = errno;
	close(fd);
	errno = failed;
	return -1;
}

void
board_close(const Board *board)
{
	union {
		const Board *from;
		void *to;
	} memory = { .from = board };

	if (board != NULL)
		munmap(memory.to, sizeof *board);
}
