#include "common/mail.h"

#include <time.h>

#include "common/encode.h"

enum {
	SUBJECT_POINTS = 200,
	TEXT_POINTS = 100000,
	LINE_BYTES = 76, /* of a header or base64, without CRLF. Source: RFC 2047, RFC 2045 */
	WORD_BYTES = 39, /* of text in an encoded word: 52 digits, and 12 around them */
};

/* clang-format off */
MODEL(Mail,
	FIELD(Mail, to,      .required = true, .max = 254, .format = FORMAT_EMAIL),
	FIELD(Mail, subject, .required = true, .min = 1, .max = SUBJECT_POINTS),
	FIELD(Mail, text,    .required = true, .min = 1, .max = TEXT_POINTS, .secret = true));
/* clang-format on */

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
has_control(Str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_control(s.p[i]))
			return true;
	return false;
}

const Problem *
mail_check(Ctx *ctx, const Mail *mail)
{
	const struct {
		const char *pointer;
		Str value;
		bool bad;
	} rows[] = {
		{ "/to", mail->to, has_control(mail->to) },
		{ "/subject", mail->subject, has_control(mail->subject) },
		{ "/text", mail->text, str_find(mail->text, '\0') < mail->text.n },
	};
	FieldErrors *errors = arena_new(ctx->arena, FieldErrors, 1);

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].bad || !str_is_utf8(rows[i].value))
			field_errors_add(errors, str_of(rows[i].pointer), F_format, 0);
		else
			field_check(&Mail_fields[i], &rows[i].value, str_of(rows[i].pointer),
			            errors);
	}
	return problem_fields(ctx, P_validation_failed, errors);
}

/* --- headers */

/* May it stand in a header as it is? "=?" would be taken for an encoded word. */
static bool
is_plain(Str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x7f ||
		    (s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
			return false;
	return true;
}

/* Encoded words, a line each; none is cut within a character. */
static void
words_put(Buf *out, Str s)
{
	while (s.n > 0) {
		size_t n = 0;
		Str digits;

		while (n < s.n && n + str_utf8_step(str_sub(s, n, s.n)) <= WORD_BYTES)
			n += str_utf8_step(str_sub(s, n, s.n));
		digits = base64(out->arena, (const uint8_t *)s.p, n);
		buf_print(out, "=?UTF-8?B?%.*s?=%s", STR_ARG(digits), n < s.n ? "\r\n " : "");
		s = str_sub(s, n, s.n);
	}
}

static void
subject_put(Buf *out, Str subject)
{
	static const char name[] = "Subject: ";

	buf_puts(out, name);
	if (is_plain(subject) && sizeof name - 1 + subject.n <= LINE_BYTES)
		buf_put(out, subject);
	else
		words_put(out, subject);
	buf_puts(out, "\r\n");
}

/* A name as a quoted string, or as encoded words; then the address on a line that fits. */
static void
from_put(Buf *out, const MailFrom *from)
{
	buf_puts(out, "From: ");
	if (from->name.n > 0 && is_plain(from->name)) {
		buf_byte(out, '"');
		for (size_t i = 0; i < from->name.n; i++) {
			if (from->name.p[i] == '"' || from->name.p[i] == '\\')
				buf_byte(out, '\\');
			buf_byte(out, from->name.p[i]);
		}
		buf_puts(out, "\"\r\n ");
	} else if (from->name.n > 0) {
		words_put(out, from->name);
		buf_puts(out, "\r\n ");
	}
	buf_print(out, "<%.*s>\r\n", STR_ARG(from->address));
}

/* RFC 5322 section 3.3. The names are the protocol's, not a locale's. */
static void
date_put(Buf *out, Instant at)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(at.us / 1000000);
	struct tm tm;

	CHECK(gmtime_r(&seconds, &tm) != NULL);
	buf_print(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday],
	          tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	          tm.tm_sec);
}

/* --- the text */

/* Each line's end as the wire has it, whatever it was. Source: RFC 2045 section 6.8 */
static Str
lines_of(Arena *arena, Str text)
{
	Buf out = { .arena = arena };

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r' && i + 1 < text.n && text.p[i + 1] == '\n')
			continue;
		if (text.p[i] == '\n' || text.p[i] == '\r')
			buf_puts(&out, "\r\n");
		else
			buf_byte(&out, text.p[i]);
	}
	return buf_str(&out);
}

static void
text_put(Buf *out, Str text)
{
	Str lines = lines_of(out->arena, text);
	Str digits = base64(out->arena, (const uint8_t *)lines.p, lines.n);

	for (size_t i = 0; i < digits.n; i += LINE_BYTES) {
		buf_put(out, str_sub(digits, i, i + LINE_BYTES));
		buf_puts(out, "\r\n");
	}
}

const Problem *
mail_write(Ctx *ctx, const MailFrom *from, const Mail *mail, Uuid id, Instant at, Str *out)
{
	Buf message = { .arena = ctx->arena };
	Str domain = str_sub(from->address, str_find(from->address, '@') + 1, from->address.n);

	TRY(mail_check(ctx, mail));
	date_put(&message, at);
	from_put(&message, from);
	buf_print(&message, "To: <%.*s>\r\n", STR_ARG(mail->to));
	subject_put(&message, mail->subject);
	buf_puts(&message, "Message-ID: <");
	uuid_put(&message, id);
	buf_print(&message,
	          "@%.*s>\r\n"
	          "MIME-Version: 1.0\r\n"
	          "Content-Type: text/plain; charset=utf-8\r\n"
	          "Content-Transfer-Encoding: base64\r\n"
	          "Auto-Submitted: auto-generated\r\n" /* RFC 3834: no answer, please */
	          "\r\n",
	          STR_ARG(domain));
	text_put(&message, mail->text);
	*out = buf_str(&message);
	return NULL;
}
