-- Who did what. Append-only also for the role that the workers use: it may insert and read, and has
-- no UPDATE, DELETE or TRUNCATE. actor_id refers to no row, since the trail outlives its users.

CREATE TABLE audit (
	id         uuid PRIMARY KEY,
	at         timestamptz NOT NULL DEFAULT now(),
	actor_id   uuid,
	action     text NOT NULL,
	target     text,
	address    text,
	user_agent text,
	request_id text,
	detail     jsonb NOT NULL DEFAULT '{}' CONSTRAINT audit_detail_object CHECK (jsonb_typeof(detail) = 'object')
);

CREATE INDEX audit_at_idx ON audit (at, id);

GRANT SELECT, INSERT ON audit TO postern_app;
