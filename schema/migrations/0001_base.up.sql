-- What the program itself stands on: the role that workers belong to, and the view by which a
-- worker sees at its start that the database still has what its statements were checked against.
--
-- Workers log in as a member of postern_app. It owns nothing and is granted, table by table, what
-- the queries need. Roles belong to the whole cluster, so it stays when this is taken back; who may
-- not create roles finds it made beforehand (CREATE ROLE postern_app NOLOGIN).

DO $$
BEGIN
	IF to_regrole('postern_app') IS NULL THEN
		CREATE ROLE postern_app NOLOGIN;
	END IF;
EXCEPTION
	WHEN duplicate_object OR unique_violation THEN
		NULL; -- made by another database's migration in the same moment
END
$$;

GRANT SELECT ON schema_migrations TO postern_app;

-- One line of text a fact. qgen writes those that a statement depends on into queries.lock.
CREATE VIEW schema_facts (fact) AS
SELECT format('table %s', c.relname)
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = to_regnamespace(current_schema()::text) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT format('column %s.%s %s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
	CASE WHEN a.attnotnull THEN ' not null' ELSE '' END)
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = to_regnamespace(current_schema()::text) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT format('enum %s %s', t.typname, string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder))
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_enum AS e ON e.enumtypid = t.oid
WHERE t.typnamespace = to_regnamespace(current_schema()::text)
GROUP BY t.oid, t.typname
UNION ALL
SELECT format('%s %s on %s', CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign'
	WHEN 'x' THEN 'exclude' ELSE 'unique' END, k.conname, c.relname)
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
WHERE k.connamespace = to_regnamespace(current_schema()::text) AND k.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT format('unique %s on %s', i.relname, c.relname)
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
WHERE c.relnamespace = to_regnamespace(current_schema()::text) AND x.indisunique
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = x.indexrelid
		AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT format('function %s(%s) %s', p.proname, pg_get_function_identity_arguments(p.oid),
	pg_get_function_result(p.oid))
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = to_regnamespace(current_schema()::text);

GRANT SELECT ON schema_facts TO postern_app;
