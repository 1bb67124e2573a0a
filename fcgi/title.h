#pragma once

/* What ps shows of a process: "posternd: worker 3". */

#include "common/base.h"

/*
 * Once, first thing in main: moves arguments and environment out of the area that ps shows, and
 * with them whatever secrets they hold.
 *
 * returns  the arguments to use from now on
 */
char **title_setup(int argc, char **argv);

/* The whole title, and the short name that the kernel keeps (15 bytes). */
void title_set(const char *comm, const char *format, ...) PRINTF(2, 3);
