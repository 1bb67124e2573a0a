#include "schema/models/accounts.h"

const char *const user_status_names[] = { "active", "disabled", "unverified", NULL };

/* clang-format off */
MODEL(User,
	FIELD(User, id,           .required = true),
	FIELD(User, email,        .required = true, .format = FORMAT_EMAIL),
	FIELD(User, display_name, .required = true, .nullable = true),
	FIELD(User, locale,       .required = true, .nullable = true, .about = "language tag, BCP 47"),
	FIELD(User, status,       .required = true, .names = user_status_names),
	FIELD(User, roles,        .required = true),
	FIELD(User, version,      .required = true, .about = "rises by one with each change"),
	FIELD(User, created_at,   .required = true),
	FIELD(User, updated_at,   .required = true));

MODEL(UserNew,
	FIELD(UserNew, id),
	FIELD(UserNew, email),
	FIELD(UserNew, password_hash, .secret = true),
	FIELD(UserNew, display_name),
	FIELD(UserNew, locale),
	FIELD(UserNew, status, .names = user_status_names),
	FIELD(UserNew, roles));

MODEL(Credentials,
	FIELD(Credentials, id),
	FIELD(Credentials, password_hash, .secret = true),
	FIELD(Credentials, status, .names = user_status_names));
/* clang-format on */
