-- Sessions. Times are the database's, so that hosts with different clocks agree on them.

-- session_insert(idle_s bigint, absolute_s bigint) :one takes SessionNew gives Session
INSERT INTO sessions (id, user_id, kid, address, user_agent, amr, idle_expires_at, absolute_expires_at)
VALUES (:id, :user_id, :kid, :address, :user_agent, :amr,
	now() + least(:idle_s::bigint, :absolute_s::bigint) * interval '1 second',
	now() + :absolute_s::bigint * interval '1 second')
RETURNING id, user_id, kid, gen, acked_at, handed_at, replays, created_at, idle_expires_at,
	absolute_expires_at, revoked_at, revoke_reason, address, user_agent, amr, auth_time;

-- session_get(id uuid) :maybe gives Session
SELECT id, user_id, kid, gen, acked_at, handed_at, replays, created_at, idle_expires_at,
	absolute_expires_at, revoked_at, revoke_reason, address, user_agent, amr, auth_time
FROM sessions
WHERE id = :id;

-- What a request may do. roles: those that its token names; a right has to come from a role that the
-- user still has, too. No row: there is no such session.
-- session_rights(id uuid, roles text[]) :maybe gives SessionRights
SELECT s.user_id, u.status, s.gen, s.acked_at IS NOT NULL AS "acked!",
	(s.revoked_at IS NOT NULL OR s.idle_expires_at <= now() OR s.absolute_expires_at <= now()) AS "ended!",
	(extract(epoch FROM least(s.idle_expires_at, s.absolute_expires_at) - now()) * 1000)::bigint AS "left_ms!",
	ARRAY(
		SELECT p.permission
		FROM user_roles AS h
		JOIN roles AS r ON r.name = h.role
		CROSS JOIN unnest(r.permissions) AS p (permission)
		WHERE h.user_id = s.user_id AND h.role = ANY (:roles)
	) AS "permissions!"
FROM sessions AS s
JOIN users AS u ON u.id = s.user_id
WHERE s.id = :id;

-- The first use of a generation proves that the client received it.
-- session_ack(id uuid, gen bigint) :exec
UPDATE sessions SET acked_at = now()
WHERE id = :id AND gen = :gen AND acked_at IS NULL;

-- session_revoke(id uuid, reason text) :exec gives rows
UPDATE sessions SET revoked_at = now(), revoke_reason = :reason
WHERE id = :id AND revoked_at IS NULL;

-- All of a user's, but for the one that is kept.
-- session_revoke_all(user_id uuid, keep uuid?, reason text) :exec gives rows
UPDATE sessions SET revoked_at = now(), revoke_reason = :reason
WHERE user_id = :user_id AND revoked_at IS NULL /*? keep */ AND id <> :keep /*?*/;

-- Take away a batch of those that ended so long ago. Several hosts may do so at once.
-- sessions_expire(keep_s bigint, n bigint) :exec gives rows
DELETE FROM sessions
WHERE id IN (
	SELECT old.id
	FROM sessions AS old
	WHERE old.idle_expires_at < now() - :keep_s::bigint * interval '1 second'
	ORDER BY old.idle_expires_at
	LIMIT :n
	FOR UPDATE SKIP LOCKED
);
