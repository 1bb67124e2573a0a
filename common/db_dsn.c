#include "common/db_dsn.h"

#include <libpq-fe.h>
#include <stdlib.h>

bool
db_dsn_good(Str dsn)
{
	CLEANUP(freep) char *text = strndup(dsn.p, dsn.n);
	PQconninfoOption *options;

	CHECK(text != NULL);
	options = PQconninfoParse(text, NULL);
	PQconninfoFree(options);
	return options != NULL;
}
