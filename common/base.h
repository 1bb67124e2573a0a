#pragma once

/*
 * What every file may use: counting, checking, cleaning up.
 *
 * A CHECK says what cannot happen; it stays on in production and ends the process, whose parent
 * replaces it. What can happen is a Problem (problem.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Stands before everything that can fail: an answer nobody looks at is a warning. */
#define MUST_USE __attribute__((warn_unused_result))
#define NEVER_NULL __attribute__((returns_nonnull))
#define PRINTF(text, first) __attribute__((format(printf, text, first)))
#define CLEANUP(done) __attribute__((cleanup(done)))

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

/* Write where and what to standard error, then abort. */
void check_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

/* For CLEANUP: close *fd unless it is negative. Leaves errno alone. */
void closep(const int *fd);

/* For CLEANUP: free *(void **)memory. */
void freep(void *memory);
