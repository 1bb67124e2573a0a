#pragma once

/*
 * Memory that goes at once: everything a request takes is given back by one arena_reset().
 *
 * Memory is zeroed, but for arena_room(), and never NULL. Limits on input keep a request far
 * below the ceiling, so reaching it is a bug of ours and ends the process, after a line on
 * standard error. With --enable-sanitize each piece is its own malloc, so that AddressSanitizer
 * sees every edge. One arena belongs to one thread.
 */

#include <stdarg.h>

#include "common/base.h"

typedef struct Arena Arena;

typedef struct ArenaMark {
	size_t block, used, large, owned, secrets, taken;
} ArenaMark;

/* An arena that may hold ceiling bytes. Close it with arena_close(). */
Arena *arena_open(size_t ceiling);
void arena_close(Arena *arena);

/* For CLEANUP(arena_closep) Arena *arena. */
void arena_closep(Arena **arena);

/* Run what is owned, newest first, wipe secrets, and make all memory free again. */
void arena_reset(Arena *arena);

/* n things of a type, zeroed. */
#define arena_new(arena, Type, n)                                                              \
	((Type *)arena_take((arena), (n), sizeof(Type), _Alignof(Type)))

/* n * size bytes at a multiple of align (a power of two), zeroed. */
void *arena_take(Arena *arena, size_t n, size_t size, size_t align) NEVER_NULL
    __attribute__((malloc));

/* n bytes as they are, for one who writes them before they are read. */
char *arena_room(Arena *arena, size_t n) NEVER_NULL __attribute__((malloc));

/* n bytes that are wiped before they are given back. */
char *arena_secret(Arena *arena, size_t n) NEVER_NULL;

/* Text of its own, as printf makes it. */
char *arena_print(Arena *arena, const char *format, ...) PRINTF(2, 3) NEVER_NULL;
char *arena_vprint(Arena *arena, const char *format, va_list args) PRINTF(2, 0) NEVER_NULL;

/* Call done(thing) when the arena is reset or closed, or returns to an earlier mark. */
void arena_own(Arena *arena, void *thing, void (*done)(void *));

/* Give back what was taken since the mark, for long loops. */
ArenaMark arena_mark(const Arena *arena);
void arena_back(Arena *arena, ArenaMark mark);

/* Bytes taken since the last reset. */
size_t arena_used(const Arena *arena);
