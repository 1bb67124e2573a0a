#include "fcgi/tensor_data.h"

#include <math.h>
#include <string.h>

#include "common/json_scan.h"
#include "common/number.h"

typedef enum Form { FORM_TRUTH, FORM_WHOLE, FORM_REAL, FORM_TEXT } Form;

/*
 * What a datatype holds. Of whole numbers: the greatest, and the magnitude of the least. Of
 * reals: how many digits before the point leave no doubt, and the first magnitude that rounds
 * to infinity (0: every finite double is held).
 */
static const struct {
	Str name;
	Form form;
	int digits;
	uint64_t most, least;
	double infinite;
} datatypes[TENSOR_DATATYPES] = {
	[TENSOR_BOOL] = { { "BOOL", 4 }, FORM_TRUTH, 0, 0, 0, 0 },
	[TENSOR_INT8] = { { "INT8", 4 }, FORM_WHOLE, 0, INT8_MAX, UINT64_C(1) << 7, 0 },
	[TENSOR_INT16] = { { "INT16", 5 }, FORM_WHOLE, 0, INT16_MAX, UINT64_C(1) << 15, 0 },
	[TENSOR_INT32] = { { "INT32", 5 }, FORM_WHOLE, 0, INT32_MAX, UINT64_C(1) << 31, 0 },
	[TENSOR_INT64] = { { "INT64", 5 }, FORM_WHOLE, 0, INT64_MAX, UINT64_C(1) << 63, 0 },
	[TENSOR_UINT8] = { { "UINT8", 5 }, FORM_WHOLE, 0, UINT8_MAX, 0, 0 },
	[TENSOR_UINT16] = { { "UINT16", 6 }, FORM_WHOLE, 0, UINT16_MAX, 0, 0 },
	[TENSOR_UINT32] = { { "UINT32", 6 }, FORM_WHOLE, 0, UINT32_MAX, 0, 0 },
	[TENSOR_UINT64] = { { "UINT64", 6 }, FORM_WHOLE, 0, UINT64_MAX, 0, 0 },
	[TENSOR_FP16] = { { "FP16", 4 }, FORM_REAL, 4, 0, 0, 65520 },
	[TENSOR_FP32] = { { "FP32", 4 }, FORM_REAL, 38, 0, 0, 0x1.ffffffp127 },
	[TENSOR_FP64] = { { "FP64", 4 }, FORM_REAL, 0, 0, 0, 0 },
	[TENSOR_BYTES] = { { "BYTES", 5 }, FORM_TEXT, 0, 0, 0, 0 },
};

bool
tensor_datatype_read(Str name, Datatype *out)
{
	for (size_t i = 0; i < TENSOR_DATATYPES; i++)
		if (str_eq(name, datatypes[i].name)) {
			*out = (Datatype)i;
			return true;
		}
	return false;
}

typedef struct Walk {
	Arena *arena;
	const char *p; /* where it stands; a list ends before the text does */
	const char *end;
	Datatype datatype;
	const int64_t *lengths; /* rank of them */
	size_t rank;
	size_t index[TENSOR_RANK_MAX];
	Str at;
	FieldErrors *errors;
} Walk;

/* Tell what is wrong with the list or value that `depth` indexes lead to. */
static void
wrong(Walk *w, size_t depth, FieldCode code, int64_t number)
{
	Buf pointer = { .arena = w->arena };

	if (w->errors->n == FIELD_ERRORS_MAX)
		return;
	buf_put(&pointer, w->at);
	for (size_t i = 0; i < depth; i++)
		buf_print(&pointer, "/%zu", w->index[i]);
	field_errors_add(w->errors, buf_str(&pointer), code, number);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next value, which is no list to walk into. */
static Str
value_cut(Walk *w)
{
	Str rest = { w->p, (size_t)(w->end - w->p) }, value;

	if (*w->p == '"' || *w->p == '[' || *w->p == '{') {
		value = json_cut(&rest);
		w->p = rest.p;
		return value;
	}
	while (*w->p != ',' && *w->p != ']' && !is_space(*w->p))
		w->p++;
	return (Str){ rest.p, (size_t)(w->p - rest.p) };
}

static bool
is_number(Str value)
{
	return value.p[0] == '-' || (value.p[0] >= '0' && value.p[0] <= '9');
}

static bool
whole_ok(Datatype datatype, Str value, FieldCode *code)
{
	bool negative = value.p[0] == '-', fits = true;
	uint64_t magnitude = 0;

	for (size_t i = negative ? 1 : 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9') {
			*code = F_type;
			return false;
		}
		fits = fits && !__builtin_mul_overflow(magnitude, 10, &magnitude) &&
		       !__builtin_add_overflow(magnitude, (uint64_t)(value.p[i] - '0'),
		                               &magnitude);
	}
	*code = F_tensor_range;
	return fits &&
	       magnitude <= (negative ? datatypes[datatype].least : datatypes[datatype].most);
}

/* The number is finite as a double: json_check() has seen to that. */
static bool
real_ok(Datatype datatype, Str value, FieldCode *code)
{
	size_t digits = value.p[0] == '-' ? 1 : 0;
	double v;

	*code = F_tensor_range;
	if (datatypes[datatype].infinite <= 0)
		return true;
	while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	if (digits <= (size_t)datatypes[datatype].digits &&
	    memchr(value.p, 'e', value.n) == NULL && memchr(value.p, 'E', value.n) == NULL)
		return true;
	return number_read(value, &v) && fabs(v) < datatypes[datatype].infinite;
}

static bool
value_ok(Datatype datatype, Str value, FieldCode *code)
{
	*code = F_type;
	switch (datatypes[datatype].form) {
	case FORM_TRUTH:
		return value.p[0] == 't' || value.p[0] == 'f';
	case FORM_TEXT:
		return value.p[0] == '"';
	case FORM_WHOLE:
		return is_number(value) && whole_ok(datatype, value, code);
	case FORM_REAL:
		return is_number(value) && real_ok(datatype, value, code);
	}
	return false;
}

static void
value_walk(Walk *w, size_t depth)
{
	Str value = value_cut(w);
	FieldCode code = F_tensor_nesting;

	if (depth < w->rank || value.p[0] == '[' || !value_ok(w->datatype, value, &code))
		wrong(w, depth, code, 0);
}

/* Step over what stands between two items, or over the bracket behind the last. */
static bool
list_ends(Walk *w)
{
	while (is_space(*w->p) || *w->p == ',')
		w->p++;
	if (*w->p != ']')
		return false;
	w->p++;
	return true;
}

static void
list_walk(Walk *w, size_t level)
{
	size_t n = 0;

	w->p++; /* the bracket */
	while (!list_ends(w)) {
		w->index[level] = n++;
		if (level + 1 < w->rank && *w->p == '[')
			list_walk(w, level + 1);
		else
			value_walk(w, level + 1);
	}
	if (n != (uint64_t)w->lengths[level])
		wrong(w, level, F_tensor_items, w->lengths[level]);
}

/* Does the first item of a list open another? */
static bool
is_nested(Str data)
{
	size_t i = 1;

	while (is_space(data.p[i]))
		i++;
	return data.p[i] == '[';
}

void
tensor_data_check(Arena *arena, Str data, Datatype datatype, IntList shape, int64_t count,
                  Str at, FieldErrors *errors)
{
	Walk w = {
		.arena = arena,
		.p = data.p,
		.end = data.p + data.n,
		.datatype = datatype,
		.lengths = &count,
		.rank = 1,
		.at = at,
		.errors = errors,
	};

	CHECK(shape.n <= TENSOR_RANK_MAX);
	if (data.p[0] != '[') {
		wrong(&w, 0, F_type, 0);
		return;
	}
	if (shape.n > 1 && is_nested(data)) {
		w.lengths = shape.v;
		w.rank = shape.n;
	}
	list_walk(&w, 0);
}
