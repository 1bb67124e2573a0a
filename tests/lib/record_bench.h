#pragma once

/*
 * A bench for fcgi/record.h: records and heads made by hand, and a reader that is fed with
 * them in pieces of several sizes.
 *
 * Its state is the program's: one test at a time.
 */

#include "fcgi/record.h"

/* Types of records. */
enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, UNKNOWN = 77 };

extern Arena *arena;

/* cmocka's set-up and tear-down of the group. */
int record_bench_open(void **state);
int record_bench_close(void **state);

void put_record(Buf *to, int type, unsigned id, Str content, size_t padding);
void put_begin(Buf *to, unsigned id, char role);

/* A name and a value as PARAMS hold them. */
void put_pair(Buf *to, Str name, Str value);

/* The pairs that no head is without. */
Buf pairs_needed(void);

/* BEGIN and PARAMS, in records of at most 65,535 bytes. */
Buf head_of(Str pairs);

/*
 * One letter, one record: b BEGIN, p PARAMS with the pairs needed, P their end, d STDIN, D its
 * end, a ABORT, and more that record_bench.c has beside what they make.
 */
Buf records_of(const char *letters);

typedef struct Seen {
	char events[64]; /* Head, Body (bytes in a row: once), End, Reply, X refused, Closed */
	Buf body, replies;
	RecordReader *reader;
} Seen;

/* Feed the bytes, at most `step` at a time, until the end or a final event. */
Seen read_all(Str bytes, size_t step);

/* These bytes give these events and this reason ("": none), in steps of any size. */
void expect(const char *name, Str bytes, const char *events, const char *reason);
