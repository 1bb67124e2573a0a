#pragma once

/*
 * What commands of posternctl share that work straight on the database, as the owner of the
 * schema.
 */

#include "common/problem.h"
#include "common/settings.h"

/* A Ctx with a connection by database.owner_dsn, else database.dsn; it has 30 s. */
Ctx *ctl_db_open(const Settings *settings);

/* What was revoked holds for this host's server from here on. */
void ctl_db_close(Ctx *ctx, const Settings *settings);

/*
 * Say on standard error what went wrong, the inside too: whoever runs this may see it.
 *
 * returns  exit status
 */
int ctl_problem(Ctx *ctx, const Problem *problem) MUST_USE;
