#pragma once

/* What a problem's page says. */

#include "common/model.h"

/* A problem's code, in a path. */
typedef struct ProblemKey {
	Str code;
} ProblemKey;
MODEL_OF(ProblemKey);

/* The same words in each language. */
typedef struct Words {
	Str en, th;
} Words;
MODEL_OF(Words);

typedef struct ProblemAbout {
	Str code;
	int64_t status;
	Words title, detail;
} ProblemAbout;
MODEL_OF(ProblemAbout);
