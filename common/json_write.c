#include "common/json.h"

#include <math.h>
#include <string.h>

/* Enough for any value whose text has a bound. */
enum { SMALL_BYTES = 48 };

static void
strs_put(Buf *out, const StrList *list)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_byte(out, ',');
		json_put_str(out, list->v[i]);
	}
	buf_byte(out, ']');
}

static void
ints_put(Buf *out, const IntList *list)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_byte(out, ',');
		buf_i64(out, list->v[i]);
	}
	buf_byte(out, ']');
}

static void
list_put(Buf *out, const Model *model, const List *list)
{
	const char *item = list->v;

	buf_byte(out, '[');
	for (size_t i = 0; i < list->n; i++, item += model->size) {
		if (i > 0)
			buf_byte(out, ',');
		json_write(out, model, item);
	}
	buf_byte(out, ']');
}

/* JSON text without the spaces between its tokens (PostgreSQL writes some, clients any). */
static void
json_put(Buf *out, Str text)
{
	char *to = buf_room(out, text.n + 4), *start = to;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!quoted && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
			continue;
		*to++ = c;
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && i + 1 < text.n)
			*to++ = text.p[++i];
	}
	out->n += (size_t)(to - start);
	if (to == start)
		buf_put(out, S("null"));
}

static void
value_put(Buf *out, const Field *field, const void *v)
{
	switch (field->kind) {
	case KIND_BOOL:
		json_put_bool(out, *(const bool *)v);
		break;
	case KIND_INT:
		buf_i64(out, *(const int64_t *)v);
		break;
	case KIND_NUM:
		if (isfinite(*(const double *)v))
			json_put_num(out, *(const double *)v);
		else
			buf_put(out, S("null"));
		break;
	case KIND_STR:
		json_put_str(out, *(const Str *)v);
		break;
	case KIND_ENUM:
		json_put_str(out, str_of(field->names[*(const unsigned *)v]));
		break;
	case KIND_UUID:
		json_put_uuid(out, *(const Uuid *)v);
		break;
	case KIND_TIME:
		json_put_time(out, *(const Instant *)v);
		break;
	case KIND_STRS:
		strs_put(out, v);
		break;
	case KIND_INTS:
		ints_put(out, v);
		break;
	case KIND_JSON:
		json_put(out, ((const Json *)v)->text);
		break;
	case KIND_MODEL:
		json_write(out, field->model, v);
		break;
	case KIND_LIST:
		list_put(out, field->model, v);
		break;
	}
}

/* The first name is written with the comma of the others, which then becomes the brace. */
void
json_write(Buf *out, const Model *model, const void *object)
{
	size_t start = out->n;

	for (size_t i = 0; i < model->n; i++) {
		const Field *field = &model->fields[i];
		const void *v;

		if (field->from != FROM_BODY)
			continue;
		memcpy(buf_room(out, field->key_n + SMALL_BYTES), field->key, field->key_n);
		out->n += field->key_n;
		v = field_value_of(field, object);
		if (v == NULL)
			buf_put(out, S("null"));
		else
			value_put(out, field, v);
	}
	if (out->n == start)
		buf_byte(out, '{');
	else
		out->p[start] = '{';
	buf_byte(out, '}');
}
