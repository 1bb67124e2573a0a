#pragma once

/*
 * Rate limits: so many requests a minute for each caller, over all workers of the host; with
 * Redis over all hosts. The board counts in either case, so that a host goes on with its own
 * count when Redis goes.
 *
 * Routes of accounts count by the client's address, whoever is calling, since what they guard
 * are passwords. Others count by user, or by address where nobody is known. Of an IPv6 address
 * the /64 counts. What is refused counts for nothing. Probes and scrapes are not counted, nor
 * is OPTIONS.
 */

#include "fcgi/req.h"

/*
 * Count this request and say in its answer what is left.
 *
 * errors  rate_limited, with Retry-After at the end of the window
 * source  RateLimit and RateLimit-Policy: draft-ietf-httpapi-ratelimit-headers-11 (May 2026)
 */
const Problem *limit_admit(Req *rq) MUST_USE;
