-- What is to be done when a transaction has committed, and how far it is. Times are the database's.

-- outbox_insert() :exec takes OutboxNew
INSERT INTO outbox (id, kind, payload)
VALUES (:id, :kind, :payload);

-- Say to the keepers of all hosts, when this transaction commits, that something was put: "o:" and its kind.
-- outbox_tell(words text) :exec
SELECT pg_notify('postern_epochs', :words);

-- Take up the row that has been due for longest, of these kinds: it is nobody else's until the lease is over.
-- outbox_take(kinds text[], lease_ms bigint) :maybe gives OutboxItem
UPDATE outbox SET attempts = attempts + 1, tried_at = now(),
	due_at = now() + :lease_ms::bigint * interval '1 millisecond'
WHERE id = (
	SELECT due.id
	FROM outbox AS due
	WHERE due.done_at IS NULL AND due.gave_up_at IS NULL AND due.due_at <= now() AND due.kind = ANY (:kinds)
	ORDER BY due.due_at
	LIMIT 1
	FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, payload, attempts, created_at;

-- When the next row of these kinds is due, and how many of other kinds are.
-- outbox_next(kinds text[]) :one gives OutboxNext
SELECT ceil(extract(epoch FROM min(due_at) FILTER (WHERE kind = ANY (:kinds)) - now()) * 1000)::bigint AS "left_ms?",
	count(*) FILTER (WHERE NOT kind = ANY (:kinds)) AS "waiting!"
FROM outbox
WHERE done_at IS NULL AND gave_up_at IS NULL;

-- It is done, and its payload forgotten: that may hold what nobody else should read. attempts, here and
-- below: as it was taken up; no rows when somebody else has done so since.
-- outbox_done(id uuid, attempts bigint) :exec gives rows
UPDATE outbox SET done_at = now(), payload = '{}', last_error = NULL
WHERE id = :id AND attempts = :attempts AND done_at IS NULL AND gave_up_at IS NULL;

-- outbox_later(id uuid, attempts bigint, wait_ms bigint, words text) :exec gives rows
UPDATE outbox SET due_at = now() + :wait_ms::bigint * interval '1 millisecond', last_error = :words
WHERE id = :id AND attempts = :attempts AND done_at IS NULL AND gave_up_at IS NULL;

-- outbox_give_up(id uuid, attempts bigint, words text) :exec gives rows
UPDATE outbox SET gave_up_at = now(), last_error = :words
WHERE id = :id AND attempts = :attempts AND done_at IS NULL AND gave_up_at IS NULL;

-- outbox_state(id uuid) :maybe gives OutboxState
SELECT attempts, last_error, done_at, gave_up_at
FROM outbox
WHERE id = :id;

-- One row a kind. last_error: of the latest attempt that has one.
-- outbox_count() :many gives OutboxCount
SELECT kind,
	count(*) FILTER (WHERE done_at IS NULL AND gave_up_at IS NULL) AS "waiting!",
	min(created_at) FILTER (WHERE done_at IS NULL AND gave_up_at IS NULL) AS "oldest_at?",
	count(done_at) AS "done!",
	count(gave_up_at) AS "gave_up!",
	(array_agg(last_error ORDER BY tried_at DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS "last_error?"
FROM outbox
GROUP BY kind
ORDER BY kind;

-- Take away a batch of those that ended so long ago. Several hosts may do so at once.
-- outbox_expire(keep_s bigint, n bigint) :exec gives rows
DELETE FROM outbox
WHERE id IN (
	SELECT old.id
	FROM outbox AS old
	WHERE coalesce(old.done_at, old.gave_up_at) < now() - :keep_s::bigint * interval '1 second'
	ORDER BY coalesce(old.done_at, old.gave_up_at)
	LIMIT :n
	FOR UPDATE SKIP LOCKED
);
