#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fcgi/mailing.h"
#include "queries.gen.h"
#include "tests/lib/db_bench.h"

static int
open_empty(void **state)
{
	int failed = bench_open(state);

	bench_sql(*state, "TRUNCATE outbox");
	return failed;
}

static bool
text_is(Str s, const char *text)
{
	return str_eq(s, str_of(text));
}

static const Mail hello = { { "malee@example.org", 17 }, { "Hello", 5 }, { "Text", 4 } };
static const StrList mails = { (Str[]){ { "mail", 4 } }, 1 };

/* Take up what is due, or nothing. */
static bool
taken(Bench *bench, int64_t lease_ms, OutboxItem *item)
{
	bool found = false;

	assert_null(db_begin(&bench->ctx));
	assert_null(q_outbox_take(&bench->ctx, mails, lease_ms, item, &found));
	assert_null(db_commit(&bench->ctx));
	return found;
}

static void
put(Bench *bench, Uuid *id)
{
	assert_null(db_begin(&bench->ctx));
	assert_null(mailing_put(&bench->ctx, &hello, id));
	assert_null(db_commit(&bench->ctx));
}

static void
what_is_put_is_there_when_its_transaction_commits(void **state)
{
	Bench *bench = *state;
	OutboxItem item;
	Uuid id;

	assert_null(db_begin(&bench->ctx));
	assert_null(mailing_put(&bench->ctx, &hello, &id));
	db_rollback(&bench->ctx);
	assert_false(taken(bench, 1000, &item));
	put(bench, &id);
	assert_true(taken(bench, 1000, &item));
	assert_true(uuid_eq(item.id, id));
	assert_true(text_is(item.kind, "mail"));
	assert_int_equal(item.attempts, 1);
	assert_true(text_is(
	    item.payload.text,
	    "{\"to\": \"malee@example.org\", \"text\": \"Text\", \"subject\": \"Hello\"}"));
}

static void
a_mail_that_can_be_sent_to_nobody_is_not_put(void **state)
{
	Bench *bench = *state;
	Mail bad = hello;
	const Problem *p;
	Uuid id;

	bad.to = S("malee@example.org\r\nBcc: x@example.org");
	assert_null(db_begin(&bench->ctx));
	p = mailing_put(&bench->ctx, &bad, &id);
	assert_non_null(p);
	assert_int_equal(p->code, P_validation_failed);
	assert_null(db_commit(&bench->ctx));
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM outbox"), 0);
}

static void
a_row_is_taken_once_in_a_lease(void **state)
{
	Bench *bench = *state;
	OutboxNext next = { 0 };
	OutboxItem item;
	Uuid id;

	put(bench, &id);
	assert_true(taken(bench, 60000, &item));
	assert_false(taken(bench, 60000, &item));
	assert_null(q_outbox_next(&bench->ctx, mails, &next));
	assert_true(next.left_ms.has && next.left_ms.v > 50000 && next.left_ms.v <= 60000);
	bench_sql(bench, "UPDATE outbox SET due_at = now()");
	assert_true(taken(bench, 60000, &item));
	assert_int_equal(item.attempts, 2);
}

static void
a_row_in_hand_is_passed_over(void **state)
{
	Bench *bench = *state;
	OutboxItem item;
	Uuid first, second;

	put(bench, &first);
	put(bench, &second);
	bench_sql(bench,
	          "UPDATE outbox SET due_at = now() - interval '1 s' * (2 - rank) FROM "
	          "(SELECT id, row_number() OVER (ORDER BY id) AS rank FROM outbox) AS r "
	          "WHERE r.id = outbox.id");
	bench_sql(bench, "BEGIN");
	bench_sql(bench, "SELECT 1 FROM outbox ORDER BY due_at LIMIT 1 FOR UPDATE");
	assert_true(taken(bench, 60000, &item));
	bench_sql(bench, "ROLLBACK");
	assert_true(taken(bench, 60000, &item));
	assert_false(taken(bench, 60000, &item));
}

static void
only_who_took_it_last_writes_down_how_it_went(void **state)
{
	Bench *bench = *state;
	OutboxState now = { 0 };
	OutboxItem item;
	int64_t rows = -1;
	bool found;
	Uuid id;

	put(bench, &id);
	assert_true(taken(bench, 0, &item));
	assert_true(taken(bench, 0, &item)); /* the lease of the first was over */
	assert_null(db_begin(&bench->ctx));
	assert_null(q_outbox_done(&bench->ctx, id, 1, &rows));
	assert_int_equal(rows, 0);
	assert_null(q_outbox_give_up(&bench->ctx, id, 1, S("no"), &rows));
	assert_int_equal(rows, 0);
	assert_null(q_outbox_later(&bench->ctx, id, 1, 0, S("no"), &rows));
	assert_int_equal(rows, 0);
	assert_null(q_outbox_done(&bench->ctx, id, 2, &rows));
	assert_int_equal(rows, 1);
	assert_null(q_outbox_give_up(&bench->ctx, id, 2, S("no"), &rows));
	assert_int_equal(rows, 0);
	assert_null(db_commit(&bench->ctx));
	assert_null(q_outbox_state(&bench->ctx, id, &now, &found));
	assert_true(found && now.done_at.has && !now.gave_up_at.has && !now.last_error.has);
	assert_false(taken(bench, 0, &item));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_empty, bench_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_is_there_when_its_transaction_commits),
		TEST(a_mail_that_can_be_sent_to_nobody_is_not_put),
		TEST(a_row_is_taken_once_in_a_lease),
		TEST(a_row_in_hand_is_passed_over),
		TEST(only_who_took_it_last_writes_down_how_it_went),
	};

	if (bench_skips())
		return 0;
	return bench_migrate() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
