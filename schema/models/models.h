#pragma once

/*
 * Models behind inference servers, as rows and as clients see them, and what is said to one and
 * by one in the Open Inference Protocol v2.
 */

#include "common/model.h"

typedef enum ModelKind { MODEL_KSERVE_V2, MODEL_KSERVE_V1, MODEL_TORCHSERVE } ModelKind;
extern const char *const model_kind_names[];

typedef enum ModelStatus { MODEL_ACTIVE, MODEL_DISABLED } ModelStatus;
extern const char *const model_status_names[];

#define MODEL_CONCURRENCY 4 /* the max_concurrency that is taken while nothing bounds calls */

typedef struct ModelKey {
	Str name;
} ModelKey;
MODEL_OF(ModelKey);

/* A tensor as it is declared, by us or by the server; a length of -1 is any. */
typedef struct TensorSpec {
	Str name, datatype;
	IntList shape;
} TensorSpec;
MODEL_OF(TensorSpec);

/*
 * The whole row. Endpoints, upstream's names and credential are told to those who may write
 * models, and are null for everybody else.
 */
typedef struct InferModel {
	Str name;
	ModelKind kind;
	OptStrList endpoints;
	OptStr upstream_name, upstream_version;
	int64_t timeout_ms, max_attempts, max_concurrency;
	OptInt daily_quota;
	int64_t cache_ttl_s;
	Str permission;
	ModelStatus status;
	OptJson inputs, outputs; /* of TensorSpec: what the upstream does not tell */
	bool retry_on_timeout;
	OptStr credential; /* name of a secret in the configuration */
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

typedef struct ModelFilter {
	int64_t limit;
	OptStr cursor;
} ModelFilter;
MODEL_OF(ModelFilter);

typedef struct ModelPage {
	List items; /* of InferModel */
	OptStr next_cursor;
} ModelPage;
MODEL_OF(ModelPage);

/*
 * The protocol's own shapes, for the documents: such bodies are scanned, not read into structs.
 */
typedef struct InferTensor {
	Str name, datatype;
	IntList shape;
	OptJson parameters;
	Json data;
} InferTensor;
MODEL_OF(InferTensor);

typedef struct InferWanted {
	Str name;
	OptJson parameters;
} InferWanted;
MODEL_OF(InferWanted);

typedef struct InferIn {
	OptStr id;
	OptJson parameters;
	List inputs;  /* of InferTensor */
	List outputs; /* of InferWanted */
} InferIn;
MODEL_OF(InferIn);

typedef struct InferOut {
	OptStr model_name, model_version, id;
	OptJson parameters;
	List outputs; /* of InferTensor */
} InferOut;
MODEL_OF(InferOut);
