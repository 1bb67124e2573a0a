#include "schema/models/inference.h"

const char *const model_kind_names[] = { "kserve_v2", "kserve_v1", "torchserve", NULL };
const char *const model_status_names[] = { "active", "disabled", NULL };

/* clang-format off */
MODEL(ModelKey,
	FIELD(ModelKey, name, .from = FROM_PATH, .required = true, .min = 1, .max = 128));

MODEL(InferModel,
	FIELD(InferModel, name,             .required = true),
	FIELD(InferModel, kind,             .required = true, .names = model_kind_names),
	FIELD(InferModel, endpoints,        .required = true),
	FIELD(InferModel, upstream_name,    .required = true),
	FIELD(InferModel, upstream_version, .required = true, .nullable = true),
	FIELD(InferModel, timeout_ms,       .required = true),
	FIELD(InferModel, max_attempts,     .required = true),
	FIELD(InferModel, max_concurrency,  .required = true),
	FIELD(InferModel, daily_quota,      .required = true, .nullable = true),
	FIELD(InferModel, cache_ttl_s,      .required = true),
	FIELD(InferModel, permission,       .required = true),
	FIELD(InferModel, status,           .required = true, .names = model_status_names),
	FIELD(InferModel, inputs,           .required = true, .nullable = true),
	FIELD(InferModel, outputs,          .required = true, .nullable = true),
	FIELD(InferModel, retry_on_timeout, .required = true),
	FIELD(InferModel, credential,       .required = true, .nullable = true),
	FIELD(InferModel, version,          .required = true),
	FIELD(InferModel, created_at,       .required = true),
	FIELD(InferModel, updated_at,       .required = true));

MODEL(ModelPut,
	FIELD(ModelPut, name,             .from = FROM_PATH, .required = true, .min = 1, .max = 128),
	FIELD(ModelPut, kind,             .required = true, .names = model_kind_names),
	FIELD(ModelPut, endpoints,        .required = true, .min = 1, .max = 16, .item_max = 512, .about = "URLs, http or https"),
	FIELD(ModelPut, upstream_name,    .nullable = true, .min = 1, .max = 128, .about = "its name there; by default the same"),
	FIELD(ModelPut, upstream_version, .nullable = true, .min = 1, .max = 64),
	FIELD(ModelPut, timeout_ms,       .min = 1, .max = 600000, .initial = "10000", .about = "for all attempts together"),
	FIELD(ModelPut, max_attempts,     .min = 1, .max = 10, .initial = "2"),
	FIELD(ModelPut, max_concurrency,  .min = 1, .max = 512, .initial = "4", .about = "workers of a host that may wait for it at once"),
	FIELD(ModelPut, daily_quota,      .nullable = true, .max = INT64_C(9007199254740991), .about = "calls of a user in a UTC day"),
	FIELD(ModelPut, cache_ttl_s,      .max = 86400, .initial = "0"),
	FIELD(ModelPut, permission,       .min = 1, .max = 64, .initial = "\"models:infer\""),
	FIELD(ModelPut, status,           .names = model_status_names, .initial = "\"active\""),
	FIELD(ModelPut, inputs,           .nullable = true, .about = "[{name, datatype, shape}]"),
	FIELD(ModelPut, outputs,          .nullable = true, .about = "[{name, datatype, shape}]"),
	FIELD(ModelPut, retry_on_timeout, .initial = "false"),
	FIELD(ModelPut, credential,       .nullable = true, .min = 1, .max = 64, .about = "name of a secret in the configuration"));

MODEL(ModelSummary,
	FIELD(ModelSummary, name,        .required = true),
	FIELD(ModelSummary, kind,        .required = true, .names = model_kind_names),
	FIELD(ModelSummary, status,      .required = true, .names = model_status_names),
	FIELD(ModelSummary, timeout_ms,  .required = true),
	FIELD(ModelSummary, daily_quota, .required = true, .nullable = true),
	FIELD(ModelSummary, inputs,      .required = true, .nullable = true),
	FIELD(ModelSummary, outputs,     .required = true, .nullable = true));

MODEL(ModelList,
	FIELD_OF(ModelList, items, ModelSummary, .required = true));
/* clang-format on */
