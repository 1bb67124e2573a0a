#include "schema/models/ops.h"

/* clang-format off */
MODEL(SchemaState,
	FIELD(SchemaState, migration),
	FIELD(SchemaState, missing));
/* clang-format on */
