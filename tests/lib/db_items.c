#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/lib/db_items.h"

static const char SCHEMA[] =
    "CREATE TYPE db_test.colour AS ENUM ('red', 'green', 'blue');"
    "CREATE TABLE db_test.boxes (id bigint PRIMARY KEY);"
    "CREATE TABLE db_test.items (id bigint PRIMARY KEY, name text NOT NULL,"
    " note text, colour db_test.colour NOT NULL, box bigint,"
    " CONSTRAINT items_name_key UNIQUE (name),"
    " CONSTRAINT items_name_check CHECK (name <> ''),"
    " CONSTRAINT items_box_fkey FOREIGN KEY (box) REFERENCES db_test.boxes"
    "  DEFERRABLE INITIALLY DEFERRED)";

static const char *const colours[] = { "red", "green", "blue", NULL };

static const DbParam with_item[] = {
	PARAM(Item, id, DB_INT8),   PARAM(Item, name, DB_TEXT),
	PARAM(Item, note, DB_TEXT), PARAM(Item, colour, DB_ENUM, .names = colours),
	PARAM(Item, box, DB_INT8),
};
const DbColumn gives_item[5] = {
	COLUMN(Item, id, DB_INT8),   COLUMN(Item, name, DB_TEXT),
	COLUMN(Item, note, DB_TEXT), COLUMN(Item, colour, DB_ENUM, .names = colours),
	COLUMN(Item, box, DB_INT8),
};
static const DbConstraint item_constraints[] = {
	{ .name = "items_name_key", .code = P_sku_taken },
	{ .name = "items_name_check",
	  .code = P_validation_failed,
	  .pointer = "/name",
	  .field = F_format },
	{ .name = "items_box_fkey", .code = P_conflict },
};

SHARED_QUERY(
    item_insert,
    "INSERT INTO db_test.items (id, name, note, colour, box) VALUES ($1, $2, $3, $4, $5)"
    " RETURNING id, name, note, colour, box",
    with_item, gives_item, Item, .constraints = item_constraints,
    .n_constraints = COUNT(item_constraints));
SHARED_QUERY(item_get, "SELECT id, name, note, colour, box FROM db_test.items WHERE id = $1",
             with_number, gives_item, Item);
SHARED_QUERY(items_all, "SELECT id, name, note, colour, box FROM db_test.items ORDER BY id",
             with_nothing, gives_item, Item);
SHARED_QUERY(items_touch, "UPDATE db_test.items SET note = 'touched' WHERE id >= $1",
             with_number, gives_nothing, Number);
const Item lamp = {
	.id = 1, .name = S("lamp"), .note = { true, true, S("warm") }, .colour = 2
};
const Item desk = { .id = 2, .name = S("desk") };

static const Number one = { 1 }, nine = { 9 };
const void *const one_args[1] = { &one }, *const nine_args[1] = { &nine };

void
items_schema(void)
{
	bench_schema(SCHEMA);
}

int
items_open(void **state)
{
	int failed = bench_open(state);

	bench_sql(*state, "TRUNCATE items, boxes");
	return failed;
}

const void *const *
item_args(const Item *item)
{
	static const void *args[1];

	args[0] = item;
	return args;
}

/* Insert an item, in the transaction that is open. */
const Problem *
insert(Bench *bench, const Item *item)
{
	Item out;

	return db_one(&bench->ctx, &item_insert, item_args(item), &out, P_internal);
}

void
given(Bench *bench, const Item *item)
{
	assert_null(db_begin(&bench->ctx));
	assert_null(insert(bench, item));
	assert_null(db_commit(&bench->ctx));
	bench_request(bench, 5000);
}

void
assert_problem(const Problem *p, ProblemCode code, const char *inside)
{
	assert_non_null(p);
	assert_string_equal(problem_rows[p->code].code, problem_rows[code].code);
	if (inside != NULL) {
		assert_non_null(p->inside);
		if (strstr(p->inside, inside) == NULL)
			fail_msg("\"%s\" is not in \"%s\"", inside, p->inside);
	}
}
