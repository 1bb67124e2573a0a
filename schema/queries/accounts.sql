-- Users and what their roles permit. An address is the same whatever its case.

-- A user and its roles, all or nothing.
-- user_insert() :one takes UserNew gives User
-- unique users_email_key: email_taken
-- foreign user_roles_role_fkey: validation_failed /roles not_allowed
WITH made AS (
	INSERT INTO users (id, email, password_hash, display_name, locale, status)
	VALUES (:id, :email, :password_hash, :display_name, :locale, :status)
	RETURNING id, email, display_name, locale, status, version, created_at, updated_at
), held AS (
	INSERT INTO user_roles (user_id, role)
	SELECT made.id, named.role FROM made, unnest(:roles::text[]) AS named (role)
)
SELECT id, email, display_name, locale, status, :roles::text[] AS "roles!", version, created_at, updated_at
FROM made;

-- user_get(id uuid) :one else not_found gives User
SELECT id, email, display_name, locale, status,
	ARRAY(SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role) AS "roles!",
	version, created_at, updated_at
FROM users
WHERE id = :id;

-- user_by_email(email text) :one else not_found gives User
SELECT id, email, display_name, locale, status,
	ARRAY(SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role) AS "roles!",
	version, created_at, updated_at
FROM users
WHERE lower(email) = lower(:email);

-- All, oldest first.
-- user_list() :each gives User
SELECT id, email, display_name, locale, status,
	ARRAY(SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role) AS "roles!",
	version, created_at, updated_at
FROM users
ORDER BY created_at, id;

-- user_login(email text) :maybe gives Credentials
SELECT id, password_hash, status
FROM users
WHERE lower(email) = lower(:email);

-- Another hash of the same password, unless the password was changed meanwhile.
-- user_rehash(id uuid, before text, after text) :exec
UPDATE users SET password_hash = :after
WHERE id = :id AND password_hash = :before;

-- user_disable(email text) :one else not_found gives uuid
UPDATE users SET status = 'disabled', version = version + 1, updated_at = now()
WHERE lower(email) = lower(:email)
RETURNING id;
