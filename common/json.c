#include "common/json.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "common/json_scan.h"
#include "common/pointer.h"

/* A value as json-c parsed it, as it is written, and where it stands. */
typedef struct Part {
	JsonValue *value;
	Str text;
	Str at;
} Part;

typedef struct Reader {
	Arena *arena;
	FieldErrors *errors;
} Reader;

static void
value_done(void *value)
{
	json_object_put(value);
}

/* Made once a process: a tokener costs more than the body of a small request. */
static struct json_tokener *
tokener(void)
{
	static struct json_tokener *kept;

	if (kept == NULL) {
		kept = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
		CHECK(kept != NULL);
		json_tokener_set_flags(kept, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	}
	return kept;
}

const Problem *
json_parse(Ctx *ctx, Str text, JsonValue **out)
{
	struct json_tokener *kept = tokener();
	JsonValue *value;

	TRY(json_check(ctx, text, JSON_DEPTH_MAX, JSON_MEMBERS_MAX));
	CHECK(text.n < INT_MAX);
	json_tokener_reset(kept);
	value = json_tokener_parse_ex(kept, text.p, (int)text.n);
	/* a number alone has no end of its own */
	if (value == NULL && json_tokener_get_error(kept) == json_tokener_continue)
		value = json_tokener_parse_ex(kept, "\n", 1);
	if (json_tokener_get_error(kept) != json_tokener_success)
		return problem_inside(ctx, P_malformed_json, "json-c: %s",
		                      json_tokener_error_desc(json_tokener_get_error(kept)));
	if (value != NULL)
		arena_own(ctx->arena, value, value_done);
	*out = value;
	return NULL;
}

static bool
is(JsonValue *value, enum json_type type)
{
	return json_object_get_type(value) == type;
}

static bool
is_number(JsonValue *value)
{
	return is(value, json_type_int) || is(value, json_type_double);
}

static void
wrong(Reader *reader, Str at, FieldCode code)
{
	field_errors_add(reader->errors, at, code, 0);
}

/* A string's text in the arena. json-c's copy of a secret is wiped; nobody reads it again. */
static Str
text_keep(Reader *reader, JsonValue *value, bool secret)
{
	Str text = { json_object_get_string(value), (size_t)json_object_get_string_len(value) };
	char *kept;

	if (!secret)
		return str_keep(reader->arena, text);
	kept = arena_secret(reader->arena, text.n + 1);
	memcpy(kept, text.p, text.n);
	json_object_set_string_len(value, arena_new(reader->arena, char, text.n + 1),
	                           (int)text.n);
	return (Str){ kept, text.n };
}

static void object_read(Reader *reader, const Model *model, Part part, void *out);

static bool
strs_read(Reader *reader, const Field *field, Part part, StrList *out)
{
	size_t n = json_object_array_length(part.value);

	out->v = arena_new(reader->arena, Str, n);
	for (size_t i = 0; i < n; i++) {
		JsonValue *item = json_object_array_get_idx(part.value, i);
		Str at = pointer_item(reader->arena, part.at, i);

		if (!is(item, json_type_string)) {
			wrong(reader, at, F_type);
			continue;
		}
		out->v[out->n++] = text_keep(reader, item, field->secret);
		field_check_item(field, out->v[out->n - 1], at, reader->errors);
	}
	return true;
}

static bool
ints_read(Reader *reader, Part part, IntList *out)
{
	static const Field item = { .kind = KIND_INT };
	Str inside = json_inside(part.text), text;
	FieldError error;

	out->v = arena_new(reader->arena, int64_t, json_object_array_length(part.value));
	for (; json_item(&inside, &text); out->n++)
		if (!field_read(&item, text, &out->v[out->n], &error))
			field_errors_add(reader->errors,
			                 pointer_item(reader->arena, part.at, out->n),
			                 error.code, error.number);
	return true;
}

static bool
list_read(Reader *reader, const Field *field, Part part, List *out)
{
	const Model *model = field->model;
	Str inside = json_inside(part.text);

	out->n = json_object_array_length(part.value);
	out->v = arena_take(reader->arena, out->n, model->size, _Alignof(max_align_t));
	for (size_t i = 0; i < out->n; i++) {
		Part item = {
			.value = json_object_array_get_idx(part.value, i),
			.at = pointer_item(reader->arena, part.at, i),
		};

		json_item(&inside, &item.text);
		if (is(item.value, json_type_object))
			object_read(reader, model, item, (char *)out->v + i * model->size);
		else
			wrong(reader, item.at, F_type);
	}
	return true;
}

static bool
array_read(Reader *reader, const Field *field, Part part, void *v)
{
	size_t n = json_object_array_length(part.value);

	/* its items are not worth reading */
	if (field->max > 0 && n > (uint64_t)field->max) {
		field_errors_add(reader->errors, part.at, F_too_many, field->max);
		return false;
	}
	if (field->kind == KIND_STRS)
		return strs_read(reader, field, part, v);
	if (field->kind == KIND_INTS)
		return ints_read(reader, part, v);
	return list_read(reader, field, part, v);
}

/* Which type of JSON a field's kind is written in. */
static bool
type_fits(const Field *field, JsonValue *value)
{
	switch (field->kind) {
	case KIND_BOOL:
		return is(value, json_type_boolean);
	case KIND_INT:
	case KIND_NUM:
		return is_number(value);
	case KIND_STR:
	case KIND_ENUM:
	case KIND_UUID:
	case KIND_TIME:
		return is(value, json_type_string);
	case KIND_STRS:
	case KIND_INTS:
	case KIND_LIST:
		return is(value, json_type_array);
	case KIND_MODEL:
		return is(value, json_type_object);
	case KIND_JSON:
		return !field->object || is(value, json_type_object);
	}
	return false;
}

/* A value of the right type; false when it was wrong and has been told. */
static bool
value_read(Reader *reader, const Field *field, Part part, void *out)
{
	void *v = field_value(field, out);
	FieldError error;
	Str text = part.text;

	switch (field->kind) {
	case KIND_STRS:
	case KIND_INTS:
	case KIND_LIST:
		return array_read(reader, field, part, v);
	case KIND_MODEL:
		object_read(reader, field->model, part, v);
		return true;
	case KIND_JSON:
		((Json *)v)->text = str_keep(reader->arena, part.text);
		return true;
	case KIND_STR:
	case KIND_ENUM:
	case KIND_UUID:
	case KIND_TIME:
		text = text_keep(reader, part.value, field->secret);
		break;
	case KIND_BOOL:
	case KIND_INT:
	case KIND_NUM:
		break;
	}
	if (field_read(field, text, out, &error))
		return true;
	field_errors_add(reader->errors, part.at, error.code, error.number);
	return false;
}

static void
member_read(Reader *reader, const Field *field, Part part, void *out)
{
	if (field->optional) {
		*field_given(field, out) = true;
		*field_has(field, out) = false;
	}
	if (part.value == NULL) {
		if (!field->nullable || !field->optional)
			wrong(reader, part.at, field->required ? F_required : F_type);
		return;
	}
	if (!type_fits(field, part.value)) {
		wrong(reader, part.at, F_type);
		return;
	}
	if (!value_read(reader, field, part, out))
		return;
	if (field->optional)
		*field_has(field, out) = true;
	field_check(field, (char *)out + field->offset, part.at, reader->errors);
}

/*
 * json-c keeps members in the order in which they are written, and json_check has seen that no
 * name comes twice: so its table and the text are walked side by side, and numbers are read
 * from the text, where nothing has been rounded.
 */
static void
object_read(Reader *reader, const Model *model, Part part, void *out)
{
	struct json_object_iterator i = json_object_iter_begin(part.value);
	struct json_object_iterator end = json_object_iter_end(part.value);
	Str inside = json_inside(part.text);
	bool *seen = arena_new(reader->arena, bool, model->n);

	model_start(model, true, out);
	for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
		Str name = str_of(json_object_iter_peek_name(&i));
		const Field *field = model_field(model, name);
		Part member = {
			.value = json_object_iter_peek_value(&i),
			.at = pointer_below(reader->arena, part.at, name),
		};

		json_member(&inside, &member.text);
		if (field == NULL || field->from != FROM_BODY) {
			wrong(reader, member.at, F_unknown_field);
			continue;
		}
		seen[field - model->fields] = true;
		member_read(reader, field, member, out);
	}
	for (size_t k = 0; k < model->n; k++) {
		const Field *field = &model->fields[k];

		if (field->from == FROM_BODY && field->required && !seen[k])
			wrong(reader,
			      pointer_below(reader->arena, part.at, str_of(field->name)),
			      F_required);
	}
}

const Problem *
json_read(Ctx *ctx, Str text, const Model *model, void *out, FieldErrors *errors)
{
	Reader reader = { ctx->arena, errors };
	Part whole = { .at = S("") };
	Str rest = text;

	TRY(json_parse(ctx, text, &whole.value));
	if (!is(whole.value, json_type_object)) {
		wrong(&reader, whole.at, F_type);
		return NULL;
	}
	whole.text = json_cut(&rest);
	object_read(&reader, model, whole, out);
	return NULL;
}

JsonValue *
json_get(JsonValue *object, const char *name)
{
	JsonValue *value = NULL;

	return is(object, json_type_object) && json_object_object_get_ex(object, name, &value)
	           ? value
	           : NULL;
}

bool
json_str(JsonValue *v, Str *out)
{
	if (!is(v, json_type_string))
		return false;
	*out = (Str){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
	return true;
}

bool
json_int(JsonValue *v, int64_t *out)
{
	int64_t number = json_object_get_int64(v);

	/* json-c stops at the ends of the range and does not tell */
	if (!is(v, json_type_int) || number == INT64_MIN || number == INT64_MAX)
		return false;
	*out = number;
	return true;
}

size_t
json_len(JsonValue *array)
{
	return is(array, json_type_array) ? json_object_array_length(array) : 0;
}

JsonValue *
json_at(JsonValue *array, size_t i)
{
	return is(array, json_type_array) ? json_object_array_get_idx(array, i) : NULL;
}
