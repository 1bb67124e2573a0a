#pragma once

/*
 * The FastCGI records of one connection, checked byte by byte before libfcgi sees any.
 *
 * Pure: it is fed bytes and says what they mean; it reads no socket and knows no clock.
 * One request a connection, role responder.
 * Source: FastCGI Specification 1.0, and what libfcgi 2.4.2 cannot bear.
 */

#include "common/str.h"

#define RECORD_PARAMS_MAX 65280 /* bytes; one record, and the pipe to libfcgi holds it */
#define RECORD_PAIRS_MAX 400
#define RECORD_NAME_MAX 256    /* bytes of a parameter's name */
#define RECORD_VALUES_MAX 512  /* bytes of a GET_VALUES record */
#define RECORD_STRAY_MAX 65536 /* bytes of records that are not the request's, with headers */

/* The most a reader ever takes from its arena: PARAMS while they grow, and the pairs. */
#define RECORD_ARENA_MAX KIB(512)

typedef enum RecordEvent {
	RECORD_MORE,   /* needs more bytes */
	RECORD_HEAD,   /* the head is whole: params are readable */
	RECORD_BODY,   /* *piece holds bytes of the body */
	RECORD_END,    /* the body is whole; what follows is not looked at */
	RECORD_REPLY,  /* *piece must be written to the peer; then go on */
	RECORD_REFUSE, /* answer status and reason, then close */
	RECORD_CLOSE,  /* *piece, when there is one, is written; then close, unanswered */
} RecordEvent;

typedef struct RecordReader RecordReader;

/* Takes its memory from the arena. */
RecordReader *record_open(Arena *arena);

/*
 * Take bytes from *in (its front is cut off) until something has happened. piece borrows from
 * *in or from the reader and is valid until the next call. RECORD_END, RECORD_REFUSE and
 * RECORD_CLOSE are final.
 */
RecordEvent record_next(RecordReader *reader, Str *in, Str *piece);

/* After RECORD_HEAD. A parameter's value; STR_NONE when it is absent, p not NULL when empty. */
Str record_param(const RecordReader *reader, const char *name);

/* The pairs in order, for repeated HTTP_ headers; false past the end. */
bool record_pair(const RecordReader *reader, size_t i, Str *name, Str *value);

/*
 * After RECORD_HEAD, the canonical copy for libfcgi: BEGIN, PARAMS in one record, empty PARAMS;
 * after RECORD_REFUSE the same without parameters. No STDIN: libfcgi reads 8 KiB at a time and
 * stops with the empty PARAMS, so whatever followed could stay in the pipe and be taken for the
 * next request.
 *
 * returns  at most RECORD_PARAMS_MAX + 32 bytes, the reader's own; lives as long as its arena
 */
Str record_canonical(RecordReader *reader);

/* After RECORD_REFUSE or RECORD_CLOSE: 400 or 431 (0: none), and a word for counter and log. */
int record_status(const RecordReader *reader);
const char *record_reason(const RecordReader *reader);

/* Something was taken that no complete request ends: EOF now would be a truncated request. */
bool record_inside(const RecordReader *reader);

/* The request's, from its BEGIN on; 0 before. */
unsigned record_id(const RecordReader *reader);
