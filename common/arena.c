#include "common/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef POSTERN_SANITIZE
enum { BLOCK_BYTES = 1 }; /* everything is large: a malloc of its own */
#else
enum { BLOCK_BYTES = 64 * 1024 };
#endif

typedef struct Block {
	char *p;
	size_t size;
} Block;

typedef struct Owned {
	void *thing;
	void (*done)(void *);
} Owned;

typedef struct Vec {
	void *v;
	size_t n, room;
} Vec;

struct Arena {
	size_t ceiling, taken;
	Vec blocks;         /* of Block; kept over a reset */
	size_t block, used; /* where the next small piece goes */
	Vec large;          /* of Block; freed at a reset */
	Vec owned;          /* of Owned */
	Vec secrets;        /* of Block, inside the others */
};

static void *
vec_push(Vec *vec, size_t size)
{
	if (vec->n == vec->room) {
		vec->room = vec->room == 0 ? 8 : vec->room * 2;
		vec->v = reallocarray(vec->v, vec->room, size);
		CHECK(vec->v != NULL);
	}
	return (char *)vec->v + size * vec->n++;
}

static Block *
block_at(const Vec *vec, size_t i)
{
	return (Block *)vec->v + i;
}

Arena *
arena_open(size_t ceiling)
{
	Arena *arena = calloc(1, sizeof *arena);

	CHECK(arena != NULL);
	arena->ceiling = ceiling;
	return arena;
}

/* Undo what was owned, newest first, and free large pieces, both down to these numbers. */
static void
arena_drop(Arena *arena, size_t owned, size_t large)
{
	while (arena->owned.n > owned) {
		Owned last = ((Owned *)arena->owned.v)[--arena->owned.n];

		last.done(last.thing);
	}
	while (arena->large.n > large) {
		Block *last = block_at(&arena->large, --arena->large.n);

		arena->taken -= last->size;
		free(last->p);
	}
}

void
arena_reset(Arena *arena)
{
	while (arena->owned.n > 0)
		arena_drop(arena, arena->owned.n - 1, arena->large.n);
	for (size_t i = 0; i < arena->secrets.n; i++) {
		const Block *secret = block_at(&arena->secrets, i);

		explicit_bzero(secret->p, secret->size);
	}
	arena->secrets.n = 0;
	arena_drop(arena, 0, 0);
	arena->block = arena->used = arena->taken = 0;
}

void
arena_close(Arena *arena)
{
	if (arena == NULL)
		return;
	arena_reset(arena);
	for (size_t i = 0; i < arena->blocks.n; i++)
		free(block_at(&arena->blocks, i)->p);
	free(arena->blocks.v);
	free(arena->large.v);
	free(arena->owned.v);
	free(arena->secrets.v);
	free(arena);
}

void
arena_closep(Arena **arena)
{
	arena_close(*arena);
}

static void *
large_take(Arena *arena, size_t size, size_t align)
{
	Block *block = vec_push(&arena->large, sizeof *block);
	size_t edge = MAX(align, sizeof(void *));

	block->p = aligned_alloc(edge, (MAX(size, (size_t)1) + edge - 1) / edge * edge);
	CHECK(block->p != NULL);
	block->size = size;
	return block->p;
}

/* Not zeroed. */
static void *
piece_take(Arena *arena, size_t bytes, size_t align)
{
	size_t start;

	CHECK(bytes <= arena->ceiling);
	arena->taken += bytes;
	CHECK(arena->taken <= arena->ceiling);
	if (bytes > BLOCK_BYTES / 4)
		return large_take(arena, bytes, align);
	start = (arena->used + align - 1) & ~(align - 1);
	if (arena->block < arena->blocks.n && start + bytes > BLOCK_BYTES) {
		arena->block++;
		start = 0;
	}
	if (arena->block == arena->blocks.n) {
		Block *block = vec_push(&arena->blocks, sizeof *block);

		block->p = malloc(BLOCK_BYTES);
		CHECK(block->p != NULL);
		block->size = BLOCK_BYTES;
		start = 0;
	}
	arena->used = start + bytes;
	return block_at(&arena->blocks, arena->block)->p + start;
}

void *
arena_take(Arena *arena, size_t n, size_t size, size_t align)
{
	size_t bytes;

	CHECK(!__builtin_mul_overflow(n, size, &bytes));
	return memset(piece_take(arena, bytes, align), 0, bytes);
}

char *
arena_room(Arena *arena, size_t n)
{
	return piece_take(arena, n, 1);
}

char *
arena_secret(Arena *arena, size_t n)
{
	Block *secret = vec_push(&arena->secrets, sizeof *secret);

	secret->p = arena_take(arena, n, 1, 1);
	secret->size = n;
	return secret->p;
}

char *
arena_vprint(Arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	CHECK(n >= 0);
	text = arena_take(arena, (size_t)n + 1, 1, 1);
	vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return text;
}

char *
arena_print(Arena *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = arena_vprint(arena, format, args);
	va_end(args);
	return text;
}

void
arena_own(Arena *arena, void *thing, void (*done)(void *))
{
	*(Owned *)vec_push(&arena->owned, sizeof(Owned)) = (Owned){ thing, done };
}

ArenaMark
arena_mark(const Arena *arena)
{
	return (ArenaMark){
		.block = arena->block,
		.used = arena->used,
		.large = arena->large.n,
		.owned = arena->owned.n,
		.secrets = arena->secrets.n,
		.taken = arena->taken,
	};
}

void
arena_back(Arena *arena, ArenaMark mark)
{
	while (arena->owned.n > mark.owned)
		arena_drop(arena, arena->owned.n - 1, arena->large.n);
	while (arena->secrets.n > mark.secrets) {
		const Block *secret = block_at(&arena->secrets, --arena->secrets.n);

		explicit_bzero(secret->p, secret->size);
	}
	arena_drop(arena, mark.owned, mark.large);
	arena->block = mark.block;
	arena->used = mark.used;
	arena->taken = mark.taken;
}

size_t
arena_used(const Arena *arena)
{
	return arena->taken;
}
