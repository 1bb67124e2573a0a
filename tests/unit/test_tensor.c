#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fcgi/tensor.h"

/* The problem's code, then code and pointer of each field; "" when nothing is wrong. */
static Str
told(Arena *arena, const Problem *p)
{
	Buf out = { .arena = arena };

	if (p == NULL)
		return S("");
	buf_puts(&out, problem_rows[p->code].code);
	for (size_t i = 0; i < p->n_fields; i++)
		buf_print(&out, " %s %.*s", message_rows[p->fields[i].code].code,
		          STR_ARG(p->fields[i].pointer));
	return buf_str(&out);
}

static void
check_text(Str got, const char *want)
{
	if (got.n != strlen(want) || memcmp(got.p, want, got.n) != 0)
		fail_msg("got  %.*s\nwant %s", STR_ARG(got), want);
}

static void
check_request(const char *body, const TensorPlan *plan, const char *want)
{
	Ctx ctx = { .arena = arena_open(MIB(1)) };

	check_text(told(ctx.arena, tensor_request_check(&ctx, str_of(body), plan)), want);
	arena_close(ctx.arena);
}

/* One input x of a request that is right but for what the row says. */
static void
check_input(const char *datatype, const char *shape, const char *data, const char *want)
{
	Arena *arena = arena_open(MIB(1));

	check_request(
	    arena_print(arena,
	                "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"%s\",\"shape\":%s,"
	                "\"data\":%s}]}",
	                datatype, shape, data),
	    &(TensorPlan){ 0 }, want);
	arena_close(arena);
}

static void
each_datatype_takes_what_it_holds_and_nothing_more(void **state)
{
	static const struct {
		const char *datatype, *right, *wrong, *code;
	} rows[] = {
		{ "BOOL", "true", "1", "type" },
		{ "BOOL", "false", "\"true\"", "type" },
		{ "BOOL", "false", "null", "type" },
		{ "INT8", "127", "128", "out_of_range" },
		{ "INT8", "-128", "-129", "out_of_range" },
		{ "INT16", "32767", "32768", "out_of_range" },
		{ "INT16", "-32768", "-32769", "out_of_range" },
		{ "INT32", "2147483647", "2147483648", "out_of_range" },
		{ "INT32", "-2147483648", "-2147483649", "out_of_range" },
		{ "INT64", "9223372036854775807", "9223372036854775808", "out_of_range" },
		{ "INT64", "-9223372036854775808", "-9223372036854775809", "out_of_range" },
		{ "INT64", "0", "99999999999999999999999", "out_of_range" },
		{ "INT64", "0", "1.0", "type" },
		{ "INT64", "0", "1e2", "type" },
		{ "INT64", "0", "\"1\"", "type" },
		{ "INT64", "0", "true", "type" },
		{ "UINT8", "255", "256", "out_of_range" },
		{ "UINT8", "-0", "-1", "out_of_range" },
		{ "UINT16", "65535", "65536", "out_of_range" },
		{ "UINT32", "4294967295", "4294967296", "out_of_range" },
		{ "UINT64", "18446744073709551615", "18446744073709551616", "out_of_range" },
		{ "UINT64", "0", "-1", "out_of_range" },
		{ "FP16", "65504", "65520", "out_of_range" },
		{ "FP16", "-6.55e4", "-1E5", "out_of_range" },
		{ "FP16", "1234.5678", "12345678", "out_of_range" },
		{ "FP32", "3.4028234663852886e38", "3.4028236e+38", "out_of_range" },
		{ "FP32", "-3.4028234663852886e38", "-1e39", "out_of_range" },
		{ "FP32", "1e-300", "{}", "type" },
		{ "FP32", "7", "null", "type" },
		{ "FP32", "340282346638528860000000000000000000000",
		  "340282366920938460000000000000000000000", "out_of_range" },
		{ "FP64", "1.7976931348623157e308", "\"1\"", "type" },
		{ "FP64", "0", "false", "type" },
		{ "BYTES", "\"\"", "1", "type" },
		{ "BYTES", "\"a]\\\"b\"", "null", "type" },
	};
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		check_input(rows[i].datatype, "[2]",
		            arena_print(arena, "[%s,%s]", rows[i].right, rows[i].right), "");
		check_input(
		    rows[i].datatype, "[2]",
		    arena_print(arena, "[ %s ,\n%s\t]", rows[i].right, rows[i].wrong),
		    arena_print(arena, "invalid_tensor %s /inputs/0/data/1", rows[i].code));
	}
	arena_close(arena);
}

static const struct {
	const char *shape, *data, *want; /* want: code and pointer below the input */
} shapes[] = {
	{ "[]", "[7]", "" },
	{ "[0]", "[]", "" },
	{ "[2,0]", "[[],[]]", "" },
	{ "[2,0]", "[]", "" },
	{ "[0,3]", "[]", "" },
	{ "[2,3]", "[1,2,3,4,5,6]", "" },
	{ "[2,3]", "[[1,2,3],[4,5,6]]", "" },
	{ "[2,3]", " [ [ 1 , 2,3 ],\r\n[4,5,6] ] ", "" },
	{ "[1,2,2]", "[[[1,2],[3,4]]]", "" },
	{ "[]", "7", "type /data" },
	{ "[]", "[]", "shape /data" },
	{ "[2,3]", "[1,2,3,4,5]", "shape /data" },
	{ "[2,3]", "[1,2,3,4,5,6,7]", "shape /data" },
	{ "[2,3]", "[[1,2,3],[4,5]]", "shape /data/1" },
	{ "[2,3]", "[[1,2,3]]", "shape /data" },
	{ "[2,3]", "[[1,2,3],[4,5,6],[7,8,9]]", "shape /data" },
	{ "[2,3]", "[[1,2,3],4]", "shape /data/1" },
	{ "[2,3]", "[[1,2,3],[4,[5],6]]", "shape /data/1/1" },
	{ "[2,2]", "[1,[2],3,4]", "shape /data/1" },
	{ "[1,2,2]", "[[[1,2],[3,4,5]]]", "shape /data/0/1" },
	{ "[1,2,2]", "[[1,2,3,4]]", "shape /data/0/0" },
	{ "[2]", "{\"0\":1}", "type /data" },
	{ "[2]", "\"12\"", "type /data" },
	{ "[2]", "null", "type /data" },
	{ "[2]", "[1,{\"a\":[1]}]", "type /data/1" },
	{ "[-1]", "[1]", "too_small /shape/0" },
	{ "[1.0]", "[1]", "type /shape/0" },
	{ "[\"1\"]", "[1]", "type /shape/0" },
	{ "[1e3]", "[1]", "type /shape/0" },
	{ "[1180591620717411303424]", "[1]", "out_of_range /shape/0" },
	{ "[1,-1180591620717411303424]", "[1]", "out_of_range /shape/1" },
	{ "1", "[1]", "type /shape" },
	{ "null", "[1]", "type /shape" },
	{ "[4294967296,4294967296]", "[1]", "out_of_range /shape/1" },
	{ "[4294967296,2]", "[1]", "shape /data" },
	{ "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]", "" },
	{ "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]",
	  "too_many /shape" },
};

static void
data_are_flat_or_nested_as_the_shape_says(void **state)
{
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const char *below = strchr(shapes[i].want, '/');
		const char *want =
		    below == NULL
			? ""
			: arena_print(arena, "invalid_tensor %.*s/inputs/0%s",
		                      (int)(below - shapes[i].want), shapes[i].want, below);
		Str got;
		Ctx ctx = { .arena = arena };
		const char *body = arena_print(arena,
		                               "{\"inputs\":[{\"name\":\"x\",\"datatype\":"
		                               "\"INT32\",\"shape\":%s,\"data\":%s}]}",
		                               shapes[i].shape, shapes[i].data);

		/* the first is what counts: a list of a wrong length may hold other faults */
		got = told(arena, tensor_request_check(&ctx, str_of(body), &(TensorPlan){ 0 }));
		if (strlen(want) == 0 ? got.n > 0 : !str_starts(got, str_of(want)))
			fail_msg("%s\ngot  %.*s\nwant %s", body, STR_ARG(got), want);
	}
	arena_close(arena);
}

#define INPUT "{\"name\":\"x\",\"datatype\":\"BOOL\",\"shape\":[1],\"data\":[true]}"

static const struct {
	const char *body, *want;
} frames[] = {
	{ "{\"inputs\":[" INPUT "]}", "" },
	{ "{\"id\":\"a\",\"parameters\":{\"priority\":1},\"inputs\":[" INPUT "],\"outputs\":["
	  "{\"name\":\"y\",\"parameters\":{\"classification\":3}}]}",
	  "" },
	{ "{\"id\":null,\"parameters\":null,\"inputs\":[" INPUT "],\"outputs\":null}", "" },
	{ "{\"\\u0069nputs\":[" INPUT "]}", "" },
	{ "", "malformed_json" },
	{ "{\"inputs\":[" INPUT "]", "malformed_json" },
	{ "{\"inputs\":[" INPUT "]} x", "malformed_json" },
	{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":["
	  "NaN]}]}",
	  "malformed_json" },
	{ "{\"inputs\":[],\"inputs\":[]}", "malformed_json" },
	{ "[" INPUT "]", "validation_failed type " },
	{ "null", "validation_failed type " },
	{ "{}", "invalid_tensor required /inputs" },
	{ "{\"inputs\":null}", "invalid_tensor type /inputs" },
	{ "{\"inputs\":{}}", "invalid_tensor type /inputs" },
	{ "{\"inputs\":[]}", "invalid_tensor too_few /inputs" },
	{ "{\"inputs\":[7]}", "invalid_tensor type /inputs/0" },
	{ "{\"inputs\":[{}]}",
	  "invalid_tensor required /inputs/0/name required "
	  "/inputs/0/datatype required /inputs/0/shape required /inputs/0/data" },
	{ "{\"inputs\":[" INPUT "," INPUT "]}", "invalid_tensor repeated /inputs/1/name" },
	{ "{\"inputs\":[" INPUT "],\"input\":1,\"a/b~\":2}",
	  "validation_failed unknown_field /input unknown_field /a~1b~0" },
	{ "{\"inputs\":[{\"nam\":\"x\","
	  "\"name\":\"x\",\"datatype\":\"BOOL\",\"shape\":[1],"
	  "\"data\":[true]}]}",
	  "validation_failed unknown_field /inputs/0/nam" },
	{ "{\"id\":7,\"inputs\":[" INPUT "]}", "validation_failed type /id" },
	{ "{\"parameters\":[],\"inputs\":[" INPUT "]}", "validation_failed type /parameters" },
	{ "{\"inputs\":[{\"name\":\"\",\"datatype\":\"BF16\",\"shape\":[1],\"data\":[1]"
	  "}]}",
	  "invalid_tensor too_short /inputs/0/name not_allowed /inputs/0/datatype" },
	{ "{\"inputs\":[{\"name\":1,\"datatype\":2,\"shape\":[1],\"data\":[1]}]}",
	  "invalid_tensor type /inputs/0/name type /inputs/0/datatype" },
	{ "{\"inputs\":[" INPUT "],\"outputs\":{}}", "invalid_tensor type /outputs" },
	{ "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"},{}]}",
	  "invalid_tensor repeated /outputs/1/name required /outputs/2/name" },
	/* what JSON does not carry here */
	{ "{\"parameters\":{\"binary_data_output\":true},\"inputs\":[" INPUT "]}",
	  "validation_failed not_allowed /parameters/binary_data_output" },
	{ "{\"parameters\":{\"binary_data_output\":false},\"inputs\":[" INPUT "]}", "" },
	{ "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"y\",\"parameters\":"
	  "{\"binary_data\":true}}]}",
	  "invalid_tensor not_allowed "
	  "/outputs/0/parameters/binary_data" },
	{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BOOL\",\"shape\":[1],"
	  "\"parameters\":"
	  "{\"binary_data_size\":1}}]}",
	  "invalid_tensor not_allowed "
	  "/inputs/0/parameters/binary_data_size required /inputs/0/data" },
	{ "{\"inputs\":[" INPUT "],\"outputs\":[{\"name\":\"y\",\"parameters\":"
	  "{\"shared_memory_region\":\"r\"}}]}",
	  "invalid_tensor not_allowed "
	  "/outputs/0/parameters/shared_memory_region" },
};

static void
the_frame_of_a_request_is_the_protocols(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(frames); i++)
		check_request(frames[i].body, &(TensorPlan){ 0 }, frames[i].want);
}

static void
a_request_fits_what_the_model_declares(void **state)
{
	static int64_t image_shape[] = { -1, 2 }, mask_shape[] = { 1 };
	static TensorSpec inputs[] = {
		{ { "image", 5 }, { "FP32", 4 }, { image_shape, 2 } },
		{ { "mask", 4 }, { "BOOL", 4 }, { mask_shape, 1 } },
	};
	static TensorSpec outputs[] = { { { "label", 5 }, { "INT64", 5 }, { mask_shape, 1 } } };
	static const TensorPlan plan = { { inputs, 2 }, { outputs, 1 } };
#define MASK "{\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[1],\"data\":[true]}"
	static const struct {
		const char *inputs, *want;
	} rows[] = {
		{ "{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,2]}"
		  "," MASK,
		  "" },
		{ "{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1,2,3,4]"
		  "}," MASK,
		  "" },
		{ MASK, "invalid_tensor required /inputs" },
		{ "{\"name\":\"imag\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,2]}"
		  "," MASK,
		  "invalid_tensor not_allowed /inputs/0/name required /inputs" },
		{ "{\"name\":\"image\",\"datatype\":\"FP64\",\"shape\":[1,2],\"data\":[1,2]}"
		  "," MASK,
		  "invalid_tensor not_allowed /inputs/0/datatype" },
		{ "{\"name\":\"image\",\"datatype\":\"FP99\",\"shape\":[1,2],\"data\":[1,2]}"
		  "," MASK,
		  "invalid_tensor not_allowed /inputs/0/datatype" },
		{ "{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[1,2,3]}"
		  "," MASK,
		  "invalid_tensor shape /inputs/0/shape/1" },
		{ "{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2]}"
		  "," MASK,
		  "invalid_tensor shape /inputs/0/shape" },
		{ MASK ","
		       "{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,"
		       "\"2\"]}",
		  "invalid_tensor type /inputs/1/data/1" },
	};
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_request(arena_print(arena, "{\"inputs\":[%s]}", rows[i].inputs), &plan,
		              rows[i].want);
	check_request(arena_print(arena, "{\"inputs\":[%s],\"outputs\":[{\"name\":\"label\"}]}",
	                          rows[0].inputs),
	              &plan, "");
	check_request(arena_print(arena,
	                          "{\"inputs\":[%s],\"outputs\":[{\"name\":\"scores\"}]}",
	                          rows[0].inputs),
	              &plan, "invalid_tensor not_allowed /outputs/0/name");
	arena_close(arena);
}

static void
a_hundred_faults_are_told_and_no_more(void **state)
{
	Ctx ctx = { .arena = arena_open(MIB(16)) };
	Buf body = { .arena = ctx.arena };
	const Problem *p;

	(void)state;
	buf_puts(
	    &body,
	    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[100000],\"data\":[");
	for (size_t i = 0; i < 100000; i++)
		buf_puts(&body, i == 0 ? "null" : ",null");
	buf_puts(&body, "]}]}");
	p = tensor_request_check(&ctx, buf_str(&body), &(TensorPlan){ 0 });
	assert_non_null(p);
	assert_int_equal(p->n_fields, FIELD_ERRORS_MAX);
	check_text(p->fields[99].pointer, "/inputs/0/data/99");
	/* memory goes to what is told, not to what was read */
	assert_true(arena_used(ctx.arena) < MIB(3));
	arena_close(ctx.arena);
}

static void
an_answer_is_held_to_the_protocol(void **state)
{
#define OUTPUT(shape, data)                                                                    \
	"{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":" shape ",\"data\":" data "}"
	static const struct {
		const char *body;
		bool right;
	} rows[] = {
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,2]") "]}", true },
		{ "{\"outputs\":[]}", true },
		{ "{\"model_name\":\"m\",\"model_version\":null,\"id\":\"a\",\"parameters\":"
		  "null,\"x\":1,"
		  "\"outputs\":[" OUTPUT("[1,2]", "[[1,2.5]]") "]}",
		  true },
		{ "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":["
		  "1],"
		  "\"parameters\":{\"binary_data_size\":4},\"more\":[]}]}",
		  true },
		{ "", false },
		{ "[]", false },
		{ "{}", false },
		{ "{\"error\":\"no\"}", false },
		{ "<html></html>", false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,NaN]") "]}", false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,Infinity]") "]}", false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,null]") "]}", false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1]") "]}", false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,1e39]") "]}", false },
		{ "{\"outputs\":[" OUTPUT("[-1]", "[1]") "]}", false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,2]") "," OUTPUT("[2]", "[1,2]") "]}",
		  false },
		{ "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":"
		  "[\"\xff\"]}]}",
		  false },
		{ "{\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1]}]}",
		  false },
		{ "{\"outputs\":[" OUTPUT("[2]", "[1,2]") "]", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Ctx ctx = { .arena = arena_open(MIB(1)) };
		const Problem *p = tensor_answer_check(&ctx, str_of(rows[i].body));

		if ((p == NULL) != rows[i].right)
			fail_msg("%s: %s", rows[i].body, p == NULL ? "taken" : p->inside);
		if (p != NULL) {
			assert_int_equal(p->code, P_upstream_error);
			assert_non_null(p->inside);
			assert_int_equal(p->n_fields, 0); /* nothing of it reaches the client */
		}
		arena_close(ctx.arena);
	}
}

static void
metadata_is_believed_where_it_makes_sense(void **state)
{
	static const struct {
		const char *text;
		size_t inputs, outputs;
	} rows[] = {
		{ "{\"name\":\"m\",\"versions\":[\"1\"],\"inputs\":[{\"name\":\"image\","
		  "\"datatype\":\"FP32\","
		  "\"shape\":[-1,64],\"parameters\":{\"x\":1}}],\"outputs\":[{\"name\":"
		  "\"label\","
		  "\"datatype\":\"BF16\",\"shape\":[-1]}]}",
		  1, 1 },
		{ "{\"inputs\":null,\"outputs\":[]}", 0, 0 },
		{ "{\"inputs\":[{\"name\":\"image\"}],\"outputs\":[{\"name\":\"y\","
		  "\"datatype\":\"FP32\","
		  "\"shape\":[1]}]}",
		  0, 1 },
		{ "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-2]}]}", 0,
		  0 },
		{ "{}", 0, 0 },
		{ "[]", 0, 0 },
		{ "nothing", 0, 0 },
		{ "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Ctx ctx = { .arena = arena_open(MIB(1)) };
		TensorPlan plan;

		tensor_plan_read(&ctx, str_of(rows[i].text), &plan);
		assert_int_equal(plan.inputs.n, rows[i].inputs);
		assert_int_equal(plan.outputs.n, rows[i].outputs);
		if (i == 0) {
			check_text(plan.inputs.v[0].name, "image");
			assert_int_equal(plan.inputs.v[0].shape.n, 2);
			assert_int_equal(plan.inputs.v[0].shape.v[0], -1);
			assert_int_equal(plan.inputs.v[0].shape.v[1], 64);
			check_text(plan.outputs.v[0].datatype, "BF16");
		}
		arena_close(ctx.arena);
	}
}

static void
a_declaration_of_ours_is_read_strictly(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
		{ "[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,64]}]", "" },
		{ "[]", "" },
		{ "[{\"name\":\"x\",\"datatype\":\"BF16\",\"shape\":[1]}]",
		  "validation_failed not_allowed /inputs/0/datatype" },
		{ "[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-2],\"data\":[]}]",
		  "validation_failed too_small /inputs/0/shape/0 unknown_field "
		  "/inputs/0/data" },
		{ "[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[]},{\"name\":\"x\"}]",
		  "validation_failed required /inputs/1/datatype required /inputs/1/shape "
		  "repeated "
		  "/inputs/1/name" },
		{ "{}", "validation_failed type /inputs" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Ctx ctx = { .arena = arena_open(MIB(1)) };
		FieldErrors *errors = arena_new(ctx.arena, FieldErrors, 1);
		TensorSpecs specs;

		tensor_specs_read(ctx.arena, str_of(rows[i].list), S("/inputs"), false, &specs,
		                  errors);
		check_text(told(ctx.arena, problem_fields(&ctx, P_validation_failed, errors)),
		           rows[i].want);
		arena_close(ctx.arena);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_datatype_takes_what_it_holds_and_nothing_more),
		cmocka_unit_test(data_are_flat_or_nested_as_the_shape_says),
		cmocka_unit_test(the_frame_of_a_request_is_the_protocols),
		cmocka_unit_test(a_request_fits_what_the_model_declares),
		cmocka_unit_test(a_hundred_faults_are_told_and_no_more),
		cmocka_unit_test(an_answer_is_held_to_the_protocol),
		cmocka_unit_test(metadata_is_believed_where_it_makes_sense),
		cmocka_unit_test(a_declaration_of_ours_is_read_strictly),
	};

	return cmocka_run_group_tests_name("tensor", tests, NULL, NULL);
}
