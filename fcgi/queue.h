#pragma once

/* Connections that wait on a listening socket, as the kernel counts them. */

#include "common/base.h"

/* -1 when the kernel does not tell. */
int queue_length(int listen_fd);
