#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "queries.gen.h"
#include "schema/verify.h"
#include "tests/lib/db_bench.h"

enum { PRODUCTS = 25, PAGE = 4 };

static const ProductNew lamp = {
	.sku = { "L-1", 3 },
	.name = { "\xE0\xB9\x82\xE0\xB8\x84\xE0\xB8\xA1 lamp", 14 },
	.price = { 129900, { "THB", 3 } },
	.stock = 7,
	.status = PRODUCT_ACTIVE,
	.tags = { (Str[]){ { "light", 5 }, { "desk", 4 } }, 2 },
};

static bool
text_is(Str s, const char *text)
{
	return str_eq(s, str_of(text));
}

static int
open_empty(void **state)
{
	int failed = bench_open(state);

	bench_sql(*state, "TRUNCATE products, users, models, sessions, user_roles, audit");
	return failed;
}

/* One product, as it was inserted. */
static Product
given(Bench *bench, const ProductNew *product)
{
	Ctx *ctx = &bench->ctx;
	Product out;

	assert_null(db_begin(ctx));
	assert_null(q_product_insert(ctx, uuid7_make(), product, &out));
	assert_null(db_commit(ctx));
	return out;
}

/* ---------------------------------------------------------------- products */

static void
a_product_comes_back_as_it_was_given(void **state)
{
	Bench *bench = *state;
	Product in = given(bench, &lamp), out;

	assert_null(q_product_get(&bench->ctx, in.id, &out));
	assert_true(uuid_eq(in.id, out.id));
	assert_true(str_eq(out.sku, lamp.sku) && str_eq(out.name, lamp.name));
	assert_true(out.description.n == 0);
	assert_int_equal(out.price.amount, 129900);
	assert_true(text_is(out.price.currency, "THB"));
	assert_int_equal(out.stock, 7);
	assert_int_equal(out.status, PRODUCT_ACTIVE);
	assert_int_equal(out.tags.n, 2);
	assert_true(text_is(out.tags.v[1], "desk"));
	assert_true(text_is(out.attributes.text, "{}"));
	assert_int_equal(out.version, 1);
	assert_true(out.created_at.us == out.updated_at.us);
	assert_true(llabs(out.created_at.us - clock_now().us) < 60 * 1000000);
}

static void
a_product_that_is_not_there_is_not_found(void **state)
{
	Bench *bench = *state;
	Product out;
	const Problem *p = q_product_get(&bench->ctx, uuid7_make(), &out);

	assert_non_null(p);
	assert_int_equal(p->code, P_not_found);
}

static void
constraints_are_the_problems_that_stand_beside_the_statement(void **state)
{
	Bench *bench = *state;
	Ctx *ctx = &bench->ctx;
	ProductNew wide = lamp;
	Buf text = { .arena = ctx->arena };
	Product out;
	const Problem *p;

	given(bench, &lamp);
	assert_null(db_begin(ctx));
	p = q_product_insert(ctx, uuid7_make(), &lamp, &out);
	db_rollback(ctx);
	assert_non_null(p);
	assert_int_equal(p->code, P_sku_taken);

	buf_puts(&text, "{\"a\": \"");
	for (int i = 0; i < 300000; i++)
		buf_byte(&text, 'x');
	buf_puts(&text, "\"}");
	wide.sku = S("L-2");
	wide.attributes = (OptJson){ true, true, { buf_str(&text) } };
	assert_null(db_begin(ctx));
	p = q_product_insert(ctx, uuid7_make(), &wide, &out);
	db_rollback(ctx);
	assert_non_null(p);
	assert_int_equal(p->code, P_validation_failed);
	assert_int_equal(p->n_fields, 1);
	assert_true(text_is(p->fields[0].pointer, "/attributes"));
	assert_int_equal(p->fields[0].code, F_too_long);
}

/* The product after a patch. */
static Product
patched(Bench *bench, const ProductPatch *patch)
{
	Product out = { 0 };
	bool found = false;

	assert_null(db_begin(&bench->ctx));
	assert_null(q_product_update(&bench->ctx, (OptInt){ 0 }, patch, &out, &found));
	assert_null(db_commit(&bench->ctx));
	assert_true(found);
	return out;
}

static void
what_a_patch_does_not_give_stays_and_null_empties(void **state)
{
	Bench *bench = *state;
	Product before = given(bench, &lamp), after;

	after = patched(bench,
	                &(ProductPatch){ .id = before.id, .price.amount = { true, true, 5 } });
	assert_int_equal(after.price.amount, 5);
	assert_true(text_is(after.price.currency, "THB"));
	assert_int_equal(after.tags.n, 2);
	assert_int_equal(after.version, 2);

	after = patched(bench, &(ProductPatch){ .id = before.id,
	                                        .tags = { .given = true },
	                                        .description = { true, true, S("bright") } });
	assert_int_equal(after.tags.n, 0);
	assert_true(text_is(after.description, "bright"));
	after = patched(bench,
	                &(ProductPatch){ .id = before.id, .description = { .given = true } });
	assert_true(after.description.n == 0);
	assert_int_equal(after.status, PRODUCT_ACTIVE);
}

static void
attributes_are_merged_as_rfc_7396_says(void **state)
{
	static const struct {
		const char *patch, *want;
	} rows[] = {
		{ "{\"a\": {\"b\": 1, \"c\": [1, null]}, \"d\": 2}",
		  "{\"a\": {\"b\": 1, \"c\": [1, null]}, \"d\": 2}" },
		{ "{\"a\": {\"b\": null}}", "{\"a\": {\"c\": [1, null]}, \"d\": 2}" },
		{ "{\"a\": {\"e\": {\"f\": null, \"g\": 3}}}",
		  "{\"a\": {\"c\": [1, null], \"e\": {\"g\": 3}}, \"d\": 2}" },
		{ "{\"a\": [4], \"d\": {\"h\": {}}}", "{\"a\": [4], \"d\": {\"h\": {}}}" },
		{ "{\"d\": null, \"none\": null}", "{\"a\": [4]}" },
		{ "{}", "{\"a\": [4]}" },
		{ NULL, "{}" },
	};
	Bench *bench = *state;
	Product product = given(bench, &lamp);

	for (size_t i = 0; i < COUNT(rows); i++) {
		ProductPatch patch = { .id = product.id, .attributes = { .given = true } };

		patch.attributes.has = rows[i].patch != NULL;
		patch.attributes.v.text = str_of(rows[i].patch);
		product = patched(bench, &patch);
		assert_true(text_is(product.attributes.text, rows[i].want));
	}
}

static void
a_stale_version_changes_nothing(void **state)
{
	Bench *bench = *state;
	Ctx *ctx = &bench->ctx;
	Product product = given(bench, &lamp), out;
	ProductPatch patch = { .id = product.id, .stock = { true, true, 1 } };
	bool found = true;

	patched(bench, &patch);
	assert_null(db_begin(ctx));
	assert_null(q_product_update(ctx, (OptInt){ true, true, 1 }, &patch, &out, &found));
	assert_false(found);
	assert_null(q_product_delete(ctx, product.id, (OptInt){ true, true, 1 }, &out, &found));
	assert_false(found);
	assert_null(q_product_delete(ctx, product.id, (OptInt){ true, true, 2 }, &out, &found));
	assert_true(found);
	assert_null(db_commit(ctx));
}

/* PRODUCTS of them, with many equal names and amounts, so that the id has to decide. */
static void
given_many(Bench *bench)
{
	ProductNew product = lamp;
	char text[16];

	for (int i = 0; i < PRODUCTS; i++) {
		snprintf(text, sizeof text, "S-%d", i);
		product.sku = str_of(text);
		product.name = i % 3 == 0 ? S("chair") : S("table");
		product.price.amount = i % 4;
		product.price.currency = i % 2 == 0 ? S("EUR") : S("THB");
		product.status = i % 5 == 0 ? PRODUCT_DRAFT : PRODUCT_ACTIVE;
		product.tags.n = i % 2 == 0 ? 2 : 1;
		given(bench, &product);
	}
}

/* Is a before b in this order? */
static bool
is_before(const Product *a, const Product *b, ProductSort sort)
{
	bool down = sort == PRODUCTS_BY_CREATED_DOWN || sort == PRODUCTS_BY_NAME_DOWN ||
	            sort == PRODUCTS_BY_PRICE_DOWN;
	int order = 0;

	if (sort == PRODUCTS_BY_CREATED || sort == PRODUCTS_BY_CREATED_DOWN)
		order = (a->created_at.us > b->created_at.us) -
		        (a->created_at.us < b->created_at.us);
	else if (sort == PRODUCTS_BY_NAME || sort == PRODUCTS_BY_NAME_DOWN)
		order = memcmp(a->name.p, b->name.p, MIN(a->name.n, b->name.n));
	else
		order =
		    (a->price.amount > b->price.amount) - (a->price.amount < b->price.amount);
	if (order == 0)
		order = memcmp(a->id.b, b->id.b, sizeof a->id.b);
	return down ? order > 0 : order < 0;
}

/*
 * How many products the filter's pages have; each page begins where the last one ended, in
 * order.
 */
static size_t
paged(Bench *bench, const ProductFilter *filter)
{
	Product last = { 0 };
	size_t n = 0;

	for (bool first = true;; first = false) {
		OptUuid id = { .has = !first, .v = last.id };
		OptTime time = { .has = !first, .v = last.created_at };
		OptStr name = { .has = !first, .v = last.name };
		OptInt amount = { .has = !first, .v = last.price.amount };
		List page = { NULL, 0 };

		assert_null(
		    q_product_list(&bench->ctx, id, time, name, amount, PAGE, filter, &page));
		for (size_t i = 0; i < page.n; i++) {
			const Product *product = (const Product *)page.v + i;

			assert_true((first && i == 0) ||
			            is_before(&last, product, filter->sort));
			last = *product;
		}
		n += page.n;
		if (page.n < PAGE)
			return n;
	}
}

static void
pages_of_every_order_have_each_product_once(void **state)
{
	Bench *bench = *state;

	given_many(bench);
	for (ProductSort sort = PRODUCTS_BY_CREATED; sort <= PRODUCTS_BY_PRICE_DOWN; sort++)
		assert_int_equal(paged(bench, &(ProductFilter){ .sort = sort }), PRODUCTS);
}

static void
pages_of_every_filter_have_what_it_names(void **state)
{
	static const struct {
		ProductFilter filter;
		size_t want;
	} rows[] = {
		{ { .status = { true, true, PRODUCT_DRAFT } }, 5 },
		{ { .status = { true, true, PRODUCT_ARCHIVED } }, 0 },
		{ { .tag = { true, true, { "desk", 4 } } }, 13 },
		{ { .tag = { true, true, { "des", 3 } } }, 0 },
		{ { .currency = { true, true, { "THB", 3 } } }, 12 },
		{ { .min_price = { true, true, 1 } }, 18 },
		{ { .max_price = { true, true, 2 } }, 19 },
		{ { .min_price = { true, true, 1 }, .max_price = { true, true, 2 } }, 12 },
		{ { .status = { true, true, PRODUCT_ACTIVE },
		    .tag = { true, true, { "desk", 4 } },
		    .currency = { true, true, { "EUR", 3 } },
		    .min_price = { true, true, 0 },
		    .max_price = { true, true, 0 } },
		  5 },
	};
	Bench *bench = *state;

	given_many(bench);
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (ProductSort sort = PRODUCTS_BY_CREATED; sort <= PRODUCTS_BY_PRICE_DOWN;
		     sort++) {
			ProductFilter filter = rows[i].filter;

			filter.sort = sort;
			assert_int_equal(paged(bench, &filter), rows[i].want);
		}
	}
}

/* ---------------------------------------------------------------- accounts and sessions */

static const Str role_names[] = { { "editor", 6 }, { "user", 4 } };

/* A user with both roles, or the problem. */
static const Problem *
user_given(Bench *bench, const char *email, Str *roles, size_t n, User *out)
{
	Ctx *ctx = &bench->ctx;
	UserNew user = { .id = uuid7_make(), .email = str_of(email), .roles = { roles, n } };
	const Problem *p;

	assert_null(db_begin(ctx));
	p = q_user_insert(ctx, &user, out);
	if (p != NULL)
		db_rollback(ctx);
	else
		assert_null(db_commit(ctx));
	return p;
}

static void
a_user_comes_with_its_roles_or_not_at_all(void **state)
{
	Bench *bench = *state;
	Str roles[] = { role_names[0], role_names[1] }, strange[] = { S("nobody") };
	User made, found;
	const Problem *p;

	assert_null(user_given(bench, "Ann@example.org", roles, 2, &made));
	assert_null(q_user_by_email(&bench->ctx, S("aNN@EXAMPLE.org"), &found));
	assert_true(uuid_eq(made.id, found.id));
	assert_true(text_is(found.email, "Ann@example.org"));
	assert_int_equal(found.roles.n, 2);
	assert_true(text_is(found.roles.v[0], "editor"));

	p = user_given(bench, "ann@EXAMPLE.org", roles, 2, &made);
	assert_non_null(p);
	assert_int_equal(p->code, P_email_taken);
	p = user_given(bench, "bob@example.org", strange, 1, &made);
	assert_non_null(p);
	assert_int_equal(p->code, P_validation_failed);
	assert_true(text_is(p->fields[0].pointer, "/roles"));
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM users"), 1);
}

/* A user with both roles and a session of it. */
static Session
session_given(Bench *bench, User *user)
{
	Ctx *ctx = &bench->ctx;
	Str roles[] = { role_names[0], role_names[1] };
	SessionNew row = { .id = uuid7_make(),
		           .kid = S("k"),
		           .amr = { (Str[]){ S("pwd") }, 1 } };
	Session session;

	assert_null(user_given(bench, "ann@example.org", roles, 2, user));
	row.user_id = user->id;
	assert_null(db_begin(ctx));
	assert_null(q_session_insert(ctx, 3600, 60, &row, &session));
	assert_null(db_commit(ctx));
	return session;
}

static void
a_session_ends_at_the_earlier_of_its_two_ends(void **state)
{
	Bench *bench = *state;
	User user;
	Session session = session_given(bench, &user);

	assert_true(session.idle_expires_at.us - session.created_at.us == 60 * 1000000);
	assert_true(session.absolute_expires_at.us == session.idle_expires_at.us);
	assert_int_equal(session.gen, 1);
	assert_false(session.acked_at.has);
}

static void
a_right_needs_a_role_of_the_user_and_of_the_token(void **state)
{
	Bench *bench = *state;
	Ctx *ctx = &bench->ctx;
	Str admin[] = { S("admin") }, editor[] = { S("editor"), S("admin") };
	SessionRights rights;
	User user;
	Session session = session_given(bench, &user);
	bool found = false;

	assert_null(q_session_rights(ctx, session.id, (StrList){ editor, 2 }, &rights, &found));
	assert_true(found && uuid_eq(rights.user_id, user.id));
	assert_true(!rights.ended && !rights.acked && rights.gen == 1 &&
	            rights.status == USER_ACTIVE);
	assert_int_equal(rights.permissions.n, 2);
	assert_null(q_session_rights(ctx, session.id, (StrList){ admin, 1 }, &rights, &found));
	assert_true(found);
	assert_int_equal(rights.permissions.n, 0);
	bench_sql(bench, "DELETE FROM user_roles WHERE role = 'editor'");
	assert_null(q_session_rights(ctx, session.id, (StrList){ editor, 2 }, &rights, &found));
	assert_int_equal(rights.permissions.n, 0);
	assert_null(
	    q_session_rights(ctx, uuid7_make(), (StrList){ editor, 2 }, &rights, &found));
	assert_false(found);
}

static void
a_session_is_ended_by_revocation_and_by_either_expiry(void **state)
{
	static const char *const changes[] = {
		"UPDATE sessions SET revoked_at = now()",
		"UPDATE sessions SET revoked_at = NULL, idle_expires_at = now()",
		("UPDATE sessions SET idle_expires_at = now() + interval '1 hour', "
		 "absolute_expires_at = now()"),
	};
	Bench *bench = *state;
	SessionRights rights;
	User user;
	Session session = session_given(bench, &user);
	bool found = false;

	for (size_t i = 0; i < COUNT(changes); i++) {
		bench_sql(bench, changes[i]);
		assert_null(q_session_rights(&bench->ctx, session.id, (StrList){ NULL, 0 },
		                             &rights, &found));
		assert_true(found && rights.ended);
	}
}

static void
the_proof_of_a_generation_is_written_once(void **state)
{
	Bench *bench = *state;
	Ctx *ctx = &bench->ctx;
	User user;
	Session session = session_given(bench, &user), first, again;
	bool found = false;

	for (int64_t gen = 2; gen >= 1; gen--) {
		assert_null(db_begin(ctx));
		assert_null(q_session_ack(ctx, session.id, gen));
		assert_null(db_commit(ctx));
		assert_null(q_session_get(ctx, session.id, &first, &found));
		assert_int_equal(first.acked_at.has, gen == 1);
	}
	assert_null(db_begin(ctx));
	assert_null(q_session_ack(ctx, session.id, 1));
	assert_null(db_commit(ctx));
	assert_null(q_session_get(ctx, session.id, &again, &found));
	assert_true(again.acked_at.v.us == first.acked_at.v.us);
}

/* ---------------------------------------------------------------- the schema */

static void
the_schema_is_what_the_queries_were_checked_against(void **state)
{
	Bench *bench = *state;

	assert_true(queries_fact_count > 50);
	assert_null(schema_verify(&bench->ctx));
}

static void
a_schema_that_differs_is_told_by_its_first_fact(void **state)
{
	static const struct {
		const char *change, *undo, *want;
	} rows[] = {
		{ "ALTER TABLE products RENAME stock TO pieces",
		  "ALTER TABLE products RENAME pieces TO stock",
		  "schema: there is no \"column products.stock bigint not null\"" },
		{ "ALTER TABLE products ALTER name DROP NOT NULL",
		  "ALTER TABLE products ALTER name SET NOT NULL",
		  "schema: there is no \"column products.name text not null\"" },
		{ "ALTER TABLE products RENAME CONSTRAINT products_sku_key TO other",
		  "ALTER TABLE products RENAME CONSTRAINT other TO products_sku_key",
		  "schema: there is no \"unique products_sku_key on products\"" },
		{ "ALTER TYPE product_status RENAME VALUE 'draft' TO 'plan'",
		  "ALTER TYPE product_status RENAME VALUE 'plan' TO 'draft'",
		  "schema: there is no \"enum product_status draft active archived\"" },
	};
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const Problem *p;

		bench_sql(bench, rows[i].change);
		p = schema_verify(&bench->ctx);
		bench_sql(bench, rows[i].undo);
		assert_non_null(p);
		assert_int_equal(p->code, P_unavailable);
		assert_string_equal(p->inside, rows[i].want);
		assert_null(schema_verify(&bench->ctx));
	}
}

static void
an_older_schema_is_refused_and_a_newer_one_is_not(void **state)
{
	Bench *bench = *state;
	const Problem *p;

	bench_sql(bench, "UPDATE schema_migrations SET version = version - 1000");
	p = schema_verify(&bench->ctx);
	bench_sql(bench, "UPDATE schema_migrations SET version = version + 1000");
	assert_non_null(p);
	assert_int_equal(p->code, P_unavailable);
	assert_non_null(strstr(p->inside, "is needed"));
	bench_sql(bench, "INSERT INTO schema_migrations (version, name, sha256, ms) VALUES "
	                 "(9000, 'x', 'x', 0)");
	assert_null(schema_verify(&bench->ctx));
	bench_sql(bench, "DELETE FROM schema_migrations WHERE version = 9000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_empty, bench_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_product_comes_back_as_it_was_given),
		TEST(a_product_that_is_not_there_is_not_found),
		TEST(constraints_are_the_problems_that_stand_beside_the_statement),
		TEST(what_a_patch_does_not_give_stays_and_null_empties),
		TEST(attributes_are_merged_as_rfc_7396_says),
		TEST(a_stale_version_changes_nothing),
		TEST(pages_of_every_order_have_each_product_once),
		TEST(pages_of_every_filter_have_what_it_names),
		TEST(a_user_comes_with_its_roles_or_not_at_all),
		TEST(a_session_ends_at_the_earlier_of_its_two_ends),
		TEST(a_right_needs_a_role_of_the_user_and_of_the_token),
		TEST(a_session_is_ended_by_revocation_and_by_either_expiry),
		TEST(the_proof_of_a_generation_is_written_once),
		TEST(the_schema_is_what_the_queries_were_checked_against),
		TEST(a_schema_that_differs_is_told_by_its_first_fact),
		TEST(an_older_schema_is_refused_and_a_newer_one_is_not),
	};

	if (bench_skips())
		return 0;
	return bench_migrate() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
