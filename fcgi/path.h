#pragma once

/*
 * The one reading of a request's path, from REQUEST_URI; PATH_INFO differs with every web
 * server.
 */

#include "common/str.h"

/*
 * Split a REQUEST_URI into decoded path and raw query, below base ("" or "/api").
 *
 * Decoded once. Refused: what does not begin with '/', empty segments, `.` and `..` in any
 * spelling, an encoded '/' or NUL, control characters, a '%' without two hex digits, bytes that
 * are not UTF-8. An absolute URI (http://host/path) is cut to its path. A path outside base is
 * *found false, as nothing is there. returns  false when the path is malformed
 */
bool path_read(Arena *arena, Str uri, Str base, Str *path, Str *query, bool *found) MUST_USE;

/*
 * Does path fit the template "/v1/products/{id}"? values[i] becomes what stands at the i-th
 * brace; at most `most` of them.
 */
bool path_fits(Str path, const char *template, Str *values, size_t most);
