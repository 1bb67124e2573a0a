#pragma once

/* Is the database the one that the queries were checked against? */

#include "common/ctx.h"
#include "common/problem.h"

/*
 * One statement: the newest migration is not older than the program's, and each fact of the
 * schema that a query depends on (column, type, NOT NULL, labels of an enum, constraint) is
 * still there. What is newer does no harm.
 *
 * errors  unavailable, with what is missing for the log; what db_one() returns
 */
const Problem *schema_verify(Ctx *ctx) MUST_USE;
