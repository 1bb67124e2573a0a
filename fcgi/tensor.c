#include "fcgi/tensor.h"

#include "common/json.h"
#include "common/json_scan.h"
#include "common/number.h"
#include "common/pointer.h"

enum { PARTS_MAX = 8 };

typedef struct Tensor {
	Str name, datatype, data; /* p NULL: absent or wrong */
	IntList shape;            /* v NULL: the same */
	int64_t count;            /* product of the shape */
} Tensor;

typedef struct Tensors {
	Tensor *v;
	size_t n;
} Tensors;

/* A request, an answer or metadata. */
typedef struct Message {
	Tensors inputs, outputs;
} Message;

typedef struct Reading {
	Arena *arena;
	FieldErrors *errors;
	bool open;          /* unknown members are passed over */
	bool in_tensor;     /* a tensor is wrong, not only the frame around them */
	int64_t length_min; /* of a shape's lengths: 0, or -1 where that is any */
} Reading;

/* A member that an object may have. */
typedef struct Part {
	Str name;
	void (*read)(Reading *r, Str value, Str at, void *to);
	bool required;
} Part;

static void
wrong(Reading *r, Str at, FieldCode code, int64_t number)
{
	if (code != F_unknown_field &&
	    (str_starts(at, S("/inputs")) || str_starts(at, S("/outputs"))))
		r->in_tensor = true;
	field_errors_add(r->errors, at, code, number);
}

/* Cut the next member off the inside of an object. */
static bool
member_next(Arena *arena, Str *inside, Str *name, Str *value)
{
	Str before = *inside;

	if (!json_member(inside, value) || !json_item(&before, name))
		return false;
	*name = json_unescape(arena, json_inside(*name));
	return true;
}

/* Read the members of an object. Null stands for a member that need not be there. */
static void
object_read(Reading *r, Str value, Str at, const Part *parts, size_t n, void *to)
{
	bool seen[PARTS_MAX] = { false };
	Str inside, name, text;

	CHECK(n <= PARTS_MAX);
	if (value.p[0] != '{') {
		wrong(r, at, F_type, 0);
		return;
	}
	inside = json_inside(value);
	while (member_next(r->arena, &inside, &name, &text)) {
		Str below = pointer_below(r->arena, at, name);
		size_t i = 0;

		while (i < n && !str_eq(name, parts[i].name))
			i++;
		if (i < n)
			seen[i] = true;
		if (i < n && (parts[i].required || !str_eq(text, S("null"))))
			parts[i].read(r, text, below, to);
		else if (i == n && !r->open)
			wrong(r, below, F_unknown_field, 0);
	}
	for (size_t i = 0; i < n; i++)
		if (parts[i].required && !seen[i])
			wrong(r, pointer_below(r->arena, at, parts[i].name), F_required, 0);
}

static void
text_read(Reading *r, Str value, Str at, Str *out)
{
	if (value.p[0] != '"')
		wrong(r, at, F_type, 0);
	else if (value.n == 2)
		wrong(r, at, F_too_short, 1);
	else
		*out = json_unescape(r->arena, json_inside(value));
}

static void
name_read(Reading *r, Str value, Str at, void *to)
{
	text_read(r, value, at, &((Tensor *)to)->name);
}

static void
datatype_read(Reading *r, Str value, Str at, void *to)
{
	text_read(r, value, at, &((Tensor *)to)->datatype);
}

static void
data_read(Reading *r, Str value, Str at, void *to)
{
	(void)r;
	(void)at;
	((Tensor *)to)->data = value;
}

/* A length that no 64 bits hold is a whole number, too. */
static bool
length_read(Reading *r, Str value, Str at, int64_t *length)
{
	bool whole = false;

	if (!str_i64(value, length))
		wrong(r, at,
		      number_scan(value, &whole) == value.n && whole ? F_tensor_range : F_type,
		      0);
	else if (*length < r->length_min)
		wrong(r, at, F_too_small, r->length_min);
	else
		return true;
	return false;
}

static void
shape_read(Reading *r, Str value, Str at, void *to)
{
	Tensor *tensor = to;
	IntList shape = { arena_new(r->arena, int64_t, TENSOR_RANK_MAX), 0 };
	int64_t count = 1;
	bool fits = true;
	Str inside, item;

	if (value.p[0] != '[') {
		wrong(r, at, F_type, 0);
		return;
	}
	inside = json_inside(value);
	for (size_t i = 0; json_item(&inside, &item); i++) {
		if (i == TENSOR_RANK_MAX) {
			wrong(r, at, F_too_many, TENSOR_RANK_MAX);
			return;
		}
		if (!length_read(r, item, pointer_item(r->arena, at, i), &shape.v[i]))
			fits = false;
		else if (__builtin_mul_overflow(count, shape.v[i], &count)) {
			wrong(r, pointer_item(r->arena, at, i), F_tensor_range, 0);
			fits = false;
		}
		shape.n++;
	}
	if (fits) {
		tensor->shape = shape;
		tensor->count = count;
	}
}

/* Parameters are the server's own; those that name what this way does not carry are refused. */
static void
parameters_read(Reading *r, Str value, Str at, void *to)
{
	Str inside, name, text;

	(void)to;
	if (value.p[0] != '{') {
		wrong(r, at, F_type, 0);
		return;
	}
	inside = json_inside(value);
	while (member_next(r->arena, &inside, &name, &text)) {
		bool binary =
		    str_eq(name, S("binary_data")) || str_eq(name, S("binary_data_output"));

		if ((binary && !str_eq(text, S("false"))) ||
		    str_eq(name, S("binary_data_size")) ||
		    str_starts(name, S("shared_memory_")))
			wrong(r, pointer_below(r->arena, at, name), F_not_allowed, 0);
	}
}

static bool
is_named_before(const Tensors *tensors, Str name)
{
	for (size_t i = 0; i < tensors->n; i++)
		if (str_eq(tensors->v[i].name, name))
			return true;
	return false;
}

static void
tensors_read(Reading *r, Str value, Str at, const Part *parts, size_t n, Tensors *out)
{
	Str inside, item;

	if (value.p[0] != '[') {
		wrong(r, at, F_type, 0);
		return;
	}
	out->v = arena_new(r->arena, Tensor, TENSORS_MAX);
	inside = json_inside(value);
	while (json_item(&inside, &item)) {
		Str below = pointer_item(r->arena, at, out->n);
		Tensor tensor = { 0 };

		if (out->n == TENSORS_MAX) {
			wrong(r, at, F_too_many, TENSORS_MAX);
			return;
		}
		object_read(r, item, below, parts, n, &tensor);
		if (tensor.name.p != NULL && is_named_before(out, tensor.name))
			wrong(r, pointer_below(r->arena, below, S("name")), F_repeated, 0);
		out->v[out->n++] = tensor;
	}
}

static void
id_read(Reading *r, Str value, Str at, void *to)
{
	(void)to;
	if (value.p[0] != '"')
		wrong(r, at, F_type, 0);
}

#define PART(text, reader, ...)                                                                \
	{                                                                                      \
		{ text, sizeof(text) - 1 }, reader, __VA_ARGS__                                \
	}

static const Part input_parts[] = {
	PART("name", name_read, true),   PART("datatype", datatype_read, true),
	PART("shape", shape_read, true), PART("parameters", parameters_read, false),
	PART("data", data_read, true),
};

static const Part asked_parts[] = {
	PART("name", name_read, true),
	PART("parameters", parameters_read, false),
};

static const Part output_parts[] = {
	PART("name", name_read, true),
	PART("datatype", datatype_read, true),
	PART("shape", shape_read, true),
	PART("data", data_read, true),
};

static const Part spec_parts[] = {
	PART("name", name_read, true),
	PART("datatype", datatype_read, true),
	PART("shape", shape_read, true),
};

static void
inputs_read(Reading *r, Str value, Str at, void *to)
{
	tensors_read(r, value, at, input_parts, COUNT(input_parts), &((Message *)to)->inputs);
}

static void
asked_read(Reading *r, Str value, Str at, void *to)
{
	tensors_read(r, value, at, asked_parts, COUNT(asked_parts), &((Message *)to)->outputs);
}

static void
outputs_read(Reading *r, Str value, Str at, void *to)
{
	tensors_read(r, value, at, output_parts, COUNT(output_parts),
	             &((Message *)to)->outputs);
}

static const Part request_parts[] = {
	PART("id", id_read, false),
	PART("parameters", parameters_read, false),
	PART("inputs", inputs_read, true),
	PART("outputs", asked_read, false),
};

static const Part answer_parts[] = { PART("outputs", outputs_read, true) };

/* Datatype, shape and data of one tensor among themselves. */
static void
tensor_check(Reading *r, const Tensor *tensor, Str at)
{
	Datatype datatype;

	if (tensor->datatype.p == NULL)
		return;
	if (!tensor_datatype_read(tensor->datatype, &datatype))
		wrong(r, pointer_below(r->arena, at, S("datatype")), F_not_allowed, 0);
	else if (tensor->shape.v != NULL && tensor->data.p != NULL) {
		size_t before = r->errors->n;

		tensor_data_check(r->arena, tensor->data, datatype, tensor->shape,
		                  tensor->count, pointer_below(r->arena, at, S("data")),
		                  r->errors);
		r->in_tensor = r->in_tensor || r->errors->n > before;
	}
}

static void
tensors_check(Reading *r, const Tensors *tensors, Str at)
{
	for (size_t i = 0; i < tensors->n; i++)
		tensor_check(r, &tensors->v[i], pointer_item(r->arena, at, i));
}

static const TensorSpec *
spec_find(const TensorSpecs *specs, Str name)
{
	for (size_t i = 0; i < specs->n; i++)
		if (str_eq(specs->v[i].name, name))
			return &specs->v[i];
	return NULL;
}

static void
shape_fit(Reading *r, IntList shape, IntList declared, Str at)
{
	if (shape.n != declared.n) {
		wrong(r, at, F_tensor_rank, (int64_t)declared.n);
		return;
	}
	for (size_t i = 0; i < shape.n; i++)
		if (declared.v[i] >= 0 && shape.v[i] != declared.v[i])
			wrong(r, pointer_item(r->arena, at, i), F_tensor_length, declared.v[i]);
}

/*
 * One tensor of a request with what the model declares; of an output only the name is there. A
 * datatype that is none has been told.
 */
static void
tensor_fit(Reading *r, const Tensor *tensor, const TensorSpecs *specs, Str at)
{
	const TensorSpec *spec = spec_find(specs, tensor->name);
	Datatype known;

	if (tensor->name.p == NULL)
		return;
	if (spec == NULL) {
		wrong(r, pointer_below(r->arena, at, S("name")), F_not_allowed, 0);
		return;
	}
	if (tensor->datatype.p != NULL && tensor_datatype_read(tensor->datatype, &known) &&
	    !str_eq(tensor->datatype, spec->datatype))
		wrong(r, pointer_below(r->arena, at, S("datatype")), F_not_allowed, 0);
	if (tensor->shape.v != NULL)
		shape_fit(r, tensor->shape, spec->shape,
		          pointer_below(r->arena, at, S("shape")));
}

static void
tensors_fit(Reading *r, const Tensors *tensors, const TensorSpecs *specs, Str at)
{
	for (size_t i = 0; i < tensors->n && specs->n > 0; i++)
		tensor_fit(r, &tensors->v[i], specs, pointer_item(r->arena, at, i));
}

static void
inputs_complete(Reading *r, const Tensors *inputs, const TensorSpecs *specs)
{
	for (size_t i = 0; i < specs->n; i++)
		if (!is_named_before(inputs, specs->v[i].name)) {
			wrong(r, S("/inputs"), F_tensor_missing, 0);
			return;
		}
}

const Problem *
tensor_request_check(Ctx *ctx, Str body, const TensorPlan *plan)
{
	Reading r = { .arena = ctx->arena, .errors = arena_new(ctx->arena, FieldErrors, 1) };
	Message message = { 0 };
	Str rest = body;

	TRY(json_check(ctx, body, JSON_DEPTH_MAX, JSON_MEMBERS_MAX));
	object_read(&r, json_cut(&rest), STR_NONE, request_parts, COUNT(request_parts),
	            &message);
	tensors_check(&r, &message.inputs, S("/inputs"));
	if (message.inputs.v != NULL) {
		tensors_fit(&r, &message.inputs, &plan->inputs, S("/inputs"));
		inputs_complete(&r, &message.inputs, &plan->inputs);
		if (message.inputs.n == 0 && plan->inputs.n == 0)
			wrong(&r, S("/inputs"), F_too_few, 1);
	}
	tensors_fit(&r, &message.outputs, &plan->outputs, S("/outputs"));
	return problem_fields(ctx, r.in_tensor ? P_invalid_tensor : P_validation_failed,
	                      r.errors);
}

const Problem *
tensor_answer_check(Ctx *ctx, Str body)
{
	Reading r = {
		.arena = ctx->arena,
		.errors = arena_new(ctx->arena, FieldErrors, 1),
		.open = true,
	};
	const Problem *p = json_check(ctx, body, JSON_DEPTH_MAX, JSON_MEMBERS_MAX);
	Message message = { 0 };
	Str rest = body;

	if (p != NULL)
		return problem_inside(ctx, P_upstream_error, "its answer is no JSON: %s",
		                      p->inside == NULL ? "" : p->inside);
	object_read(&r, json_cut(&rest), STR_NONE, answer_parts, COUNT(answer_parts), &message);
	tensors_check(&r, &message.outputs, S("/outputs"));
	if (r.errors->n == 0)
		return NULL;
	return problem_inside(ctx, P_upstream_error, "its answer is wrong at \"%.*s\": %s",
	                      STR_ARG(r.errors->v[0].pointer),
	                      message_rows[r.errors->v[0].code].code);
}

void
tensor_specs_read(Arena *arena, Str list, Str at, bool open, TensorSpecs *out,
                  FieldErrors *errors)
{
	Reading r = { .arena = arena, .errors = errors, .open = open, .length_min = -1 };
	Tensors tensors = { 0 };
	Datatype known;

	tensors_read(&r, list, at, spec_parts, COUNT(spec_parts), &tensors);
	out->v = arena_new(arena, TensorSpec, tensors.n);
	out->n = 0;
	for (size_t i = 0; i < tensors.n; i++) {
		const Tensor *tensor = &tensors.v[i];

		if (tensor->datatype.p != NULL && !open &&
		    !tensor_datatype_read(tensor->datatype, &known))
			wrong(&r,
			      pointer_below(arena, pointer_item(arena, at, i), S("datatype")),
			      F_not_allowed, 0);
		if (tensor->name.p != NULL && tensor->datatype.p != NULL &&
		    tensor->shape.v != NULL)
			out->v[out->n++] =
			    (TensorSpec){ tensor->name, tensor->datatype, tensor->shape };
	}
}

void
tensor_specs_write(Buf *out, const TensorSpecs *specs)
{
	for (size_t i = 0; i < specs->n; i++) {
		buf_byte(out, i == 0 ? '[' : ',');
		json_write(out, &TensorSpec_model, &specs->v[i]);
	}
	buf_puts(out, specs->n == 0 ? "[]" : "]");
}

/* A list of declared tensors: all of it, or none when any of it makes no sense. */
static TensorSpecs
specs_told(Arena *arena, Str list)
{
	FieldErrors *errors = arena_new(arena, FieldErrors, 1);
	TensorSpecs specs = { 0 };

	tensor_specs_read(arena, list, STR_NONE, true, &specs, errors);
	return errors->n == 0 ? specs : (TensorSpecs){ 0 };
}

void
tensor_plan_read(Ctx *ctx, Str metadata, TensorPlan *out)
{
	Str rest = metadata, inside, name, value;

	*out = (TensorPlan){ 0 };
	if (json_check(ctx, metadata, JSON_DEPTH_MAX, JSON_MEMBERS_MAX) != NULL)
		return;
	value = json_cut(&rest);
	if (value.p[0] != '{')
		return;
	inside = json_inside(value);
	while (member_next(ctx->arena, &inside, &name, &value)) {
		if (str_eq(name, S("inputs")))
			out->inputs = specs_told(ctx->arena, value);
		else if (str_eq(name, S("outputs")))
			out->outputs = specs_told(ctx->arena, value);
	}
}
