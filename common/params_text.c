#include "common/params.h"

#include "common/encode.h"
#include "common/json.h"

static Str
value_text(Arena *arena, const Field *field, const void *value)
{
	Buf text = { .arena = arena };

	CHECK(field->kind < KIND_STRS); /* the others have no text in a query */
	switch (field->kind) {
	case KIND_BOOL:
		return *(const bool *)value ? S("true") : S("false");
	case KIND_INT:
		buf_i64(&text, *(const int64_t *)value);
		return buf_str(&text);
	case KIND_NUM:
		json_put_num(&text, *(const double *)value);
		return buf_str(&text);
	case KIND_STR:
		return *(const Str *)value;
	case KIND_ENUM:
		return str_of(field->names[*(const unsigned *)value]);
	case KIND_UUID:
		return uuid_str(arena, *(const Uuid *)value);
	case KIND_TIME:
		return instant_text(arena, *(const Instant *)value);
	case KIND_STRS:
	case KIND_INTS:
	case KIND_JSON:
	case KIND_MODEL:
	case KIND_LIST:
		break;
	}
	return STR_NONE;
}

static void
pair_put(Buf *out, const Field *field, Str value)
{
	buf_puts(out, out->n > 0 ? "&" : "");
	buf_puts(out, param_name(field));
	buf_puts(out, "=");
	buf_put(out, percent(out->arena, value));
}

static void
field_put(Buf *out, const Field *field, const void *value)
{
	Arena *arena = out->arena;

	if (field->kind == KIND_STRS) {
		const StrList *list = value;

		for (size_t i = 0; i < list->n; i++)
			pair_put(out, field, list->v[i]);
	} else if (field->kind == KIND_INTS) {
		const IntList *list = value;
		const Field item = { .kind = KIND_INT };

		for (size_t i = 0; i < list->n; i++)
			pair_put(out, field, value_text(arena, &item, &list->v[i]));
	} else {
		pair_put(out, field, value_text(arena, field, value));
	}
}

static bool
is_left_out(const Field *field, const char *const *but)
{
	for (; *but != NULL; but++)
		if (str_eq(str_of(field->name), str_of(*but)))
			return true;
	return false;
}

Str
params_text(Arena *arena, const Model *model, const void *object, const char *const *but)
{
	Buf out = { .arena = arena };

	for (size_t i = 0; i < model->n; i++) {
		const Field *field = &model->fields[i];
		const void *value = field_value_of(field, object);

		if (field->from == FROM_QUERY && value != NULL && !is_left_out(field, but))
			field_put(&out, field, value);
	}
	return buf_str(&out);
}
