-- The keeper takes sessions away some time after their end, the oldest first. idle_expires_at is
-- never later than absolute_expires_at, so it alone says when a session ends.

CREATE INDEX sessions_idle_idx ON sessions (idle_expires_at);

GRANT DELETE ON sessions TO postern_app;
