#pragma once

/* What the board says, as the struct that /status and posternctl write. */

#include "common/board.h"
#include "fcgi/api/ops.h"

/* All but listen_queue, which only holders of the socket can tell. Texts live in the arena. */
void status_fill(Arena *arena, const Board *board, Status *out);
