-- What a worker asks before it serves.

-- Is the schema what the statements were checked against? facts: lines of schema_facts.
-- schema_state(facts text[]) :one gives SchemaState
SELECT (SELECT coalesce(max(version), 0) FROM schema_migrations) AS "migration!",
	(SELECT wanted.fact FROM unnest(:facts::text[]) AS wanted (fact)
		WHERE NOT EXISTS (SELECT FROM schema_facts AS s WHERE s.fact = wanted.fact)
		ORDER BY wanted.fact LIMIT 1) AS "missing?";

-- Say to the keepers of all hosts, when this transaction commits, that something has changed on which
-- rights depend: "s:", "u:", "k:" or "r:" and the id of a session, user, key or role.
-- epoch_tell(words text) :exec
SELECT pg_notify('postern_epochs', :words);
