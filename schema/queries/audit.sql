-- The trail: rows come, and none goes.

-- audit_insert(id uuid) :exec takes AuditNew
INSERT INTO audit (id, actor_id, action, target, address, user_agent, request_id, detail)
VALUES (:id, :actor_id, :action, :target, :address, :user_agent, :request_id, coalesce(:detail::jsonb, '{}'));
