#pragma once

/* Pages for people: one style, no script, nothing from elsewhere. */

#include "fcgi/req.h"

/* Up to and with the heading. title: English, text. */
void page_begin(Buf *out, const char *title);

/* An element that holds nothing but text; what HTML could take for its own is escaped. */
void page_element(Buf *out, const char *tag, Str text);

/* End the page, and answer with it. */
void page_answer(Req *rq, Buf *out);
