#pragma once

/* Waiting before a next try. */

#include "common/base.h"

/*
 * How long to wait before the next try, so that callers that failed together come back apart.
 *
 * tries    made already, from 1
 * base_ms  ceiling after the first try, milliseconds; doubles each time, never above cap_ms
 * random   32 random bits; passed in, so that a test can choose them
 * returns  milliseconds in [0, ceiling]
 * source   "full jitter": M. Brooker, Exponential Backoff and Jitter, 2015
 */
uint32_t backoff_ms(uint32_t tries, uint32_t base_ms, uint32_t cap_ms, uint32_t random);
