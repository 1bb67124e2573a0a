#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/json.h"
#include "fcgi/infer_words.h"

static Str endpoints[] = {
	{ "http://triton:8000", 18 },
	{ "https://GPU-2.example.org/v/", 28 },
	{ "http://[2001:db8::7]:80/a", 25 },
};

static void
check_words(const char *body, const char *want)
{
	Ctx ctx = { .arena = arena_open(MIB(1)) };
	Str got = infer_words(&ctx, str_of(body), (StrList){ endpoints, COUNT(endpoints) });

	if (got.n != strlen(want) || (got.n > 0 && memcmp(got.p, want, got.n) != 0))
		fail_msg("%s\ngot  %.*s\nwant %s", body, STR_ARG(got), want);
	arena_close(ctx.arena);
}

/* The words of {"error": text}. */
static void
check_error(const char *text, const char *want)
{
	Arena *arena = arena_open(MIB(1));
	Buf body = { .arena = arena };

	buf_puts(&body, "{\"error\":");
	json_put_str(&body, str_of(text));
	buf_byte(&body, '}');
	check_words(str_text(arena, buf_str(&body)), want);
	arena_close(arena);
}

static void
each_server_says_it_in_its_own_place(void **state)
{
	static const struct {
		const char *body, *want;
	} rows[] = {
		{ "{\"error\":\"unexpected shape\"}", "unexpected shape" },
		{ "{\"code\":400,\"type\":\"X\",\"message\":\"no rows\"}", "no rows" },
		{ "{\"detail\":\"Not Found\"}", "Not Found" },
		{ "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"},{\"msg\":\"no "
		  "list\"}]}",
		  "field required; no list" },
		{ "{\"error\":{\"message\":\"not here\"}}", "" },
		{ "{\"error\":7}", "" },
		{ "{}", "" },
		{ "[]", "" },
		{ "", "" },
		{ "Traceback (most recent call last):", "" },
		{ "{\"error\":\"\xff\"}", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_words(rows[i].body, rows[i].want);
}

static void
what_tells_of_the_inside_is_left_out(void **state)
{
	/* whole words; … stands where they were */
	static const char *const inside[] = {
		"/opt/models/digits",
		"'/opt/tritonserver'",
		"\"/x\"",
		"../weights.json",
		"models/digits/1",
		"lib/server.py",
		"server.py:117",
		"C:\\models\\digits",
		"http://10.1.2.3/v2",
		"grpc://x",
		"10.1.2.3",
		"(10.1.2.3:8001)",
		"host=10.1.2.3,",
		"triton",
		"'triton:8000'",
		"TRITON",
		"gpu-2.example.org",
		"worker-7:8080",
		"localhost",
		"[::1]:8000",
		"fe80::1",
		"2001:db8::7",
		"0x7f12ab34cd",
		"<object@0x55d0c0ffee>",
		"file:///etc/passwd",
		"~/models/a",
	};
	static const char *const plain[] = {
		"[1,64]", "shape",   "expected:", "N/A",     "images/s", "std::string",
		"a::b",   "input:0", "2.51.0",    "3.14",    "0x10",     "tritons",
		"and/or", "10%",     "x-y_z",     "'image'", "FP32",     "-1",
		"e.g.",   "1:2",     "/",         "::",      "1.2.3",    "{}",
	};
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(inside); i++)
		check_error(arena_print(arena, "before %s after", inside[i]), "before … after");
	for (size_t i = 0; i < COUNT(plain); i++) {
		const char *text = arena_print(arena, "before %s after", plain[i]);

		check_error(text, text);
	}
	arena_close(arena);
}

static void
words_are_one_short_line(void **state)
{
	Arena *arena = arena_open(MIB(1));
	Buf text = { .arena = arena };
	Str words;
	Ctx ctx = { .arena = arena };

	(void)state;
	check_error("\ttwo\r\nlines\x7f of\x1b[31m red\xc2\x85next\xe2\x80\xa8last ",
	            "two lines of [31m red next last");
	check_error("ภาพไม่ถูกต้อง", "ภาพไม่ถูกต้อง");
	buf_puts(&text, "{\"error\":\"");
	for (int i = 0; i < 3000; i++)
		buf_puts(&text, "ก ");
	buf_puts(&text, "\"}");
	words = infer_words(&ctx, buf_str(&text), (StrList){ endpoints, COUNT(endpoints) });
	assert_int_equal(str_points(words), INFER_WORDS_MAX);
	arena_close(arena);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_server_says_it_in_its_own_place),
		cmocka_unit_test(what_tells_of_the_inside_is_left_out),
		cmocka_unit_test(words_are_one_short_line),
	};

	return cmocka_run_group_tests_name("infer_words", tests, NULL, NULL);
}
