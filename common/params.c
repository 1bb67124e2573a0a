#include "common/params.h"

#include <ctype.h>

#include "common/encode.h"
#include "common/pointer.h"

/* What is being read, to where. */
typedef struct Reading {
	Arena *arena;
	const Params *in;
	const Model *model;
	void *out;
	FieldErrors *errors;
	bool *seen; /* of each of the model's fields */
} Reading;

const char *
param_name(const Field *field)
{
	return field->wire != NULL ? field->wire : field->name;
}

static void
wrong(Reading *reading, Str name, FieldCode code, int64_t number)
{
	field_errors_add(reading->errors, pointer_below(reading->arena, STR_NONE, name), code,
	                 number);
}

static bool
is_list(const Field *field)
{
	return field->kind == KIND_STRS || field->kind == KIND_INTS;
}

/* The field of this name from there; NULL when the model has none. */
static const Field *
field_find(const Reading *reading, From from, Str name)
{
	for (size_t i = 0; i < reading->model->n; i++) {
		const Field *field = &reading->model->fields[i];

		if (field->from == from && str_eq(name, str_of(param_name(field))))
			return field;
	}
	return NULL;
}

static bool *
seen_of(const Reading *reading, const Field *field)
{
	return &reading->seen[field - reading->model->fields];
}

static void
single_read(Reading *reading, const Field *field, Str text)
{
	const char *name = param_name(field);
	FieldError error;

	*seen_of(reading, field) = true;
	if (!field_read(field, text, reading->out, &error)) {
		wrong(reading, str_of(name), error.code, error.number);
		return;
	}
	if (field->optional)
		*field_given(field, reading->out) = true;
	field_check(field, (char *)reading->out + field->offset,
	            pointer_below(reading->arena, STR_NONE, str_of(name)), reading->errors);
}

static void
path_read_values(Reading *reading)
{
	Str rest = str_of(reading->in->path);

	for (size_t i = 0; str_find(rest, '{') < rest.n; i++) {
		size_t open = str_find(rest, '{'), close = str_find(rest, '}');
		const Field *field =
		    field_find(reading, FROM_PATH, str_sub(rest, open + 1, close));

		if (field != NULL)
			single_read(reading, field, reading->in->path_values[i]);
		rest = str_sub(rest, close + 1, rest.n);
	}
}

static void
headers_read(Reading *reading)
{
	for (size_t i = 0; i < reading->model->n; i++) {
		const Field *field = &reading->model->fields[i];
		char *name;
		Str value;

		if (field->from != FROM_HEADER)
			continue;
		name = str_text(reading->arena, str_of(param_name(field)));
		for (char *p = name; *p != '\0'; p++)
			*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
		value = reading->in->header(reading->in->of, name);
		if (value.p != NULL)
			single_read(reading, field, str_trim(value));
	}
}

/*
 * The next name and value of the query, decoded; false at its end. *whole: both could be
 * decoded.
 */
static bool
pair_next(const Reading *reading, Str *query, Str *name, Str *value, bool *whole)
{
	Str pair = STR_NONE;
	size_t equals;

	while (pair.n == 0)
		if (!str_next(query, '&', &pair))
			return false;
	equals = str_find(pair, '=');
	*value = STR_NONE;
	*whole =
	    percent_read(reading->arena, str_sub(pair, 0, equals), name) && str_is_utf8(*name);
	if (!*whole)
		*name = STR_NONE;
	*whole =
	    *whole && percent_read(reading->arena, str_sub(pair, equals + 1, pair.n), value);
	return true;
}

static void
pair_read(Reading *reading, Str name, Str value, bool whole)
{
	const Field *field = field_find(reading, FROM_QUERY, name);

	if (!whole)
		wrong(reading, name, F_format, 0);
	else if (field == NULL)
		wrong(reading, name, F_unknown_field, 0);
	else if (is_list(field))
		*seen_of(reading, field) = true;
	else if (*seen_of(reading, field))
		wrong(reading, name, F_repeated, 0);
	else
		single_read(reading, field, value);
}

/* One item of a list that has room for it. */
static void
item_read(Reading *reading, const Field *field, Str text)
{
	Str name = str_of(param_name(field));
	FieldError error;
	IntList *ints;
	StrList *strs;

	if (field->kind == KIND_INTS) {
		static const Field item = { .kind = KIND_INT };

		ints = field_value(field, reading->out);
		if (!field_read(&item, text, &ints->v[ints->n++], &error))
			wrong(reading, name, error.code, error.number);
		return;
	}
	strs = field_value(field, reading->out);
	strs->v[strs->n++] = text;
	if (str_is_utf8(text))
		field_check_item(field, text, pointer_below(reading->arena, STR_NONE, name),
		                 reading->errors);
	else
		wrong(reading, name, F_format, 0);
}

/* A list has an item for each time that its name stands in the query. */
static void
list_read(Reading *reading, const Field *field)
{
	Str query = reading->in->query, name, value;
	size_t n = 0;
	bool whole;

	for (size_t i = 0; i < query.n; i++)
		n += query.p[i] == '&';
	if (field->kind == KIND_INTS)
		*(IntList *)field_value(field, reading->out) =
		    (IntList){ arena_new(reading->arena, int64_t, n + 1), 0 };
	else
		*(StrList *)field_value(field, reading->out) =
		    (StrList){ arena_new(reading->arena, Str, n + 1), 0 };
	while (pair_next(reading, &query, &name, &value, &whole))
		if (whole && str_eq(name, str_of(param_name(field))))
			item_read(reading, field, value);
	if (field->optional)
		*field_given(field, reading->out) = *field_has(field, reading->out) = true;
	field_check(field, (char *)reading->out + field->offset,
	            pointer_below(reading->arena, STR_NONE, str_of(param_name(field))),
	            reading->errors);
}

static void
query_read(Reading *reading)
{
	Str query = reading->in->query, name, value;
	bool whole;

	while (pair_next(reading, &query, &name, &value, &whole))
		pair_read(reading, name, value, whole);
	for (size_t i = 0; i < reading->model->n; i++) {
		const Field *field = &reading->model->fields[i];

		if (field->from == FROM_QUERY && is_list(field) && *seen_of(reading, field))
			list_read(reading, field);
	}
}

void
params_read(Ctx *ctx, const Params *in, const Model *model, void *out, FieldErrors *errors)
{
	Reading reading = {
		.arena = ctx->arena,
		.in = in,
		.model = model,
		.out = out,
		.errors = errors,
		.seen = arena_new(ctx->arena, bool, model->n),
	};

	model_start(model, false, out);
	path_read_values(&reading);
	headers_read(&reading);
	query_read(&reading);
	for (size_t i = 0; i < model->n; i++) {
		const Field *field = &model->fields[i];

		if (field->from != FROM_BODY && field->required && !reading.seen[i])
			wrong(&reading, str_of(param_name(field)), F_required, 0);
	}
}
