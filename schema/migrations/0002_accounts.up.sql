-- Who may come in: users, what their roles permit, and one row a session.
--
-- An e-mail address is kept as it was typed and is unique whatever its case. Roles are data; the
-- permissions they may name are those of schema/permissions.def. A session has the columns of the
-- refresh-token state machine: gen is the generation handed out last, acked_at proves that the
-- client received it, kid names the key its refresh tokens are signed with.

CREATE TYPE user_status AS ENUM ('active', 'disabled', 'unverified');

CREATE TABLE users (
	id            uuid PRIMARY KEY,
	email         text NOT NULL,
	password_hash text,                         -- NULL: no password set yet, no login by one
	display_name  text,
	locale        text,
	status        user_status NOT NULL DEFAULT 'active',
	version       bigint NOT NULL DEFAULT 1,
	created_at    timestamptz NOT NULL DEFAULT now(),
	updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE INDEX users_created_idx ON users (created_at, id);

CREATE TABLE roles (
	name        text PRIMARY KEY CONSTRAINT roles_name_form CHECK (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
	permissions text[] NOT NULL CONSTRAINT roles_permissions_nulls CHECK (array_position(permissions, NULL) IS NULL),
	version     bigint NOT NULL DEFAULT 1,
	created_at  timestamptz NOT NULL DEFAULT now(),
	updated_at  timestamptz NOT NULL DEFAULT now()
);

INSERT INTO roles (name, permissions) VALUES
	('admin', '{users:read,users:write,roles:write,audit:read,products:write,models:infer,models:write,channels:write,ops:read}'),
	('editor', '{products:write,models:infer}'),
	('user', '{models:infer}');

CREATE TABLE user_roles (
	user_id uuid NOT NULL CONSTRAINT user_roles_user_fkey REFERENCES users ON DELETE CASCADE,
	role    text NOT NULL CONSTRAINT user_roles_role_fkey REFERENCES roles,
	PRIMARY KEY (user_id, role)
);

CREATE INDEX user_roles_role_idx ON user_roles (role);

CREATE TABLE sessions (
	id                  uuid PRIMARY KEY,
	user_id             uuid NOT NULL CONSTRAINT sessions_user_fkey REFERENCES users ON DELETE CASCADE,
	kid                 text NOT NULL,
	gen                 bigint NOT NULL DEFAULT 1,
	acked_at            timestamptz,
	handed_at           timestamptz NOT NULL DEFAULT now(),
	replays             bigint NOT NULL DEFAULT 0,
	created_at          timestamptz NOT NULL DEFAULT now(),
	idle_expires_at     timestamptz NOT NULL,
	absolute_expires_at timestamptz NOT NULL,
	revoked_at          timestamptz,
	revoke_reason       text,
	address             text,
	user_agent          text,
	amr                 text[] NOT NULL DEFAULT '{pwd}' CONSTRAINT sessions_amr_nulls CHECK (array_position(amr, NULL) IS NULL),
	auth_time           timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX sessions_user_idx ON sessions (user_id);
CREATE INDEX sessions_expiry_idx ON sessions (absolute_expires_at);

GRANT SELECT, INSERT, UPDATE ON users TO postern_app;
GRANT SELECT ON roles TO postern_app;
GRANT SELECT, INSERT, DELETE ON user_roles TO postern_app;
GRANT SELECT, INSERT, UPDATE ON sessions TO postern_app;
