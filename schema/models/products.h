#pragma once

/* Products as clients see and send them, and as rows of the table products. */

#include "common/model.h"

typedef enum ProductStatus { PRODUCT_DRAFT, PRODUCT_ACTIVE, PRODUCT_ARCHIVED } ProductStatus;
extern const char *const product_status_names[];

/* Orders of a list; each has the id as its last key, in the same direction. */
typedef enum ProductSort {
	PRODUCTS_BY_CREATED,
	PRODUCTS_BY_CREATED_DOWN,
	PRODUCTS_BY_NAME,
	PRODUCTS_BY_NAME_DOWN,
	PRODUCTS_BY_PRICE,
	PRODUCTS_BY_PRICE_DOWN,
} ProductSort;
extern const char *const product_sort_names[];

typedef struct ProductKey {
	Uuid id;
} ProductKey;
MODEL_OF(ProductKey);

typedef struct Product {
	Uuid id;
	Str sku, name, description;
	Money price;
	int64_t stock;
	ProductStatus status;
	StrList tags;
	Json attributes;
	int64_t version;
	Instant created_at, updated_at;
} Product;
MODEL_OF(Product);

typedef struct ProductNew {
	Str sku, name, description;
	Money price;
	int64_t stock;
	ProductStatus status;
	StrList tags;
	OptJson attributes;
} ProductNew;
MODEL_OF(ProductNew);

/* A part of Money, for a merge patch. */
typedef struct MoneyPatch {
	OptInt amount;
	OptStr currency;
} MoneyPatch;
MODEL_OF(MoneyPatch);

/* RFC 7396: what is absent stays; null takes description, tags and attributes back to empty. */
typedef struct ProductPatch {
	Uuid id;
	OptStr sku, name, description;
	MoneyPatch price;
	OptInt stock;
	OptEnum status;
	OptStrList tags;
	OptJson attributes;
} ProductPatch;
MODEL_OF(ProductPatch);

/*
 * Which products, in which order. cursor is opaque here: its place is passed beside the filter.
 */
typedef struct ProductFilter {
	int64_t limit;
	OptStr cursor;
	ProductSort sort;
	OptEnum status;
	OptStr tag, currency;
	OptInt min_price, max_price;
} ProductFilter;
MODEL_OF(ProductFilter);

typedef struct ProductPage {
	List items; /* of Product */
	OptStr next_cursor;
} ProductPage;
MODEL_OF(ProductPage);
