#pragma once

/*
 * Signals as flags, read between two pieces of work; nothing happens inside a handler.
 *
 * They are blocked everywhere but in ppoll() and epoll_pwait() with signals_open(), so none
 * comes between a look at a flag and the wait. SIGPIPE and SIGUSR1 have a handler that does
 * nothing: what is ignored, FCGX_Init() would take for its own.
 */

#include "common/base.h"

#include <signal.h>

/* Install handlers and block: in the parent, or in a worker that has none. */
void signals_setup(void);

/* The mask to wait with. */
const sigset_t *signals_open(void);

/* TERM, INT or QUIT has come: finish what is begun, take nothing new, end. Stays true. */
bool signals_stop(void);

/* HUP has come since the last call; CHLD has come since the last call. */
bool signals_take_reload(void);
bool signals_take_child(void);
