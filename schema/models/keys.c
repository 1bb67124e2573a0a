#include "schema/models/keys.h"

/* clang-format off */
MODEL(SigningKey,
	FIELD(SigningKey, kid),
	FIELD(SigningKey, alg),
	FIELD(SigningKey, private_pem, .secret = true),
	FIELD(SigningKey, public_pem),
	FIELD(SigningKey, created_at),
	FIELD(SigningKey, retired_at),
	FIELD(SigningKey, settled));

MODEL(SigningKeyNew,
	FIELD(SigningKeyNew, kid),
	FIELD(SigningKeyNew, alg),
	FIELD(SigningKeyNew, private_pem, .secret = true),
	FIELD(SigningKeyNew, public_pem));

MODEL(Secret,
	FIELD(Secret, name),
	FIELD(Secret, kid),
	FIELD(Secret, value, .secret = true),
	FIELD(Secret, created_at),
	FIELD(Secret, retired_at));
/* clang-format on */
