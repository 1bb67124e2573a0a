-- Models behind inference servers.

-- A page in the order of names, after one of them. permissions: those of a caller who may not write
-- models, and sees what is active and his to use; a writer sees all.
-- model_list(after text?, permissions text[]?, count bigint) :many gives InferModel
SELECT name, kind, endpoints, upstream_name, upstream_version, timeout_ms, max_attempts, max_concurrency,
	daily_quota, cache_ttl_s, permission, status, inputs, outputs, retry_on_timeout, credential, version,
	created_at, updated_at
FROM models
WHERE true
	/*? after */ AND name > :after /*?*/
	/*? permissions */ AND status = 'active' AND permission = ANY (:permissions) /*?*/
ORDER BY name
LIMIT :count;

-- model_get(name text) :one else not_found gives InferModel
SELECT name, kind, endpoints, upstream_name, upstream_version, timeout_ms, max_attempts, max_concurrency,
	daily_quota, cache_ttl_s, permission, status, inputs, outputs, retry_on_timeout, credential, version,
	created_at, updated_at
FROM models
WHERE name = :name;

-- The same, and nobody else changes it before this transaction ends.
-- model_lock(name text) :maybe gives InferModel
SELECT name, kind, endpoints, upstream_name, upstream_version, timeout_ms, max_attempts, max_concurrency,
	daily_quota, cache_ttl_s, permission, status, inputs, outputs, retry_on_timeout, credential, version,
	created_at, updated_at
FROM models
WHERE name = :name
FOR UPDATE;

-- A new one has version 1.
-- model_put() :one takes ModelPut gives InferModel
-- check models_name_form: validation_failed /name format
-- check models_inputs_array: validation_failed /inputs type
-- check models_outputs_array: validation_failed /outputs type
INSERT INTO models (name, kind, endpoints, upstream_name, upstream_version, timeout_ms, max_attempts,
	max_concurrency, daily_quota, cache_ttl_s, permission, status, inputs, outputs, retry_on_timeout, credential)
VALUES (:name, :kind, :endpoints, coalesce(:upstream_name, :name), :upstream_version, :timeout_ms, :max_attempts,
	:max_concurrency, :daily_quota, :cache_ttl_s, :permission, :status, :inputs, :outputs, :retry_on_timeout,
	:credential)
ON CONFLICT (name) DO UPDATE SET
	kind = excluded.kind,
	endpoints = excluded.endpoints,
	upstream_name = excluded.upstream_name,
	upstream_version = excluded.upstream_version,
	timeout_ms = excluded.timeout_ms,
	max_attempts = excluded.max_attempts,
	max_concurrency = excluded.max_concurrency,
	daily_quota = excluded.daily_quota,
	cache_ttl_s = excluded.cache_ttl_s,
	permission = excluded.permission,
	status = excluded.status,
	inputs = excluded.inputs,
	outputs = excluded.outputs,
	retry_on_timeout = excluded.retry_on_timeout,
	credential = excluded.credential,
	version = models.version + 1,
	updated_at = now()
RETURNING name, kind, endpoints, upstream_name, upstream_version, timeout_ms, max_attempts, max_concurrency,
	daily_quota, cache_ttl_s, permission, status, inputs, outputs, retry_on_timeout, credential, version,
	created_at, updated_at;

-- model_delete(name text) :one else not_found gives text
DELETE FROM models
WHERE name = :name
RETURNING name;
