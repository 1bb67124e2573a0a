-- What the program signs with. New keys sign and old ones verify until their tokens are over, so a
-- key is retired, not removed. Workers read keys; only the owner of the schema makes them.

CREATE TABLE signing_keys (
	kid         text PRIMARY KEY,
	alg         text NOT NULL CONSTRAINT signing_keys_alg CHECK (alg IN ('ES256', 'RS256', 'HS256')),
	private_pem text NOT NULL,                   -- of HS256: the secret, base64url
	public_pem  text CONSTRAINT signing_keys_public CHECK ((public_pem IS NULL) = (alg = 'HS256')),
	created_at  timestamptz NOT NULL DEFAULT now(),
	retired_at  timestamptz                      -- signs no more from here on
);

-- Keys of what is not a JWT: cursors, refresh tokens, device cookies; name says of which.
CREATE TABLE secrets (
	name       text NOT NULL,
	kid        text NOT NULL,
	value      bytea NOT NULL CONSTRAINT secrets_value_length CHECK (octet_length(value) >= 32),
	created_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz,
	PRIMARY KEY (name, kid)
);

GRANT SELECT ON signing_keys, secrets TO postern_app;
