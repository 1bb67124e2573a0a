-- Models behind inference servers: one row puts one behind accounts, permissions and deadlines.
-- Endpoints come from here and nowhere else. credential is the name of a secret in the
-- configuration, never the secret.

CREATE TYPE model_kind AS ENUM ('kserve_v2', 'kserve_v1', 'torchserve');
CREATE TYPE model_status AS ENUM ('active', 'disabled');

CREATE TABLE models (
	name             text COLLATE "C" PRIMARY KEY CONSTRAINT models_name_form CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
	kind             model_kind NOT NULL,
	endpoints        text[] NOT NULL
		CONSTRAINT models_endpoints_nulls CHECK (array_position(endpoints, NULL) IS NULL)
		CONSTRAINT models_endpoints_some CHECK (cardinality(endpoints) >= 1),
	upstream_name    text NOT NULL,
	upstream_version text,
	timeout_ms       bigint NOT NULL CONSTRAINT models_timeout_range CHECK (timeout_ms >= 1),
	max_attempts     bigint NOT NULL CONSTRAINT models_attempts_range CHECK (max_attempts >= 1),
	max_concurrency  bigint NOT NULL CONSTRAINT models_concurrency_range CHECK (max_concurrency >= 1),
	daily_quota      bigint CONSTRAINT models_quota_range CHECK (daily_quota >= 0),
	cache_ttl_s      bigint NOT NULL DEFAULT 0 CONSTRAINT models_cache_range CHECK (cache_ttl_s >= 0),
	permission       text NOT NULL,
	status           model_status NOT NULL DEFAULT 'active',
	inputs           jsonb CONSTRAINT models_inputs_array CHECK (jsonb_typeof(inputs) = 'array'),
	outputs          jsonb CONSTRAINT models_outputs_array CHECK (jsonb_typeof(outputs) = 'array'),
	retry_on_timeout boolean NOT NULL DEFAULT false,
	credential       text,
	version          bigint NOT NULL DEFAULT 1,
	created_at       timestamptz NOT NULL DEFAULT now(),
	updated_at       timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON models TO postern_app;
