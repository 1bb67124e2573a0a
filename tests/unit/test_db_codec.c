#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/db_codec.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

typedef struct Thing {
	bool yes;
	int64_t number;
	double real;
	Str text;
	unsigned colour;
	Uuid id;
	Instant at;
	StrList texts;
	IntList numbers;
	List ids;
	Json json;
	OptBool opt_yes;
	OptInt opt_number;
	OptNum opt_real;
	OptStr opt_text;
	OptEnum opt_colour;
	OptUuid opt_id;
	OptTime opt_at;
	OptStrList opt_texts;
	OptJson opt_json;
} Thing;

/* Where a value of Thing is, as a parameter and as a column. */
typedef struct Spot {
	size_t offset;
	Kind kind;
	bool optional;
	DbType type;
} Spot;

#define SPOT(member, of_type)                                                                  \
	{                                                                                      \
		offsetof(Thing, member), MEMBER_KIND(MEMBER(Thing, member)),                   \
		    MEMBER_OPTIONAL(MEMBER(Thing, member)), of_type                            \
	}

static DbParam
param_at(Spot spot)
{
	return (DbParam){ .offset = (uint16_t)spot.offset,
		          .kind = spot.kind,
		          .optional = spot.optional,
		          .type = spot.type,
		          .names = colours };
}

static DbColumn
column_at(Spot spot)
{
	return (DbColumn){ .offset = (uint16_t)spot.offset,
		           .kind = spot.kind,
		           .optional = spot.optional,
		           .type = spot.type,
		           .names = colours,
		           .name = "column" };
}

static int64_t numbers[] = { 1, -1, INT64_MIN };
static Uuid ids[2] = { { { 1, 2, 3 } }, { { 0xFF } } };
static Str texts[] = { { "a", 1 }, { "", 0 }, { "ก", 3 } };

static Thing
thing_full(void)
{
	Thing thing = {
		.yes = true,
		.number = -2,
		.real = 1.5,
		.text = S("kettle"),
		.colour = 2,
		.id = { { 0xAB, 0xCD } },
		.at = { 946684800000001 },
		.texts = { texts, COUNT(texts) },
		.numbers = { numbers, COUNT(numbers) },
		.ids = { ids, COUNT(ids) },
		.json = { S("{\"a\":1}") },
		.opt_yes = { true, true, true },
		.opt_number = { true, true, INT64_MAX },
		.opt_real = { true, true, -0.25 },
		.opt_text = { true, true, S("") },
		.opt_colour = { true, true, 1 },
		.opt_id = { true, true, { { 9, 8, 7 } } },
		.opt_at = { true, true, { INSTANT_MIN_US } },
		.opt_texts = { true, true, { NULL, 0 } },
		.opt_json = { true, true, { S("null") } },
	};

	return thing;
}

static const Spot spots[] = {
	SPOT(yes, DB_BOOL),
	SPOT(number, DB_INT2),
	SPOT(number, DB_INT4),
	SPOT(number, DB_INT8),
	SPOT(real, DB_FLOAT8),
	SPOT(text, DB_TEXT),
	SPOT(text, DB_BYTEA),
	SPOT(text, DB_ENUM),
	SPOT(colour, DB_ENUM),
	SPOT(colour, DB_TEXT),
	SPOT(id, DB_UUID),
	SPOT(at, DB_TIMESTAMPTZ),
	SPOT(texts, DB_TEXT_ARRAY),
	SPOT(numbers, DB_INT8_ARRAY),
	SPOT(ids, DB_UUID_ARRAY),
	SPOT(json, DB_JSONB),
	SPOT(opt_yes, DB_BOOL),
	SPOT(opt_number, DB_INT8),
	SPOT(opt_real, DB_FLOAT8),
	SPOT(opt_text, DB_TEXT),
	SPOT(opt_colour, DB_ENUM),
	SPOT(opt_id, DB_UUID),
	SPOT(opt_at, DB_TIMESTAMPTZ),
	SPOT(opt_texts, DB_TEXT_ARRAY),
	SPOT(opt_json, DB_JSONB),
};

static Str
encode(Arena *arena, Spot spot, const Thing *thing)
{
	Buf out = { .arena = arena };
	DbParam param = param_at(spot);
	const void *args[] = { thing };

	assert_null(codec_put(&out, &param, args));
	return buf_str(&out);
}

/* The value after its length; none for NULL. */
static Str
value_in(Str wire)
{
	return memcmp(wire.p, "\xFF\xFF\xFF\xFF", 4) == 0 ? STR_NONE : str_sub(wire, 4, wire.n);
}

static void
what_is_put_is_got_again(void **state)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));
	Thing in = thing_full();

	(void)state;
	for (size_t i = 0; i < COUNT(spots); i++) {
		DbColumn column = column_at(spots[i]);
		Thing out = { 0 };
		Str wire = encode(arena, spots[i], &in), again;

		assert_null(codec_get(arena, &column, value_in(wire), &out));
		again = encode(arena, spots[i], &out);
		assert_int_equal(wire.n, again.n);
		assert_memory_equal(wire.p, again.p, wire.n);
	}
}

static void
bytes_are_those_of_the_protocol(void **state)
{
	static const struct {
		Spot spot;
		Str want;
	} rows[] = {
		{ SPOT(yes, DB_BOOL), S("\0\0\0\1\1") },
		{ SPOT(number, DB_INT2), S("\0\0\0\2\xFF\xFE") },
		{ SPOT(number, DB_INT4), S("\0\0\0\4\xFF\xFF\xFF\xFE") },
		{ SPOT(number, DB_INT8), S("\0\0\0\10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE") },
		{ SPOT(real, DB_FLOAT8), S("\0\0\0\10\x3F\xF8\0\0\0\0\0\0") },
		{ SPOT(text, DB_TEXT), S("\0\0\0\6kettle") },
		{ SPOT(colour, DB_ENUM), S("\0\0\0\4blue") },
		{ SPOT(at, DB_TIMESTAMPTZ), S("\0\0\0\10\0\0\0\0\0\0\0\1") },
		{ SPOT(json, DB_JSONB), S("\0\0\0\10\1{\"a\":1}") },
		{ SPOT(opt_text, DB_TEXT), S("\0\0\0\0") },
		{ SPOT(opt_texts, DB_TEXT_ARRAY), S("\0\0\0\14\0\0\0\0\0\0\0\0\0\0\0\31") },
		{ SPOT(texts, DB_TEXT_ARRAY),
		  S("\0\0\0\44\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\3\0\0\0\1"
		    "\0\0\0\1a\0\0\0\0\0\0\0\3\xE0\xB8\x81") },
	};
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));
	Thing in = thing_full();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str wire = encode(arena, rows[i].spot, &in);

		assert_int_equal(wire.n, rows[i].want.n);
		assert_memory_equal(wire.p, rows[i].want.p, wire.n);
	}
}

static void
an_opt_without_a_value_is_null_both_ways(void **state)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(spots); i++) {
		DbColumn column = column_at(spots[i]);
		Thing empty = { 0 }, out = thing_full();
		const OptBool *flags = (const void *)((const char *)&out + spots[i].offset);

		if (!spots[i].optional)
			continue;
		assert_true(str_eq(encode(arena, spots[i], &empty), S("\xFF\xFF\xFF\xFF")));
		assert_null(codec_get(arena, &column, STR_NONE, &out));
		assert_true(flags->given && !flags->has);
	}
}

static void
whether_an_opt_was_given_can_be_asked(void **state)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));
	DbParam param = { .offset = offsetof(Thing, opt_text),
		          .kind = KIND_STR,
		          .optional = true,
		          .given = true,
		          .type = DB_BOOL };
	Thing thing = { .opt_text = { .given = true } };
	const void *args[] = { &thing };
	Buf out = { .arena = arena };

	(void)state;
	assert_null(codec_put(&out, &param, args));
	thing.opt_text.given = false;
	assert_null(codec_put(&out, &param, args));
	assert_true(str_eq(buf_str(&out), S("\0\0\0\1\1\0\0\0\1\0")));
}

static void
a_member_of_an_opt_model_is_null_with_it(void **state)
{
	typedef struct Sale {
		OptMoney price;
	} Sale;
	static const DbParam param = { .offset = offsetof(Sale, price.v.amount),
		                       .kind = KIND_INT,
		                       .inside = true,
		                       .outer = offsetof(Sale, price),
		                       .type = DB_INT4 };
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));
	Sale sale = { .price = { .given = true, .v = { .amount = 7 } } };
	const void *args[] = { &sale };
	Buf out = { .arena = arena };

	(void)state;
	assert_null(codec_put(&out, &param, args));
	sale.price.has = true;
	assert_null(codec_put(&out, &param, args));
	assert_true(str_eq(buf_str(&out), S("\xFF\xFF\xFF\xFF\0\0\0\4\0\0\0\7")));
}

static void
the_second_argument_is_reached(void **state)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));
	DbParam param = {
		.arg = 1, .offset = offsetof(Thing, number), .kind = KIND_INT, .type = DB_INT2
	};
	Thing first = { .number = 1 }, second = { .number = 2 };
	const void *args[] = { &first, &second };
	Buf out = { .arena = arena };

	(void)state;
	assert_null(codec_put(&out, &param, args));
	assert_true(str_eq(buf_str(&out), S("\0\0\0\2\0\2")));
}

static void
what_does_not_fit_is_not_sent(void **state)
{
	static const struct {
		Spot spot;
		Thing thing;
	} rows[] = {
		{ SPOT(number, DB_INT2), { .number = INT16_MAX + 1 } },
		{ SPOT(number, DB_INT2), { .number = INT16_MIN - 1 } },
		{ SPOT(number, DB_INT4), { .number = INT64_C(1) << 31 } },
		{ SPOT(number, DB_INT4), { .number = -(INT64_C(1) << 31) - 1 } },
		{ SPOT(colour, DB_ENUM), { .colour = 3 } },
		{ SPOT(colour, DB_ENUM), { .colour = UINT32_MAX } },
		{ SPOT(at, DB_TIMESTAMPTZ), { .at = { INSTANT_MAX_US + 1 } } },
		{ SPOT(at, DB_TIMESTAMPTZ), { .at = { INT64_MIN } } },
		{ SPOT(text, DB_INT8), { 0 } },
		{ SPOT(number, DB_TEXT), { 0 } },
		{ SPOT(yes, DB_UUID), { 0 } },
	};
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		DbParam param = param_at(rows[i].spot);
		const void *args[] = { &rows[i].thing };
		Buf out = { .arena = arena };

		assert_non_null(codec_put(&out, &param, args));
	}
}

#define ARRAY(dimensions, type) "\0\0\0" dimensions "\0\0\0\0\0\0\0" type
#define ONE "\0\0\0\1\0\0\0\1"
#define INFINITY_BYTES "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
#define MINUS_INFINITY_BYTES "\x80\0\0\0\0\0\0\0"

static void
what_was_not_promised_is_refused(void **state)
{
	static const struct {
		Spot spot;
		Str value;
	} rows[] = {
		{ SPOT(number, DB_INT8), { NULL, 0 } },
		{ SPOT(text, DB_TEXT), { NULL, 0 } },
		{ SPOT(yes, DB_BOOL), S("") },
		{ SPOT(yes, DB_BOOL), S("\1\1") },
		{ SPOT(number, DB_INT2), S("\0\0\0\1") },
		{ SPOT(number, DB_INT4), S("\0\0\0\0\0\0\0\1") },
		{ SPOT(number, DB_INT8), S("\0\0\0\1") },
		{ SPOT(real, DB_FLOAT8), S("\0\0\0\0") },
		{ SPOT(real, DB_FLOAT8), S("\x7F\xF8\0\0\0\0\0\0") },
		{ SPOT(real, DB_FLOAT8), S("\x7F\xF0\0\0\0\0\0\0") },
		{ SPOT(colour, DB_ENUM), S("") },
		{ SPOT(colour, DB_ENUM), S("gree") },
		{ SPOT(colour, DB_TEXT), S("greenish") },
		{ SPOT(id, DB_UUID), S("123456789012345") },
		{ SPOT(at, DB_TIMESTAMPTZ), S("\0\0\0\1") },
		{ SPOT(at, DB_TIMESTAMPTZ), S(INFINITY_BYTES) },
		{ SPOT(at, DB_TIMESTAMPTZ), S(MINUS_INFINITY_BYTES) },
		{ SPOT(opt_at, DB_TIMESTAMPTZ), S(INFINITY_BYTES) },
		{ SPOT(json, DB_JSONB), S("") },
		{ SPOT(json, DB_JSONB), S("\2{}") },
		{ SPOT(texts, DB_TEXT_ARRAY), S("") },
		{ SPOT(texts, DB_TEXT_ARRAY), S("\0\0\0\1") },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\0", "\24")) },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\0", "\31") "x") },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\2", "\31") ONE ONE "\0\0\0\1a") },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\1", "\31")) },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\1", "\31") ONE) },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\1", "\31") ONE "\xFF\xFF\xFF\xFF") },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\1", "\31") ONE "\0\0\0\2a") },
		{ SPOT(texts, DB_TEXT_ARRAY), S(ARRAY("\1", "\31") ONE "\0\0\0\1ab") },
		{ SPOT(texts, DB_TEXT_ARRAY),
		  S(ARRAY("\1", "\31") "\x7F\xFF\xFF\xFF\0\0\0\1\0\0\0\1a") },
		{ SPOT(numbers, DB_INT8_ARRAY), S(ARRAY("\1", "\24") ONE "\0\0\0\4\0\0\0\1") },
		{ SPOT(ids, DB_UUID_ARRAY), S("\0\0\0\0\0\0\0\0\0\0\0\31") },
		{ SPOT(text, DB_INT8), S("\0\0\0\0\0\0\0\1") },
		{ SPOT(numbers, DB_TEXT_ARRAY), S(ARRAY("\0", "\31")) },
	};
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		DbColumn column = column_at(rows[i].spot);
		Thing out = thing_full(), before = out;

		assert_non_null(codec_get(arena, &column, rows[i].value, &out));
		assert_memory_equal(&out, &before, sizeof out);
	}
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Under the sanitizers: no value of any type reads a byte beyond its end. */
static void
no_bytes_are_read_beyond_their_end(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1));
		Thing in = thing_full(), out = { 0 };
		Spot spot = spots[next_random(&random) % COUNT(spots)];
		DbColumn column = column_at(spots[next_random(&random) % COUNT(spots)]);
		Str value = value_in(encode(arena, spot, &in));
		size_t n = value.n == 0 ? 0 : next_random(&random) % (value.n + 1);
		char *bytes = arena_new(arena, char, n);

		if (n > 0) {
			memcpy(bytes, value.p, n);
			bytes[next_random(&random) % n] = (char)next_random(&random);
		}
		if (codec_get(arena, &column, (Str){ bytes, n }, &out) == NULL)
			assert_true(out.texts.n <= n && out.numbers.n <= n);
	}
}

static void
a_column_of_another_type_is_noticed(void **state)
{
	static const struct {
		DbType type;
		uint32_t oid;
		bool fits;
	} rows[] = {
		{ DB_INT8, 20, true },    { DB_INT8, 1184, false },
		{ DB_INT8, 701, false },  { DB_TEXT, 25, true },
		{ DB_TEXT, 1043, true },  { DB_TEXT, 16500, true },
		{ DB_TEXT, 17, false },   { DB_ENUM, 16500, true },
		{ DB_ENUM, 25, true },    { DB_ENUM, 20, false },
		{ DB_UUID, 2950, true },  { DB_UUID, 16500, false },
		{ DB_JSONB, 114, false }, { DB_TIMESTAMPTZ, 1114, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(codec_fits(rows[i].type, rows[i].oid), rows[i].fits);
}

static void
choices_number_the_texts_first_one_lowest(void **state)
{
	static const DbChoice choices[] = {
		{ .offset = offsetof(Thing, opt_text),
		  .kind = KIND_STR,
		  .count = 2,
		  .fragment = true },
		{ .offset = offsetof(Thing, colour), .kind = KIND_ENUM, .count = 3 },
		{ .offset = offsetof(Thing, opt_id),
		  .kind = KIND_UUID,
		  .count = 2,
		  .fragment = true },
	};
	static const DbQuery q = { .choices = choices,
		                   .n_choices = COUNT(choices),
		                   .n_variants = 12 };
	static const struct {
		bool text;
		unsigned colour;
		bool id;
		size_t want;
	} rows[] = {
		{ false, 0, false, 0 },  { true, 0, false, 1 },
		{ false, 1, false, 2 },  { true, 2, false, 5 },
		{ false, 0, true, 6 },   { true, 2, true, 11 },
		{ false, 3, false, 12 }, { false, UINT32_MAX, true, 12 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Thing thing = { .opt_text = { .given = true, .has = rows[i].text },
			        .colour = rows[i].colour,
			        .opt_id = { .has = rows[i].id } };
		const void *args[] = { &thing };

		assert_int_equal(codec_variant(&q, args), rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_got_again),
		cmocka_unit_test(bytes_are_those_of_the_protocol),
		cmocka_unit_test(an_opt_without_a_value_is_null_both_ways),
		cmocka_unit_test(whether_an_opt_was_given_can_be_asked),
		cmocka_unit_test(a_member_of_an_opt_model_is_null_with_it),
		cmocka_unit_test(the_second_argument_is_reached),
		cmocka_unit_test(what_does_not_fit_is_not_sent),
		cmocka_unit_test(what_was_not_promised_is_refused),
		cmocka_unit_test(no_bytes_are_read_beyond_their_end),
		cmocka_unit_test(a_column_of_another_type_is_noticed),
		cmocka_unit_test(choices_number_the_texts_first_one_lowest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
