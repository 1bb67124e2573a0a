#include "schema/models/products.h"

#define AMOUNT_MAX INT64_C(9007199254740991) /* 2^53 - 1 */

const char *const product_status_names[] = { "draft", "active", "archived", NULL };

const char *const product_sort_names[] = {
	"created_at", "-created_at", "name", "-name", "price", "-price", NULL,
};

/* clang-format off */
MODEL(ProductKey,
	FIELD(ProductKey, id, .from = FROM_PATH, .required = true));

MODEL(Product,
	FIELD(Product, id,          .required = true),
	FIELD(Product, sku,         .required = true, .about = "stock keeping unit, unique"),
	FIELD(Product, name,        .required = true),
	FIELD(Product, description, .required = true),
	FIELD_OF(Product, price, Money, .required = true),
	FIELD(Product, stock,       .required = true, .about = "pieces at hand"),
	FIELD(Product, status,      .required = true, .names = product_status_names),
	FIELD(Product, tags,        .required = true),
	FIELD(Product, attributes,  .required = true, .object = true, .about = "whatever the shop keeps about it"),
	FIELD(Product, version,     .required = true, .about = "rises by one with each change; its ETag"),
	FIELD(Product, created_at,  .required = true),
	FIELD(Product, updated_at,  .required = true));

MODEL(ProductNew,
	FIELD(ProductNew, sku,         .required = true, .min = 1, .max = 64, .about = "stock keeping unit, unique"),
	FIELD(ProductNew, name,        .required = true, .min = 1, .max = 200),
	FIELD(ProductNew, description, .max = 10000, .initial = "\"\""),
	FIELD_OF(ProductNew, price, Money, .required = true),
	FIELD(ProductNew, stock,       .max = INT32_MAX, .initial = "0", .about = "pieces at hand"),
	FIELD(ProductNew, status,      .names = product_status_names, .initial = "\"draft\""),
	FIELD(ProductNew, tags,        .max = 50, .item_min = 1, .item_max = 64, .initial = "[]"),
	FIELD(ProductNew, attributes,  .object = true, .initial = "{}", .about = "whatever the shop keeps about it"));

MODEL(MoneyPatch,
	FIELD(MoneyPatch, amount,   .max = AMOUNT_MAX, .about = "minor units"),
	FIELD(MoneyPatch, currency, .format = FORMAT_CURRENCY, .about = "ISO 4217"));

MODEL(ProductPatch,
	FIELD(ProductPatch, id,          .from = FROM_PATH, .required = true),
	FIELD(ProductPatch, sku,         .min = 1, .max = 64),
	FIELD(ProductPatch, name,        .min = 1, .max = 200),
	FIELD(ProductPatch, description, .nullable = true, .max = 10000),
	FIELD_OF(ProductPatch, price, MoneyPatch),
	FIELD(ProductPatch, stock,       .max = INT32_MAX),
	FIELD(ProductPatch, status,      .names = product_status_names),
	FIELD(ProductPatch, tags,        .nullable = true, .max = 50, .item_min = 1, .item_max = 64),
	FIELD(ProductPatch, attributes,  .nullable = true, .object = true, .about = "merged into what is there"));

MODEL(ProductFilter,
	FIELD(ProductFilter, limit,     .from = FROM_QUERY, .min = 1, .max = 100, .initial = "20"),
	FIELD(ProductFilter, cursor,    .from = FROM_QUERY, .about = "next_cursor of the page before"),
	FIELD(ProductFilter, sort,      .from = FROM_QUERY, .names = product_sort_names, .initial = "\"created_at\""),
	FIELD(ProductFilter, status,    .from = FROM_QUERY, .names = product_status_names),
	FIELD(ProductFilter, tag,       .from = FROM_QUERY, .min = 1, .max = 64),
	FIELD(ProductFilter, currency,  .from = FROM_QUERY, .format = FORMAT_CURRENCY),
	FIELD(ProductFilter, min_price, .from = FROM_QUERY, .max = AMOUNT_MAX, .about = "minor units"),
	FIELD(ProductFilter, max_price, .from = FROM_QUERY, .max = AMOUNT_MAX, .about = "minor units"));

MODEL(ProductPage,
	FIELD_OF(ProductPage, items, Product, .required = true),
	FIELD(ProductPage, next_cursor, .required = true, .nullable = true));
/* clang-format on */
