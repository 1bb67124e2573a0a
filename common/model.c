#include "common/model.h"

#include <string.h>

#include "common/format.h"
#include "common/number.h"

/* clang-format off */
MODEL(Money,
	FIELD(Money, amount,   .required = true, .max = INT64_C(9007199254740991), .about = "in minor units"),
	FIELD(Money, currency, .required = true, .format = FORMAT_CURRENCY, .about = "code of ISO 4217"));
/* clang-format on */

const Model Nothing_model = { "Nothing", sizeof(Nothing), NULL, 0 };

const Field *
model_field(const Model *model, Str name)
{
	for (size_t i = 0; i < model->n; i++)
		if (str_eq(name, str_of(model->fields[i].name)))
			return &model->fields[i];
	return NULL;
}

bool
model_has(const Model *model, From from)
{
	for (size_t i = 0; i < model->n; i++)
		if (model->fields[i].from == from)
			return true;
	return false;
}

/* Bytes from an Opt's beginning to its value. */
static size_t
value_offset(Kind kind)
{
	switch (kind) {
	case KIND_BOOL:
		return offsetof(OptBool, v);
	case KIND_INT:
		return offsetof(OptInt, v);
	case KIND_NUM:
		return offsetof(OptNum, v);
	case KIND_STR:
		return offsetof(OptStr, v);
	case KIND_ENUM:
		return offsetof(OptEnum, v);
	case KIND_UUID:
		return offsetof(OptUuid, v);
	case KIND_TIME:
		return offsetof(OptTime, v);
	case KIND_STRS:
	case KIND_INTS:
		return offsetof(OptStrList, v);
	case KIND_JSON:
		return offsetof(OptJson, v);
	case KIND_MODEL:
	case KIND_LIST:
		return offsetof(OptMoney, v);
	}
	return 0;
}

/* Every Opt begins with these two. */
typedef struct OptFlags {
	bool given, has;
} OptFlags;

bool *
field_given(const Field *field, void *object)
{
	return field->optional ? &((OptFlags *)(void *)((char *)object + field->offset))->given
	                       : NULL;
}

bool *
field_has(const Field *field, void *object)
{
	return field->optional ? &((OptFlags *)(void *)((char *)object + field->offset))->has
	                       : NULL;
}

/* The value of a member; NULL when it is an Opt that has nothing. */
static const void *
member_value(const Field *field, const void *member)
{
	if (!field->optional)
		return member;
	if (!((const OptFlags *)member)->has)
		return NULL;
	return (const char *)member + value_offset(field->kind);
}

void *
field_value(const Field *field, void *object)
{
	return (char *)object + field->offset +
	       (field->optional ? value_offset(field->kind) : 0);
}

const void *
field_value_of(const Field *field, const void *object)
{
	return member_value(field, (const char *)object + field->offset);
}

static bool
has_max(const Field *field)
{
	return field->max != 0 || field->max_zero;
}

/* n things against min and max; the codes say how it is told. */
static bool
count_check(const Field *field, size_t n, FieldCode few, FieldCode many, Str pointer,
            FieldErrors *errors)
{
	if (field->min > 0 && n < (uint64_t)field->min)
		field_errors_add(errors, pointer, few, field->min);
	else if (has_max(field) && n > (uint64_t)field->max)
		field_errors_add(errors, pointer, many, field->max);
	else
		return true;
	return false;
}

static bool
has_nul(Str text)
{
	return str_find(text, '\0') < text.n;
}

static void
text_check(const Field *field, Str text, Str pointer, FieldErrors *errors)
{
	FieldCode wrong = F_format;
	int64_t bound = 0;

	if (has_nul(text))
		field_errors_add(errors, pointer, F_format, 0);
	else if (count_check(field, str_points(text), F_too_short, F_too_long, pointer,
	                     errors) &&
	         !format_ok(field->format, text, &wrong, &bound))
		field_errors_add(errors, pointer, wrong, bound);
}

void
field_check_item(const Field *field, Str item, Str pointer, FieldErrors *errors)
{
	FieldCode wrong = F_format;
	int64_t bound = 0;

	if (has_nul(item))
		field_errors_add(errors, pointer, F_format, 0);
	else if (str_points(item) < (uint64_t)field->item_min)
		field_errors_add(errors, pointer, F_too_short, field->item_min);
	else if (field->item_max > 0 && str_points(item) > (uint64_t)field->item_max)
		field_errors_add(errors, pointer, F_too_long, field->item_max);
	else if (!format_ok(field->format, item, &wrong, &bound))
		field_errors_add(errors, pointer, wrong, bound);
}

static void
int_check(const Field *field, int64_t v, Str pointer, FieldErrors *errors)
{
	if (v < field->min)
		field_errors_add(errors, pointer, F_too_small, field->min);
	else if (has_max(field) && v > field->max)
		field_errors_add(errors, pointer, F_too_large, field->max);
}

static void
num_check(const Field *field, double v, Str pointer, FieldErrors *errors)
{
	if (field->min != INT64_MIN && v < (double)field->min)
		field_errors_add(errors, pointer, F_too_small, field->min);
	else if (has_max(field) && v > (double)field->max)
		field_errors_add(errors, pointer, F_too_large, field->max);
}

static void
json_bounds(const Field *field, Str text, Str pointer, FieldErrors *errors)
{
	if (field->object && (text.n == 0 || text.p[0] != '{'))
		field_errors_add(errors, pointer, F_type, 0);
	else if (has_max(field) && text.n > (uint64_t)field->max)
		field_errors_add(errors, pointer, F_too_many_bytes, field->max);
}

static size_t
names_count(const char *const *names)
{
	size_t n = 0;

	while (names[n] != NULL)
		n++;
	return n;
}

void
field_check(const Field *field, const void *member, Str pointer, FieldErrors *errors)
{
	const void *v = member_value(field, member);

	if (v == NULL)
		return;
	switch (field->kind) {
	case KIND_INT:
		int_check(field, *(const int64_t *)v, pointer, errors);
		break;
	case KIND_NUM:
		num_check(field, *(const double *)v, pointer, errors);
		break;
	case KIND_STR:
		text_check(field, *(const Str *)v, pointer, errors);
		break;
	case KIND_ENUM:
		if (*(const unsigned *)v >= names_count(field->names))
			field_errors_add(errors, pointer, F_not_allowed, 0);
		break;
	case KIND_STRS:
		count_check(field, ((const StrList *)v)->n, F_too_few, F_too_many, pointer,
		            errors);
		break;
	case KIND_INTS:
		count_check(field, ((const IntList *)v)->n, F_too_few, F_too_many, pointer,
		            errors);
		break;
	case KIND_LIST:
		count_check(field, ((const List *)v)->n, F_too_few, F_too_many, pointer,
		            errors);
		break;
	case KIND_JSON:
		json_bounds(field, ((const Json *)v)->text, pointer, errors);
		break;
	case KIND_BOOL:
	case KIND_UUID:
	case KIND_TIME:
	case KIND_MODEL:
		break;
	}
}

static bool
bool_read(Str text, bool *out)
{
	*out = str_eq(text, S("true"));
	return *out || str_eq(text, S("false"));
}

static bool
enum_read(const char *const *names, Str text, unsigned *out)
{
	for (unsigned i = 0; names[i] != NULL; i++) {
		if (str_eq(text, str_of(names[i]))) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* Beyond 64 bits a number is still a number, and too large or too small for the field. */
static bool
int_read(const Field *field, Str text, int64_t *out, FieldError *wrong)
{
	bool whole;

	if (text.n == 0 || number_scan(text, &whole) != text.n || !whole)
		return false;
	if (str_i64(text, out))
		return true;
	if (text.p[0] == '-')
		*wrong = (FieldError){ .code = F_too_small, .number = field->min };
	else
		*wrong = (FieldError){ .code = F_too_large,
			               .number = has_max(field) ? field->max : INT64_MAX };
	return false;
}

bool
field_read(const Field *field, Str text, void *object, FieldError *wrong)
{
	void *v = field_value(field, object);
	bool read = false;

	*wrong = (FieldError){ .code = F_type };
	switch (field->kind) {
	case KIND_BOOL:
		read = bool_read(text, v);
		break;
	case KIND_INT:
		read = int_read(field, text, v, wrong);
		break;
	case KIND_NUM:
		read = number_read(text, v);
		break;
	case KIND_STR:
		wrong->code = F_format;
		*(Str *)v = text;
		read = str_is_utf8(text);
		break;
	case KIND_ENUM:
		wrong->code = F_not_allowed;
		read = enum_read(field->names, text, v);
		break;
	case KIND_UUID:
		wrong->code = F_uuid;
		read = uuid_read(text, v);
		break;
	case KIND_TIME:
		wrong->code = F_time;
		read = instant_read(text, v);
		break;
	case KIND_STRS:
	case KIND_INTS:
	case KIND_JSON:
	case KIND_MODEL:
	case KIND_LIST:
		check_failed("a single value", __FILE__, __LINE__);
	}
	if (read && field->optional)
		*field_has(field, object) = true;
	return read;
}

/* A table's initial value: JSON, without escapes, and of lists only the empty one. */
static void
initial_set(const Field *field, void *object)
{
	Str text = str_of(field->initial);
	bool quoted = text.n >= 2 && text.p[0] == '"';
	FieldError wrong;

	if (str_eq(text, S("null"))) {
		CHECK(field->optional);
		return;
	}
	if (field->kind == KIND_JSON) {
		((Json *)field_value(field, object))->text = text;
	} else if (field->kind == KIND_STRS || field->kind == KIND_INTS ||
	           field->kind == KIND_LIST) {
		CHECK(str_eq(text, S("[]")));
	} else {
		text = quoted ? str_sub(text, 1, text.n - 1) : text;
		CHECK(field_read(field, text, object, &wrong));
	}
	if (field->optional)
		*field_has(field, object) = true;
}

void
model_start(const Model *model, bool body, void *object)
{
	for (size_t i = 0; i < model->n; i++) {
		const Field *field = &model->fields[i];

		if (field->initial != NULL && (field->from == FROM_BODY) == body)
			initial_set(field, object);
		else if (field->kind == KIND_MODEL && !field->optional && body &&
		         field->from == FROM_BODY)
			model_start(field->model, true, field_value(field, object));
	}
}
