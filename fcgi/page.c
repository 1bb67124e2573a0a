#include "fcgi/page.h"

/* The hash is that of the style's bytes: a browser takes this style and no other. */
static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font:14px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;border-top:1px solid #8884;padding:.25rem .5rem}"
    "h2{margin-top:3rem}h3{margin-top:2rem}:root{color-scheme:light dark}";
static const char policy[] =
    "default-src 'none'; style-src 'sha256-Pt6uOR7BI6Q6tuLUGY8g5pD+NbDiguBwDw74NwhT7PI='; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void
text_put(Buf *out, Str text)
{
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		default:
			buf_byte(out, text.p[i]);
		}
	}
}

void
page_element(Buf *out, const char *tag, Str text)
{
	buf_print(out, "<%s>", tag);
	text_put(out, text);
	buf_print(out, "</%s>", tag);
}

void
page_begin(Buf *out, const char *title)
{
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	              "<meta name=\"viewport\" content=\"width=device-width\">");
	page_element(out, "title", str_of(title));
	buf_puts(out, "<style>");
	buf_puts(out, style);
	buf_puts(out, "</style></head><body>\n");
	page_element(out, "h1", str_of(title));
}

void
page_answer(Req *rq, Buf *out)
{
	buf_puts(out, "</body></html>\n");
	answer_header(rq, "Content-Security-Policy", str_of(policy));
	answer_raw(rq, buf_str(out));
	rq->media = S("text/html; charset=utf-8");
}
