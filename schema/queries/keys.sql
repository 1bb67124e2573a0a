-- Keys that sign. A key that was retired verifies for as long as what it signed may live.

-- Newest first. A key signs when it is settled, so that no worker meets a token of a key that it could
-- not have read yet: those who verify read anew what is older than 200 ms before they refuse a kid.
-- signing_key_list(keep_s bigint) :many gives SigningKey
SELECT kid, alg, private_pem, public_pem, created_at, retired_at,
	created_at <= now() - interval '300 ms' AS "settled!"
FROM signing_keys
WHERE retired_at IS NULL OR retired_at > now() - :keep_s::bigint * interval '1 second'
ORDER BY created_at DESC, kid;

-- signing_key_insert() :exec takes SigningKeyNew
-- as owner
INSERT INTO signing_keys (kid, alg, private_pem, public_pem)
VALUES (:kid, :alg, :private_pem, :public_pem);

-- All that are not retired, and nobody else retires one before this transaction ends: of two at once each
-- would take the other's key for one that signs.
-- signing_keys_lock() :many gives text
-- as owner
SELECT kid FROM signing_keys WHERE retired_at IS NULL ORDER BY kid FOR UPDATE;

-- signing_key_retire(kid text) :exec gives rows
-- as owner
UPDATE signing_keys SET retired_at = now()
WHERE kid = :kid AND retired_at IS NULL;

-- Those of one use, newest first.
-- secret_list(name text) :many gives Secret
SELECT name, kid, value, created_at, retired_at
FROM secrets
WHERE name = :name
ORDER BY created_at DESC, kid;

-- secret_insert(name text, kid text, value bytea) :exec
-- as owner
INSERT INTO secrets (name, kid, value)
VALUES (:name, :kid, :value);
