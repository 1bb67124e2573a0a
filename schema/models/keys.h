#pragma once

/* Keys as rows: those that sign tokens, and those of what is not a JWT. */

#include "common/model.h"

typedef struct SigningKey {
	Str kid, alg, private_pem; /* of HS256: the secret, base64url */
	OptStr public_pem;
	Instant created_at;
	OptTime retired_at; /* signs no more from here on */
	bool settled;       /* old enough to sign: everybody can know it */
} SigningKey;
MODEL_OF(SigningKey);

typedef struct SigningKeyNew {
	Str kid, alg, private_pem;
	OptStr public_pem;
} SigningKeyNew;
MODEL_OF(SigningKeyNew);

typedef struct Secret {
	Str name, kid, value;
	Instant created_at;
	OptTime retired_at;
} Secret;
MODEL_OF(Secret);
