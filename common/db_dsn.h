#pragma once

/* Connection strings, apart from connections: settings are checked before there is any. */

#include "common/str.h"

/* Is this a connection string, of options that libpq knows? It asks nobody. */
bool db_dsn_good(Str dsn);
