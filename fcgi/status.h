#pragma once

/* What the board says, as the struct that /status and posternctl write. */

#include "common/board.h"
#include "schema/models/health.h"

/* Texts live in the arena. listen_queue is a second old at most. */
void status_fill(Arena *arena, const Board *board, Status *out);
