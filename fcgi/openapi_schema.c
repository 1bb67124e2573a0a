#include "fcgi/openapi_schema.h"

#include "common/format.h"
#include "common/json_put.h"

static void
text_put(Buf *out, const char *key, const char *text)
{
	json_put_key(out, key);
	json_put_str(out, str_of(text));
}

static void
int_put(Buf *out, const char *key, int64_t number)
{
	json_put_key(out, key);
	buf_i64(out, number);
}

static bool
has_max(const Field *field)
{
	return field->max != 0 || field->max_zero;
}

/* May null stand there? In an answer wherever an Opt has nothing. */
static bool
may_be_null(const Field *field, Side side)
{
	return field->optional && (side == SIDE_OUT || field->nullable) &&
	       field->from == FROM_BODY;
}

static const char *
type_of(Kind kind)
{
	switch (kind) {
	case KIND_BOOL:
		return "boolean";
	case KIND_INT:
		return "integer";
	case KIND_NUM:
		return "number";
	case KIND_STR:
	case KIND_ENUM:
	case KIND_UUID:
	case KIND_TIME:
		return "string";
	case KIND_STRS:
	case KIND_INTS:
	case KIND_LIST:
		return "array";
	case KIND_JSON:
	case KIND_MODEL:
		return "object";
	}
	return NULL;
}

/* Of structs: read as such, or JSON that names what its items look like. */
static bool
is_list(const Field *field)
{
	return field->kind == KIND_LIST || (field->kind == KIND_JSON && field->model != NULL);
}

static void
type_put(Buf *out, const Field *field, Side side)
{
	const char *type = is_list(field) ? "array" : type_of(field->kind);

	if (field->kind == KIND_JSON && !field->object && !is_list(field))
		return; /* anything */
	json_put_key(out, "type");
	if (may_be_null(field, side))
		buf_print(out, "[\"%s\",\"null\"]", type);
	else
		json_put_str(out, str_of(type));
}

/* Formats are promised of what comes in; of what goes out the ones that stay true are told. */
static void
format_put(Buf *out, Format format, Side side)
{
	switch (format) {
	case FORMAT_NONE:
		break;
	case FORMAT_EMAIL:
		text_put(out, "format", "email");
		break;
	case FORMAT_CURRENCY:
		text_put(out, "pattern", "^[A-Z]{3}$");
		break;
	case FORMAT_SLUG:
		text_put(out, "pattern", "^[a-z0-9._-]+$");
		break;
	case FORMAT_URL:
		text_put(out, "format", "uri");
		break;
	case FORMAT_PASSWORD:
		if (side == SIDE_OUT)
			break;
		text_put(out, "format", "password");
		int_put(out, "minLength", PASSWORD_POINTS_MIN);
		int_put(out, "maxLength", PASSWORD_POINTS_MAX);
		break;
	}
}

static void
lengths_put(Buf *out, const Field *field, const char *least, const char *most)
{
	if (field->min > 0)
		int_put(out, least, field->min);
	if (has_max(field))
		int_put(out, most, field->max);
}

/* An answer's number has bounds only where its table names one. */
static void
range_put(Buf *out, const Field *field, Side side)
{
	if (field->min != INT64_MIN && (side == SIDE_IN || field->min != 0 || has_max(field)))
		int_put(out, "minimum", field->min);
	if (has_max(field))
		int_put(out, "maximum", field->max);
}

static void
enum_put(Buf *out, const Field *field, Side side)
{
	json_put_key(out, "enum");
	buf_byte(out, '[');
	for (size_t i = 0; field->names[i] != NULL; i++) {
		json_put_next(out);
		json_put_str(out, str_of(field->names[i]));
	}
	if (may_be_null(field, side))
		buf_puts(out, ",null");
	buf_byte(out, ']');
}

static void
items_put(Buf *out, const Uses *uses, const Field *field, Side side)
{
	lengths_put(out, field, "minItems", "maxItems");
	json_put_key(out, "items");
	if (is_list(field)) {
		schema_ref_put(out, uses, field->model, side);
		return;
	}
	buf_byte(out, '{');
	text_put(out, "type", field->kind == KIND_INTS ? "integer" : "string");
	if (field->item_min > 0)
		int_put(out, "minLength", field->item_min);
	if (field->item_max > 0)
		int_put(out, "maxLength", field->item_max);
	format_put(out, field->format, side);
	buf_byte(out, '}');
}

/* What its kind asks of a value. */
static void
bounds_put(Buf *out, const Uses *uses, const Field *field, Side side)
{
	switch (field->kind) {
	case KIND_INT:
		text_put(out, "format", "int64");
		range_put(out, field, side);
		break;
	case KIND_NUM:
		text_put(out, "format", "double");
		range_put(out, field, side);
		break;
	case KIND_STR:
		if (field->format != FORMAT_PASSWORD)
			lengths_put(out, field, "minLength", "maxLength");
		format_put(out, field->format, side);
		break;
	case KIND_ENUM:
		enum_put(out, field, side);
		break;
	case KIND_UUID:
		text_put(out, "format", "uuid");
		break;
	case KIND_TIME:
		text_put(out, "format", "date-time");
		break;
	case KIND_STRS:
	case KIND_INTS:
	case KIND_LIST:
		items_put(out, uses, field, side);
		break;
	case KIND_JSON:
		if (is_list(field)) {
			items_put(out, uses, field, side);
		} else if (field->object) {
			json_put_key(out, "additionalProperties");
			json_put_bool(out, true);
		}
		break;
	case KIND_BOOL:
	case KIND_MODEL:
		break;
	}
}

static void ref_put(Buf *out, const Uses *uses, const Model *model, Side side);

/* The schema's own members, without its braces. */
static void
field_members_put(Buf *out, const Uses *uses, const Field *field, Side side)
{
	if (field->kind != KIND_MODEL) {
		type_put(out, field, side);
		bounds_put(out, uses, field, side);
	} else if (may_be_null(field, side)) {
		json_put_key(out, "anyOf");
		buf_byte(out, '[');
		schema_ref_put(out, uses, field->model, side);
		buf_puts(out, ",{\"type\":\"null\"}]");
	} else {
		ref_put(out, uses, field->model, side);
	}
}

void
schema_field_put(Buf *out, const Uses *uses, const Field *field, Side side)
{
	buf_byte(out, '{');
	field_members_put(out, uses, field, side);
	if (field->about != NULL)
		text_put(out, "description", field->about);
	if (side == SIDE_IN && field->initial != NULL) {
		json_put_key(out, "default");
		buf_puts(out, field->initial);
	}
	if (side == SIDE_IN && field->secret) {
		json_put_key(out, "writeOnly");
		json_put_bool(out, true);
	}
	buf_byte(out, '}');
}

/* --- which models there are */

static size_t
use_of(const Uses *uses, const Model *model)
{
	size_t i = 0;

	while (i < uses->n && uses->v[i].model != model)
		i++;
	return i;
}

void
uses_add(Uses *uses, const Model *model, Side side)
{
	size_t i = use_of(uses, model);

	CHECK(i < USES_MAX);
	if (i == uses->n)
		uses->v[uses->n++].model = model;
	if (uses->v[i].met[side])
		return;
	uses->v[i].met[side] = true;
	for (size_t k = 0; k < model->n; k++)
		if (model->fields[k].model != NULL && model->fields[k].from == FROM_BODY)
			uses_add(uses, model->fields[k].model, side);
}

static void
object_put(Buf *out, const Uses *uses, const Model *model, Side side)
{
	buf_puts(out, "{\"type\":\"object\",\"properties\":{");
	for (size_t i = 0; i < model->n; i++) {
		if (model->fields[i].from != FROM_BODY)
			continue;
		json_put_key(out, model->fields[i].name);
		schema_field_put(out, uses, &model->fields[i], side);
	}
	buf_puts(out, "},\"required\":[");
	for (size_t i = 0; i < model->n; i++) {
		if (model->fields[i].from != FROM_BODY ||
		    (side == SIDE_IN && !model->fields[i].required) ||
		    (side == SIDE_OUT && model->fields[i].sparse))
			continue;
		json_put_next(out);
		json_put_str(out, str_of(model->fields[i].name));
	}
	buf_puts(out, "],\"additionalProperties\":false}");
}

/* Does it, or a model inside it, look otherwise to who sends it than to who is answered it? */
static bool
differs(Arena *arena, const Model *model)
{
	static const Uses none;
	Buf in = { .arena = arena }, answer = { .arena = arena };

	object_put(&in, &none, model, SIDE_IN);
	object_put(&answer, &none, model, SIDE_OUT);
	if (!str_eq(buf_str(&in), buf_str(&answer)))
		return true;
	for (size_t i = 0; i < model->n; i++)
		if (model->fields[i].model != NULL && differs(arena, model->fields[i].model))
			return true;
	return false;
}

/* Has it two schemas, of which the one for what is sent needs another name? */
static bool
is_split(Arena *arena, const Uses *uses, const Model *model)
{
	size_t i = use_of(uses, model);

	return i < uses->n && uses->v[i].met[SIDE_IN] && uses->v[i].met[SIDE_OUT] &&
	       differs(arena, model);
}

static void
ref_put(Buf *out, const Uses *uses, const Model *model, Side side)
{
	bool input = side == SIDE_IN && is_split(out->arena, uses, model);

	text_put(out, "$ref",
	         arena_print(out->arena, "#/components/schemas/%s%s", model->name,
	                     input ? "Input" : ""));
}

void
schema_ref_put(Buf *out, const Uses *uses, const Model *model, Side side)
{
	buf_byte(out, '{');
	ref_put(out, uses, model, side);
	buf_byte(out, '}');
}

void
schemas_put(Buf *out, const Uses *uses)
{
	for (size_t i = 0; i < uses->n; i++) {
		const Model *model = uses->v[i].model;
		bool split = is_split(out->arena, uses, model);

		json_put_key(out, model->name);
		object_put(out, uses, model, uses->v[i].met[SIDE_OUT] ? SIDE_OUT : SIDE_IN);
		if (!split)
			continue;
		json_put_key(out, arena_print(out->arena, "%sInput", model->name));
		object_put(out, uses, model, SIDE_IN);
	}
}
