#include "schema/models/docs.h"

/* clang-format off */
MODEL(ProblemKey,
	FIELD(ProblemKey, code, .from = FROM_PATH, .required = true, .format = FORMAT_SLUG));

MODEL(Words,
	FIELD(Words, en, .about = "English"),
	FIELD(Words, th, .about = "Thai"));

MODEL(ProblemAbout,
	FIELD(ProblemAbout, code),
	FIELD(ProblemAbout, status, .min = 400, .max = 599, .about = "of the answers that have it"),
	FIELD_OF(ProblemAbout, title, Words, .about = "what went wrong"),
	FIELD_OF(ProblemAbout, detail, Words, .about = "what a client can do about it"));
/* clang-format on */
