#include "schema/models/models.h"

const char *const model_kind_names[] = { "kserve_v2", "kserve_v1", "torchserve", NULL };
const char *const model_status_names[] = { "active", "disabled", NULL };

#define DATATYPES "BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64 or BYTES"
#define TEXT_OF(word) TEXT(word)
#define TEXT(word) #word
#define WRITERS "null for those who may not change it"

/* clang-format off */
MODEL(ModelKey,
	FIELD(ModelKey, name, .from = FROM_PATH, .required = true, .min = 1, .max = 128));

MODEL(TensorSpec,
	FIELD(TensorSpec, name,     .required = true, .min = 1, .max = 256),
	FIELD(TensorSpec, datatype, .required = true, .min = 1, .about = DATATYPES),
	FIELD(TensorSpec, shape,    .required = true, .max = 32, .about = "lengths; -1 is any"));

MODEL(InferModel,
	FIELD(InferModel, name,             .required = true),
	FIELD(InferModel, kind,             .required = true, .names = model_kind_names),
	FIELD(InferModel, endpoints,        .required = true, .nullable = true, .about = WRITERS),
	FIELD(InferModel, upstream_name,    .required = true, .nullable = true, .about = WRITERS),
	FIELD(InferModel, upstream_version, .required = true, .nullable = true),
	FIELD(InferModel, timeout_ms,       .required = true),
	FIELD(InferModel, max_attempts,     .required = true),
	FIELD(InferModel, max_concurrency,  .required = true),
	FIELD(InferModel, daily_quota,      .required = true, .nullable = true),
	FIELD(InferModel, cache_ttl_s,      .required = true),
	FIELD(InferModel, permission,       .required = true),
	FIELD(InferModel, status,           .required = true, .names = model_status_names),
	FIELD_OF(InferModel, inputs, TensorSpec,  .required = true, .nullable = true, .about = "as declared, else as its server tells them; null: not known"),
	FIELD_OF(InferModel, outputs, TensorSpec, .required = true, .nullable = true, .about = "as declared, else as its server tells them; null: not known"),
	FIELD(InferModel, retry_on_timeout, .required = true),
	FIELD(InferModel, credential,       .required = true, .nullable = true),
	FIELD(InferModel, version,          .required = true),
	FIELD(InferModel, created_at,       .required = true),
	FIELD(InferModel, updated_at,       .required = true));

MODEL(ModelPut,
	FIELD(ModelPut, name,             .from = FROM_PATH, .required = true, .min = 1, .max = 128),
	FIELD(ModelPut, kind,             .required = true, .names = model_kind_names, .about = "kserve_v2 is the one that is served"),
	FIELD(ModelPut, endpoints,        .required = true, .min = 1, .max = 16, .item_max = 512, .format = FORMAT_URL, .about = "URLs, http or https, in the order of preference"),
	FIELD(ModelPut, upstream_name,    .nullable = true, .min = 1, .max = 128, .about = "its name there; by default the same"),
	FIELD(ModelPut, upstream_version, .nullable = true, .min = 1, .max = 64),
	FIELD(ModelPut, timeout_ms,       .min = 1, .max = 600000, .initial = "10000", .about = "for a call with all its attempts"),
	FIELD(ModelPut, max_attempts,     .min = 1, .max = 10, .initial = "2"),
	FIELD(ModelPut, max_concurrency,  .min = 1, .max = 512, .initial = TEXT_OF(MODEL_CONCURRENCY), .about = "workers of a host that may wait for it at once; another than the default is not served yet"),
	FIELD(ModelPut, daily_quota,      .nullable = true, .max = INT64_C(9007199254740991), .about = "calls of a user in a UTC day; null is the one that is served"),
	FIELD(ModelPut, cache_ttl_s,      .max = 86400, .initial = "0", .about = "0 is the one that is served: no answer is kept"),
	FIELD(ModelPut, permission,       .min = 3, .max = 64, .initial = "\"models:infer\"", .about = "what a caller must hold, noun:verb"),
	FIELD(ModelPut, status,           .names = model_status_names, .initial = "\"active\""),
	FIELD_OF(ModelPut, inputs, TensorSpec,  .nullable = true, .max = 131072, .about = "null or none: as its server tells them"),
	FIELD_OF(ModelPut, outputs, TensorSpec, .nullable = true, .max = 131072, .about = "null or none: as its server tells them"),
	FIELD(ModelPut, retry_on_timeout, .initial = "false", .about = "false is the one that is served"),
	FIELD(ModelPut, credential,       .nullable = true, .min = 1, .max = 64, .about = "name of a secret in the configuration; null is the one that is served"));

MODEL(ModelFilter,
	FIELD(ModelFilter, limit,  .from = FROM_QUERY, .min = 1, .max = 100, .initial = "20"),
	FIELD(ModelFilter, cursor, .from = FROM_QUERY, .about = "next_cursor of the page before"));

MODEL(ModelPage,
	FIELD_OF(ModelPage, items, InferModel, .required = true),
	FIELD(ModelPage, next_cursor, .required = true, .nullable = true));

MODEL(InferTensor,
	FIELD(InferTensor, name,       .required = true, .min = 1),
	FIELD(InferTensor, datatype,   .required = true, .about = DATATYPES),
	FIELD(InferTensor, shape,      .required = true, .max = 32),
	FIELD(InferTensor, parameters, .nullable = true, .object = true, .sparse = true),
	FIELD(InferTensor, data,       .required = true, .about = "row-major, flat or nested as the shape says"));

MODEL(InferWanted,
	FIELD(InferWanted, name,       .required = true, .min = 1),
	FIELD(InferWanted, parameters, .nullable = true, .object = true));

MODEL(InferIn,
	FIELD(InferIn, id,         .nullable = true, .about = "comes back in the answer"),
	FIELD(InferIn, parameters, .nullable = true, .object = true),
	FIELD_OF(InferIn, inputs, InferTensor,  .required = true, .min = 1, .max = 256),
	FIELD_OF(InferIn, outputs, InferWanted, .max = 256, .about = "those that are wanted; absent: all"));

MODEL(InferOut,
	FIELD(InferOut, model_name,    .nullable = true, .sparse = true),
	FIELD(InferOut, model_version, .nullable = true, .sparse = true),
	FIELD(InferOut, id,            .nullable = true, .sparse = true),
	FIELD(InferOut, parameters,    .nullable = true, .sparse = true, .object = true),
	FIELD_OF(InferOut, outputs, InferTensor, .required = true));
/* clang-format on */
