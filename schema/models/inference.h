#pragma once

/* Models behind inference servers, as rows and as those who may write them see them. */

#include "common/model.h"

typedef enum ModelKind { MODEL_KSERVE_V2, MODEL_KSERVE_V1, MODEL_TORCHSERVE } ModelKind;
extern const char *const model_kind_names[];

typedef enum ModelStatus { MODEL_ACTIVE, MODEL_DISABLED } ModelStatus;
extern const char *const model_status_names[];

typedef struct ModelKey {
	Str name;
} ModelKey;
MODEL_OF(ModelKey);

/* The whole row: endpoints are told to those who may write models, and to nobody else. */
typedef struct InferModel {
	Str name;
	ModelKind kind;
	StrList endpoints;
	Str upstream_name;
	OptStr upstream_version;
	int64_t timeout_ms, max_attempts, max_concurrency;
	OptInt daily_quota;
	int64_t cache_ttl_s;
	Str permission;
	ModelStatus status;
	OptJson inputs, outputs; /* [{name, datatype, shape}], what the upstream does not tell */
	bool retry_on_timeout;
	OptStr credential;       /* name of a secret in the configuration */
	int64_t version;
	Instant created_at, updated_at;
} InferModel;
MODEL_OF(InferModel);

/* The same as it is put. Without upstream_name it is name. */
typedef struct ModelPut {
	Str name;
	ModelKind kind;
	StrList endpoints;
	OptStr upstream_name, upstream_version;
	int64_t timeout_ms, max_attempts, max_concurrency;
	OptInt daily_quota;
	int64_t cache_ttl_s;
	Str permission;
	ModelStatus status;
	OptJson inputs, outputs;
	bool retry_on_timeout;
	OptStr credential;
} ModelPut;
MODEL_OF(ModelPut);

/* One of the models that a caller may use. */
typedef struct ModelSummary {
	Str name;
	ModelKind kind;
	ModelStatus status;
	int64_t timeout_ms;
	OptInt daily_quota;
	OptJson inputs, outputs;
} ModelSummary;
MODEL_OF(ModelSummary);

typedef struct ModelList {
	List items; /* of ModelSummary */
} ModelList;
MODEL_OF(ModelList);
