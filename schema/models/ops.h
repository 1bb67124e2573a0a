#pragma once

/* What a worker asks the database about itself. */

#include "common/model.h"

typedef struct SchemaState {
	int64_t migration; /* the newest that is applied; 0: none */
	OptStr missing;    /* a fact that the queries depend on and the schema does not have */
} SchemaState;
MODEL_OF(SchemaState);
