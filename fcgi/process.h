#pragma once

/* What a server process makes of itself before it serves: descriptors, limits, user, lock. */

#include "common/base.h"

#include <sys/types.h>

/* Close what was inherited by accident, but not these (-1: none); open 0, 1 and 2. */
void process_descriptors(int keep, int keep_too);

/* Room for descriptors as the kernel allows; core files only where the settings want them. */
void process_limits(void);

/* Whom to become: run.user when we are root and it is set, else who we are. */
typedef struct RunAs {
	bool changes;
	uid_t uid;
	gid_t gid;
	char name[64];
} RunAs;

/* returns  false with the reason in why, n bytes; so do the others here */
bool run_as_find(RunAs *as, char *why, size_t n) MUST_USE;

/* Make run.dir when it is not there and give it to that user. */
bool run_as_dir(const RunAs *as, char *why, size_t n) MUST_USE;

/* Be that user for file access, and root again: for what must be made between. */
bool run_as_begin(const RunAs *as, char *why, size_t n) MUST_USE;
void run_as_end(const RunAs *as);

/* Become that user for good, without root's groups. */
bool run_as_become(const RunAs *as, char *why, size_t n) MUST_USE;

/*
 * Hold run.dir/posternd.pid, locked, with our number in it, until the process ends.
 * returns  the descriptor; -1 with the reason in why: another server holds it, or errno's words
 */
int pid_lock(char *why, size_t n) MUST_USE;
void pid_unlock(int fd);
