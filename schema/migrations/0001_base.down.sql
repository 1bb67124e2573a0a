-- The role postern_app stays: other databases of the cluster may use it.

DROP VIEW schema_facts;
REVOKE SELECT ON schema_migrations FROM postern_app;
