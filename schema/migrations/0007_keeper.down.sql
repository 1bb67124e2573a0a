-- Sessions stay again, whether or not they have ended.

REVOKE DELETE ON sessions FROM postern_app;

DROP INDEX sessions_idle_idx;
