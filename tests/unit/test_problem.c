#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/settings.h"

static Arena *arena;

static int
arena_make(void **state)
{
	(void)state;
	arena = arena_open(MIB(8));
	return 0;
}

static int
arena_drop(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

static size_t
count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part))
		n++;
	return n;
}

/* Has a letter of the Thai block, U+0E00 to U+0E7F. */
static bool
has_thai(const char *text)
{
	return strstr(text, "\xE0\xB8") != NULL || strstr(text, "\xE0\xB9") != NULL;
}

static void
every_problem_has_words_in_both_languages(void **state)
{
	(void)state;
	for (int i = 0; i < PROBLEM_CODES; i++) {
		const ProblemRow *row = &problem_rows[i];

		assert_in_range(row->status, 400, 599);
		assert_int_equal(problem_code_of(str_of(row->code)), i);
		for (int lang = 0; lang < LANGS; lang++) {
			const char *texts[] = { row->title[lang], problem_details[i][lang] };

			for (size_t k = 0; k < COUNT(texts); k++) {
				assert_non_null(texts[k]);
				assert_true(str_is_utf8(str_of(texts[k])));
				assert_true(strlen(texts[k]) > 5);
				assert_int_equal(has_thai(texts[k]), lang == LANG_TH);
				assert_int_equal(count_of(texts[k], "%"), 0);
			}
		}
	}
	assert_int_equal(problem_code_of(S("no_such_code")), -1);
}

static void
every_message_has_words_in_both_languages_and_the_same_places_for_the_bound(void **state)
{
	(void)state;
	for (int i = 0; i < FIELD_CODES; i++) {
		const MessageRow *row = &message_rows[i];

		assert_int_equal(*row->code == '\0', i == F_fields_invalid);
		for (int lang = 0; lang < LANGS; lang++) {
			const char *text = row->text[lang];
			Str one = message_text(arena, (FieldCode)i, (Lang)lang, 1);
			Str several = message_text(arena, (FieldCode)i, (Lang)lang, 4711);

			assert_int_equal(count_of(text, "%lld"),
			                 count_of(row->text[LANG_EN], "%lld"));
			assert_int_equal(count_of(text, "%lld"), count_of(text, "%"));
			assert_int_equal(count_of(text, "{"), count_of(text, "}"));
			assert_int_equal(has_thai(text), lang == LANG_TH);
			assert_true(one.n > 5);
			assert_int_equal(str_find(one, '{'), one.n);
			assert_int_equal(str_find(several, '|'), several.n);
			assert_int_equal(count_of(str_text(arena, several), "4711"),
			                 count_of(text, "%lld"));
		}
	}
}

static void
a_bound_is_put_into_words_that_fit_its_number(void **state)
{
	/* clang-format off */
	static const struct { FieldCode code; Lang lang; int64_t number; const char *want; } rows[] = {
		{ F_too_short, LANG_EN, 12, "must be at least 12 characters" },
		{ F_too_short, LANG_EN, 1, "must be at least 1 character" },
		{ F_too_short, LANG_TH, 12, "ต้องยาวอย่างน้อย 12 อักขระ" },
		{ F_too_small, LANG_EN, -5, "must be at least -5" },
		{ F_too_large, LANG_EN, INT64_MAX, "must be at most 9223372036854775807" },
		{ F_email, LANG_EN, 0, "must be an e-mail address" },
		{ F_slug, LANG_EN, 0, "may have a-z, 0-9, '.', '_' and '-' only" },
		{ F_fields_invalid, LANG_EN, 1, "1 field is invalid" },
		{ F_fields_invalid, LANG_EN, 2, "2 fields are invalid" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(str_text(arena, message_text(arena, rows[i].code,
		                                                 rows[i].lang, rows[i].number)),
		                    rows[i].want);
}

static char *
written(const Problem *p, Lang lang)
{
	Ctx ctx = { .arena = arena };
	Buf out = { .arena = arena };
	Uuid instance = { { 1, 0x93, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 7 } };

	problem_write(&out, p, lang, instance);
	assert_null(json_check(&ctx, buf_str(&out), JSON_DEPTH_MAX, JSON_MEMBERS_MAX));
	return str_text(arena, buf_str(&out));
}

#define INSTANCE "\"instance\":\"urn:uuid:01930000-0000-7000-8000-000000000007\""

static void
field_errors_are_written_as_the_contract_shows_them(void **state)
{
	Ctx ctx = { .arena = arena };
	FieldErrors errors = { .n = 0 };
	const Problem *p;

	(void)state;
	assert_null(problem_fields(&ctx, P_validation_failed, &errors));
	field_errors_add(&errors, S("/email"), F_email, 0);
	field_errors_add(&errors, S("/password"), F_too_short, 12);
	p = problem_fields(&ctx, P_validation_failed, &errors);
	assert_string_equal(
	    written(p, LANG_EN),
	    "{\"type\":\"/problems/validation_failed\",\"title\":\"The request has invalid "
	    "fields\","
	    "\"status\":422,\"detail\":\"2 fields are "
	    "invalid\",\"code\":\"validation_failed\"," INSTANCE
	    ",\"errors\":[{\"pointer\":\"/email\",\"code\":\"format\",\"detail\":\"must be an "
	    "e-mail address\"},"
	    "{\"pointer\":\"/password\",\"code\":\"too_short\",\"detail\":\"must be at least "
	    "12 characters\"}]}");
	assert_non_null(strstr(written(p, LANG_TH), "\"detail\":\"ข้อมูลไม่ถูกต้อง 2 รายการ\""));
	assert_non_null(strstr(written(p, LANG_TH), "\"detail\":\"ต้องเป็นที่อยู่อีเมล\""));
}

static void
what_only_the_log_may_know_is_not_written(void **state)
{
	Ctx ctx = { .arena = arena };
	const Problem *p = problem_inside(&ctx, P_internal, "libpq: %s, %d", "secret host", 7);

	(void)state;
	assert_string_equal(p->inside, "libpq: secret host, 7");
	assert_null(strstr(written(p, LANG_EN), "secret"));
	assert_non_null(strstr(written(p, LANG_EN), "\"errors\":[]}"));
	assert_non_null(strstr(written(problem(P_not_found), LANG_TH),
	                       "\"title\":\"ไม่พบสิ่งที่ร้องขอ\",\"status\":404"));
	assert_int_equal(problem_later(&ctx, P_overloaded, 3)->retry_after_s, 3);
	assert_int_equal(problem_field(&ctx, "/a~1b", F_not_allowed)->fields[0].code,
	                 F_not_allowed);
}

static void
words_from_outside_are_escaped(void **state)
{
	Problem p = { .code = P_invalid_tensor, .outside = S("bad \"shape\"\n\xFF") };

	(void)state;
	assert_non_null(
	    strstr(written(&p, LANG_EN), "\"detail\":\"bad \\\"shape\\\"\\n\xEF\xBF\xBD\""));
}

static void
the_type_lies_below_the_base_path(void **state)
{
	const Settings *kept = conf;
	Settings based = { .http_base_path = "/api" };

	(void)state;
	conf = &based;
	assert_non_null(strstr(written(problem(P_forbidden), LANG_EN),
	                       "{\"type\":\"/api/problems/forbidden\""));
	conf = kept;
}

static void
the_hundred_and_first_field_error_is_dropped(void **state)
{
	Ctx ctx = { .arena = arena };
	FieldErrors errors = { .n = 0 };

	(void)state;
	for (int i = 0; i < FIELD_ERRORS_MAX + 50; i++)
		field_errors_add(&errors, S("/a"), F_type, i);
	assert_int_equal(problem_fields(&ctx, P_validation_failed, &errors)->n_fields,
	                 FIELD_ERRORS_MAX);
	assert_int_equal(errors.v[FIELD_ERRORS_MAX - 1].number, FIELD_ERRORS_MAX - 1);
}

static void
the_language_is_looked_up_as_rfc_4647_says(void **state)
{
	/* clang-format off */
	static const struct { const char *header; Lang want; } rows[] = {
		{ "", LANG_EN },
		{ "th", LANG_TH },
		{ "TH", LANG_TH },
		{ "th-TH", LANG_TH },
		{ "th-TH-u-nu-thai", LANG_TH },
		{ "en-GB,th;q=0.9", LANG_EN },
		{ "th;q=0.9,en-GB", LANG_EN },
		{ "en;q=0.8, th;q=0.9", LANG_TH },
		{ "en;q=0.001,th;q=0.002", LANG_TH },
		{ "th,en", LANG_TH },
		{ "en,th", LANG_EN },
		{ "th;q=0.5,en;q=0.5", LANG_TH },
		{ "fr", LANG_EN },
		{ "fr, de;q=0.9, th;q=0.1", LANG_TH },
		{ "fr;q=1, *;q=0.5", LANG_EN },
		{ "*", LANG_EN },
		{ "*, th;q=0.1", LANG_TH },
		{ "en;q=0", LANG_EN },
		{ "en;q=0,*", LANG_TH },
		{ "en;q=0,*;q=0", LANG_EN },
		{ "en;q=0.0, th;q=0.1", LANG_TH },
		{ "th;q=0, *", LANG_EN },
		{ "th;q=0, th-TH", LANG_EN },
		{ "th-TH;q=0, th", LANG_TH },
		{ "th ; q=1", LANG_TH },
		{ "th;q=1.000", LANG_TH },
		{ "th;Q=0.5", LANG_TH },
		{ ", ,th,,", LANG_TH },
		{ "th;q=1.001", LANG_EN },
		{ "th;q=2", LANG_EN },
		{ "th;q=", LANG_EN },
		{ "th;q=-1", LANG_EN },
		{ "th;q=0.1234", LANG_EN },
		{ "th;q=x", LANG_EN },
		{ "th;level=1", LANG_EN },
		{ "thai", LANG_EN },
		{ "t", LANG_EN },
		{ "th_TH", LANG_EN },
		{ "th-", LANG_EN },
		{ "-th", LANG_EN },
		{ "th-toolongasubtag", LANG_EN },
		{ "\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2", LANG_EN },
		{ ";;;,==,q=1", LANG_EN },
		{ "garbage here, th", LANG_TH },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (lang_choose(str_of(rows[i].header)) != rows[i].want)
			fail_msg("\"%s\" gave %s", rows[i].header,
			         lang_tag(lang_choose(str_of(rows[i].header))));
	assert_int_equal(lang_choose(STR_NONE), LANG_EN);
	assert_string_equal(lang_tag(LANG_TH), "th");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_problem_has_words_in_both_languages),
		cmocka_unit_test(
		    every_message_has_words_in_both_languages_and_the_same_places_for_the_bound),
		cmocka_unit_test(a_bound_is_put_into_words_that_fit_its_number),
		cmocka_unit_test(field_errors_are_written_as_the_contract_shows_them),
		cmocka_unit_test(what_only_the_log_may_know_is_not_written),
		cmocka_unit_test(words_from_outside_are_escaped),
		cmocka_unit_test(the_type_lies_below_the_base_path),
		cmocka_unit_test(the_hundred_and_first_field_error_is_dropped),
		cmocka_unit_test(the_language_is_looked_up_as_rfc_4647_says),
	};

	return cmocka_run_group_tests_name("problem", tests, arena_make, arena_drop);
}
