-- What is to be done outside the database if, and only if, a transaction commits: sending a mail. A
-- row is put in that transaction; a keeper takes it up when it is due, does it outside any transaction
-- and writes down how it went.
--
-- Whoever takes a row moves its due_at behind the end of the attempt and counts attempts up, so that
-- no other takes it meanwhile, and a row whose keeper is killed is due again by itself. Workers and
-- keepers log in as the same role.

CREATE TABLE outbox (
	id         uuid PRIMARY KEY,
	kind       text NOT NULL,
	payload    jsonb NOT NULL CONSTRAINT outbox_payload_object CHECK (jsonb_typeof(payload) = 'object'),
	created_at timestamptz NOT NULL DEFAULT now(),
	due_at     timestamptz NOT NULL DEFAULT now(),
	attempts   bigint NOT NULL DEFAULT 0,
	tried_at   timestamptz,                      -- when the last attempt began
	last_error text,
	done_at    timestamptz,
	gave_up_at timestamptz,
	CONSTRAINT outbox_ended_once CHECK (done_at IS NULL OR gave_up_at IS NULL)
);

CREATE INDEX outbox_due_idx ON outbox (due_at) WHERE done_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX outbox_ended_idx ON outbox (coalesce(done_at, gave_up_at));

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO postern_app;
