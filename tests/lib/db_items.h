#pragma once

/* A table of items to test the database layer with, and sentences about it. */

#include "tests/lib/db_bench.h"

typedef struct Item {
	int64_t id;
	Str name;
	OptStr note;
	unsigned colour; /* red, green, blue */
	OptInt box;
} Item;

extern const DbColumn gives_item[5];

/* The name is unique (sku_taken), not empty (validation_failed); the box exists (conflict) */
extern const DbQuery item_insert;
extern const DbQuery item_get; /* by Number */
extern const DbQuery items_all;
extern const DbQuery items_touch; /* from Number on: their note becomes "touched" */

extern const Item lamp, desk; /* 1 and 2 */
extern const void *const one_args[1], *const nine_args[1];

void items_schema(void);

/* cmocka's set-up: a bench with an empty table. */
int items_open(void **state);

const void *const *item_args(const Item *item);

/* Insert an item, in the transaction that is open. */
const Problem *insert(Bench *bench, const Item *item) MUST_USE;

/* The item is there, and a new request begins. */
void given(Bench *bench, const Item *item);

/* p has this code, and these words inside unless they are NULL. */
void assert_problem(const Problem *p, ProblemCode code, const char *inside);
