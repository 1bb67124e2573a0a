#pragma once

/* Media types: what a body is, and which form of the answer a client takes. */

#include "common/str.h"

/*
 * Is the type of a Content-Type value, without its parameters, one of these (separated by
 * spaces)?
 */
bool media_is_one_of(Str content_type, Str types);

/*
 * The first of the offered types (separated by spaces, best first) with the greatest
 * quality in an Accept value; the first one when there is no Accept; STR_NONE when none is
 * acceptable. Source: RFC 9110 section 12.5.1.
 */
Str media_choose(Str accept, Str offered);
