#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/encode.h"
#include "common/mail.h"

static Ctx ctx;
static Uuid id;

/* 2026-11-21T09:00:00.123456Z, a Saturday */
static const Instant at = { INT64_C(1795251600123456) };

static int
ctx_open(void **state)
{
	(void)state;
	ctx.arena = arena_open(MIB(16));
	return uuid_read(S("01937b2e-0000-7000-8000-0000000000ff"), &id) ? 0 : -1;
}

static int
ctx_close(void **state)
{
	(void)state;
	arena_close(ctx.arena);
	return 0;
}

static Str
write_from(const char *sender, const Mail *mail)
{
	MailFrom from;
	Str out;

	assert_true(mail_from_read(str_of(sender), &from));
	assert_null(mail_write(&ctx, &from, mail, id, at, &out));
	return out;
}

/* The value of a header as it stands, folds and all. */
static Str
header(Str message, const char *name)
{
	Str head = str_print(ctx.arena, "\r\n%s: ", name);
	const char *found;

	message = str_print(ctx.arena, "\r\n%.*s", STR_ARG(message));
	found = memmem(message.p, message.n, head.p, head.n);
	assert_non_null(found);
	message = str_sub(message, (size_t)(found - message.p) + head.n, message.n);
	for (size_t i = 0; i + 2 < message.n; i++)
		if (message.p[i] == '\r' && message.p[i + 2] != ' ')
			return str_sub(message, 0, i);
	return message;
}

static Str
body(Str message)
{
	const char *found = memmem(message.p, message.n, "\r\n\r\n", 4);

	assert_non_null(found);
	return str_sub(message, (size_t)(found - message.p) + 4, message.n);
}

/* What base64 with its line ends stands for. */
static Str
decoded(Str text)
{
	Buf digits = { .arena = ctx.arena };
	uint8_t *bytes;
	size_t n;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' && text.p[i] != '\n' && text.p[i] != '=')
			buf_byte(&digits, text.p[i] == '+'   ? '-'
			                  : text.p[i] == '/' ? '_'
			                                     : text.p[i]);
	assert_true(base64url_read(ctx.arena, buf_str(&digits), &bytes, &n));
	return (Str){ (const char *)bytes, n };
}

static void
assert_str(Str got, const char *want)
{
	assert_string_equal(str_text(ctx.arena, got), want);
}

static void
a_message_is_whole(void **state)
{
	Mail mail = { S("malee@example.org"), S("Hello"), S("One\nTwo\n") };

	(void)state;
	assert_str(write_from("Example Shop <no-reply@example.com>", &mail),
	           "Date: Sat, 21 Nov 2026 09:00:00 +0000\r\n"
	           "From: \"Example Shop\"\r\n <no-reply@example.com>\r\n"
	           "To: <malee@example.org>\r\n"
	           "Subject: Hello\r\n"
	           "Message-ID: <01937b2e-0000-7000-8000-0000000000ff@example.com>\r\n"
	           "MIME-Version: 1.0\r\n"
	           "Content-Type: text/plain; charset=utf-8\r\n"
	           "Content-Transfer-Encoding: base64\r\n"
	           "Auto-Submitted: auto-generated\r\n"
	           "\r\n"
	           "T25lDQpUd28NCg==\r\n");
}

static void
subjects_are_plain_or_encoded(void **state)
{
	static const struct {
		const char *subject, *want;
	} rows[] = {
		{ "Plain words, 100 %", "Plain words, 100 %" },
		{ "=?UTF-8?Q?x?=", "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=" },
		{ "ยืนยันอีเมล", "=?UTF-8?B?4Lii4Li34LiZ4Lii4Lix4LiZ4Lit4Li14LmA4Lih4Lil?=" },
		{ "ยืนยันอีเมลของคุณ",
		  "=?UTF-8?B?4Lii4Li34LiZ4Lii4Lix4LiZ4Lit4Li14LmA4Lih4Lil4LiC4Lit?=\r\n"
		  " =?UTF-8?B?4LiH4LiE4Li44LiT?=" },
		{ "1 ยืนยันอีเมลของคุณ",
		  "=?UTF-8?B?MSDguKLguLfguJnguKLguLHguJnguK3guLXguYDguKHguKXguII=?=\r\n"
		  " =?UTF-8?B?4Lit4LiH4LiE4Li44LiT?=" },
		{ "A subject of eighty ASCII characters is folded too, since a line has only "
		  "so few.",
		  "=?UTF-8?B?QSBzdWJqZWN0IG9mIGVpZ2h0eSBBU0NJSSBjaGFyYWN0ZXJzIGlz?=\r\n"
		  " =?UTF-8?B?IGZvbGRlZCB0b28sIHNpbmNlIGEgbGluZSBoYXMgb25seSBzbyBm?=\r\n"
		  " =?UTF-8?B?ZXcu?=" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Mail mail = { S("a@example.org"), str_of(rows[i].subject), S("text") };

		assert_str(header(write_from("p@example.org", &mail), "Subject"), rows[i].want);
	}
}

static void
senders_may_have_names(void **state)
{
	static const struct {
		const char *from, *want;
	} rows[] = {
		{ "p@example.org", "<p@example.org>" },
		{ "<p@example.org>", "<p@example.org>" },
		{ "A \"B\" \\ C, Ltd. <p@example.org>",
		  "\"A \\\"B\\\" \\\\ C, Ltd.\"\r\n <p@example.org>" },
		{ "ร้าน <p@example.org>", "=?UTF-8?B?4Lij4LmJ4Liy4LiZ?=\r\n <p@example.org>" },
	};
	Mail mail = { S("a@example.org"), S("s"), S("t") };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_str(header(write_from(rows[i].from, &mail), "From"), rows[i].want);
}

/*
 * Whatever the text is, the wire has short lines of base64, and the reader the text with CRLF.
 */
static void
texts_arrive_as_they_were(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ ".\n..\n.hidden", ".\r\n..\r\n.hidden" },
		{ "one\r\ntwo\rthree\n", "one\r\ntwo\r\nthree\r\n" },
		{ "From the beginning", "From the beginning" },
		{ "สวัสดี", "สวัสดี" },
	};
	char *line = arena_new(ctx.arena, char, 20001);
	Mail mail = { S("a@example.org"), S("s"), { line, 20000 } };
	Str rest, part;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Mail one = { S("a@example.org"), S("s"), str_of(rows[i].text) };

		assert_str(decoded(body(write_from("p@example.org", &one))), rows[i].want);
	}
	memset(line, 'x', 20000);
	rest = write_from("p@example.org", &mail);
	assert_true(str_eq(decoded(body(rest)), mail.text));
	while (str_next(&rest, '\n', &part)) {
		assert_true(part.n <= 77);
		assert_true(part.n == 0 || (part.p[part.n - 1] == '\r' && part.p[0] != '.'));
	}
}

static void
what_would_be_a_header_is_refused(void **state)
{
	static const struct {
		Mail mail;
		const char *pointer;
	} rows[] = {
		{ { S("a@example.org\r\nBcc: b@example.org"), S("s"), S("t") }, "/to" },
		{ { S("a@example.org>\r\nRCPT TO:<b@example.org"), S("s"), S("t") }, "/to" },
		{ { S("a@example.org\0"), S("s"), S("t") }, "/to" },
		{ { S("a@example.org, b@example.org"), S("s"), S("t") }, "/to" },
		{ { S("nobody"), S("s"), S("t") }, "/to" },
		{ { S(""), S("s"), S("t") }, "/to" },
		{ { S("a@example.org"), S("s\r\nBcc: b@example.org"), S("t") }, "/subject" },
		{ { S("a@example.org"), S("s\nx"), S("t") }, "/subject" },
		{ { S("a@example.org"), S("s\rx"), S("t") }, "/subject" },
		{ { S("a@example.org"), S("s\0x"), S("t") }, "/subject" },
		{ { S("a@example.org"), S("\xff"), S("t") }, "/subject" },
		{ { S("a@example.org"), S(""), S("t") }, "/subject" },
		{ { S("a@example.org"), S("s"), S("t\0x") }, "/text" },
		{ { S("a@example.org"), S("s"), S("\xc3") }, "/text" },
		{ { S("a@example.org"), S("s"), S("") }, "/text" },
	};
	MailFrom from = { STR_NONE, S("p@example.org") };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str out = S("untouched");
		const Problem *p = mail_write(&ctx, &from, &rows[i].mail, id, at, &out);

		assert_non_null(p);
		assert_int_equal(p->code, P_validation_failed);
		assert_int_equal(p->n_fields, 1);
		assert_str(p->fields[0].pointer, rows[i].pointer);
		assert_str(out, "untouched");
	}
}

static void
senders_that_would_be_commands_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"nobody",
		"@example.org",
		"p@",
		"p@-x",
		"p @example.org",
		"p@example.org>",
		"<p@example.org",
		"p@example.org\r\nRCPT TO:<x@example.org>",
		"Name\r\nBcc: x@example.org <p@example.org>",
		"Name <p@example.org> x",
		"A <b@example.org> <p@example.org>",
		"p@ex@mple.org",
		"\xff <p@example.org>",
	};
	MailFrom from;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (mail_from_read(str_of(bad[i]), &from))
			fail_msg("'%s' is taken", bad[i]);
	assert_false(mail_from_read(S("p\0@example.org"), &from));
}

static void
urls_of_servers_are_checked(void **state)
{
	static const struct {
		const char *url;
		bool good, tls, login;
	} rows[] = {
		{ "smtp://localhost", true, false, false },
		{ "smtp://mail.example.org:587", true, false, false },
		{ "smtp://127.0.0.1:2525", true, false, false },
		{ "smtp://[::1]", true, false, false },
		{ "smtp://[::1]:587", true, false, false },
		{ "smtps://mail.example.org", true, true, false },
		{ "smtps://user:p%40ss@mail.example.org:465", true, true, true },
		{ "smtp://user@example.org:pass@mail.example.org", false, false, false },
		{ "smtp://user%40example.org:pass@mail.example.org", true, false, true },
		{ "smtp://:pass@mail.example.org", false, false, false },
		{ "smtp://user:@mail.example.org", false, false, false },
		{ "smtp://user@mail.example.org", false, false, false },
		{ "smtp://user:p%4@mail.example.org", false, false, false },
		{ "smtp://user:p a@mail.example.org", false, false, false },
		{ "smtp://", false, false, false },
		{ "smtp://localhost:", false, false, false },
		{ "smtp://localhost:0", false, false, false },
		{ "smtp://localhost:65536", false, false, false },
		{ "smtp://localhost/name", false, false, false },
		{ "smtp://local\r\nhost", false, false, false },
		{ "http://localhost", false, false, false },
		{ "localhost", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		SmtpUrl url = { 0 };

		if (smtp_url_read(str_of(rows[i].url), &url) != rows[i].good)
			fail_msg("%s: %s", rows[i].url, rows[i].good ? "refused" : "taken");
		assert_int_equal(url.tls, rows[i].tls);
		assert_int_equal(url.login, rows[i].login);
	}
}

static void
base64_is_padded(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xef\xbe", "/+++" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_str(
		    base64(ctx.arena, (const uint8_t *)rows[i].text, strlen(rows[i].text)),
		    rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_whole),
		cmocka_unit_test(subjects_are_plain_or_encoded),
		cmocka_unit_test(senders_may_have_names),
		cmocka_unit_test(texts_arrive_as_they_were),
		cmocka_unit_test(what_would_be_a_header_is_refused),
		cmocka_unit_test(senders_that_would_be_commands_are_refused),
		cmocka_unit_test(urls_of_servers_are_checked),
		cmocka_unit_test(base64_is_padded),
	};

	return cmocka_run_group_tests(tests, ctx_open, ctx_close);
}
