#pragma once

/*
 * The six rooms in their order: gate, route, admit, intake, work, answer.
 *
 * Each returns NULL to let the request pass, or the problem that is its answer. No room knows
 * the next; fcgi/worker.c is the corridor.
 */

#include "fcgi/req.h"

/* Request id, language, address, deadline; 400 for a malformed path. */
const Problem *gate_open(Req *rq) MUST_USE;

/* 404, 405 with Allow; OPTIONS and CORS preflight are answered here. */
const Problem *route_find(Req *rq) MUST_USE;

/* 503 of a full lane, 413, 415, 406, 401, 403, 429. */
const Problem *admit(Req *rq) MUST_USE;

/* 400, 422: path, query, headers and body into one struct. */
const Problem *intake_read(Req *rq) MUST_USE;

/* Transaction, handler, body of the answer. */
const Problem *work_do(Req *rq) MUST_USE;

/* Headers, body or problem; the log line, the counters. p: NULL, or what went wrong. */
void answer_send(Req *rq, const Problem *p);
