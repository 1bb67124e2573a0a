#pragma once

/* JSON pointers (RFC 6901) to what is wrong. */

#include "common/str.h"

#define POINTER_NAME_POINTS 100 /* of a name that a client made up, which is told back */

/* The member `name` of what stands at `at`; a longer name is cut and ends in an ellipsis. */
Str pointer_below(Arena *arena, Str at, Str name);

/* The item i of the array at `at`. */
Str pointer_item(Arena *arena, Str at, size_t i);
