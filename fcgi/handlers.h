#pragma once

/*
 * The handlers, declared by the route table with the types of their rows: one of other types
 * does not compile. Each takes what intake has read and gives what is written, or a problem.
 */

#include "fcgi/req.h"
#include "schema/models/accounts.h"
#include "schema/models/auth.h"
#include "schema/models/docs.h"
#include "schema/models/health.h"
#include "schema/models/models.h"
#include "schema/models/products.h"

#define ROUTE(METHOD, path, who, tx, name, takes, gives, status, ...)                          \
	const Problem *name(Req *rq, const takes *in, gives *out) MUST_USE;
#include "fcgi/routes.def"
#undef ROUTE
