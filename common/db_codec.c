#include "common/db_codec.h"

#include <endian.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* 2000-01-01, from which the server counts. */
static const int64_t SERVER_EPOCH_US = INT64_C(946684800000000);

/* Types of the server, as its catalogue pg_type numbers them. */
/* clang-format off */
enum {
	OID_BOOL = 16, OID_BYTEA = 17, OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21,
	OID_INT4 = 23, OID_TEXT = 25, OID_FLOAT8 = 701, OID_TEXT_ARRAY = 1009,
	OID_INT8_ARRAY = 1016, OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950, OID_UUID_ARRAY = 2951, OID_JSONB = 3802,
	OID_OF_USERS = 16384 /* enums, citext: from here */
};
/* clang-format on */

enum { LENGTH_BYTES = 4, JSONB_VERSION = 1 };

static const char NOT_THIS_KIND[] = "the member is not of a kind for this type";
static const char WRONG_LENGTH[] = "wrong length";
static const char NO_LABEL[] = "no such label";
static const char NOT_AN_INSTANT[] = "infinite, or outside the years 0001 to 9999";

#define BIT(kind) (1u << (kind))

static const unsigned kinds_of[] = {
	[DB_BOOL] = BIT(KIND_BOOL),        [DB_INT2] = BIT(KIND_INT),
	[DB_INT4] = BIT(KIND_INT),         [DB_INT8] = BIT(KIND_INT),
	[DB_FLOAT8] = BIT(KIND_NUM),       [DB_TEXT] = BIT(KIND_STR) | BIT(KIND_ENUM),
	[DB_BYTEA] = BIT(KIND_STR),        [DB_UUID] = BIT(KIND_UUID),
	[DB_TIMESTAMPTZ] = BIT(KIND_TIME), [DB_JSONB] = BIT(KIND_JSON),
	[DB_TEXT_ARRAY] = BIT(KIND_STRS),  [DB_INT8_ARRAY] = BIT(KIND_INTS),
	[DB_UUID_ARRAY] = BIT(KIND_LIST),  [DB_ENUM] = BIT(KIND_ENUM) | BIT(KIND_STR),
};

/* Where an Opt type of this kind keeps its value. */
static const size_t opt_value[] = {
	[KIND_BOOL] = offsetof(OptBool, v), [KIND_INT] = offsetof(OptInt, v),
	[KIND_NUM] = offsetof(OptNum, v),   [KIND_STR] = offsetof(OptStr, v),
	[KIND_ENUM] = offsetof(OptEnum, v), [KIND_UUID] = offsetof(OptUuid, v),
	[KIND_TIME] = offsetof(OptTime, v), [KIND_STRS] = offsetof(OptStrList, v),
	[KIND_JSON] = offsetof(OptJson, v),
};

static bool
kind_has_opt(Kind kind)
{
	return kind < COUNT(opt_value) && opt_value[kind] > 0;
}

static bool
flag_of(const char *member, size_t offset)
{
	return *(const bool *)(member + offset);
}

/* ------------------------------------------------------------------ to the server */

static void
put_16(Buf *out, uint16_t number)
{
	uint16_t bytes = htobe16(number);

	memcpy(buf_room(out, sizeof bytes), &bytes, sizeof bytes);
	out->n += sizeof bytes;
}

static void
put_32(Buf *out, uint32_t number)
{
	uint32_t bytes = htobe32(number);

	memcpy(buf_room(out, sizeof bytes), &bytes, sizeof bytes);
	out->n += sizeof bytes;
}

static void
put_64(Buf *out, uint64_t number)
{
	uint64_t bytes = htobe64(number);

	memcpy(buf_room(out, sizeof bytes), &bytes, sizeof bytes);
	out->n += sizeof bytes;
}

static const char *
put_bool(Buf *out, const DbParam *param, const void *value)
{
	(void)param;
	buf_byte(out, *(const bool *)value);
	return NULL;
}

static const char *
put_int(Buf *out, const DbParam *param, const void *value)
{
	int64_t number = *(const int64_t *)value;

	if (param->type == DB_INT8)
		put_64(out, (uint64_t)number);
	else if (param->type == DB_INT4 && number >= INT32_MIN && number <= INT32_MAX)
		put_32(out, (uint32_t)number);
	else if (param->type == DB_INT2 && number >= INT16_MIN && number <= INT16_MAX)
		put_16(out, (uint16_t)number);
	else
		return "out of the range of its type";
	return NULL;
}

static const char *
put_float(Buf *out, const DbParam *param, const void *value)
{
	uint64_t bits;

	(void)param;
	memcpy(&bits, value, sizeof bits);
	put_64(out, bits);
	return NULL;
}

static const char *
put_label(Buf *out, const DbParam *param, const void *value)
{
	unsigned number = *(const unsigned *)value, i = 0;

	if (param->names == NULL)
		return NO_LABEL;
	while (i < number && param->names[i] != NULL)
		i++;
	if (param->names[i] == NULL)
		return NO_LABEL;
	buf_puts(out, param->names[i]);
	return NULL;
}

static const char *
put_bytes(Buf *out, const DbParam *param, const void *value)
{
	if (param->kind == KIND_ENUM)
		return put_label(out, param, value);
	buf_put(out, *(const Str *)value);
	return NULL;
}

static const char *
put_uuid(Buf *out, const DbParam *param, const void *value)
{
	const Uuid *id = value;

	(void)param;
	buf_put(out, (Str){ (const char *)id->b, sizeof id->b });
	return NULL;
}

static const char *
put_time(Buf *out, const DbParam *param, const void *value)
{
	const Instant *instant = value;

	(void)param;
	if (instant->us < INSTANT_MIN_US || instant->us > INSTANT_MAX_US)
		return NOT_AN_INSTANT;
	put_64(out, (uint64_t)(instant->us - SERVER_EPOCH_US));
	return NULL;
}

static const char *
put_jsonb(Buf *out, const DbParam *param, const void *value)
{
	(void)param;
	buf_byte(out, JSONB_VERSION);
	buf_put(out, ((const Json *)value)->text);
	return NULL;
}

/* Dimensions, no NULLs, type of the elements; the one dimension's length and first index. */
static const char *
put_array_head(Buf *out, uint32_t oid, size_t n)
{
	if (n > INT_MAX)
		return WRONG_LENGTH;
	put_32(out, n > 0);
	put_32(out, 0);
	put_32(out, oid);
	if (n > 0) {
		put_32(out, (uint32_t)n);
		put_32(out, 1);
	}
	return NULL;
}

static const char *
put_texts(Buf *out, const DbParam *param, const void *value)
{
	const StrList *list = value;
	const char *wrong = put_array_head(out, OID_TEXT, list->n);

	(void)param;
	for (size_t i = 0; wrong == NULL && i < list->n; i++) {
		if (list->v[i].n > INT_MAX)
			wrong = WRONG_LENGTH;
		put_32(out, (uint32_t)list->v[i].n);
		buf_put(out, list->v[i]);
	}
	return wrong;
}

static const char *
put_ints(Buf *out, const DbParam *param, const void *value)
{
	const IntList *list = value;
	const char *wrong = put_array_head(out, OID_INT8, list->n);

	(void)param;
	for (size_t i = 0; wrong == NULL && i < list->n; i++) {
		put_32(out, sizeof list->v[i]);
		put_64(out, (uint64_t)list->v[i]);
	}
	return wrong;
}

static const char *
put_uuids(Buf *out, const DbParam *param, const void *value)
{
	const List *list = value;
	const Uuid *ids = list->v;
	const char *wrong = put_array_head(out, OID_UUID, list->n);

	for (size_t i = 0; wrong == NULL && i < list->n; i++) {
		put_32(out, sizeof ids[i].b);
		wrong = put_uuid(out, param, &ids[i]);
	}
	return wrong;
}

typedef const char *Put(Buf *out, const DbParam *param, const void *value);

static Put *const puts_of[] = {
	[DB_BOOL] = put_bool,   [DB_INT2] = put_int,         [DB_INT4] = put_int,
	[DB_INT8] = put_int,    [DB_FLOAT8] = put_float,     [DB_TEXT] = put_bytes,
	[DB_BYTEA] = put_bytes, [DB_UUID] = put_uuid,        [DB_TIMESTAMPTZ] = put_time,
	[DB_JSONB] = put_jsonb, [DB_TEXT_ARRAY] = put_texts, [DB_INT8_ARRAY] = put_ints,
	[DB_ENUM] = put_bytes,  [DB_UUID_ARRAY] = put_uuids,
};

/* Whether the Opt was given, for ":name.given". */
static const char *
put_given(Buf *out, const DbParam *param, const char *member)
{
	if (param->type != DB_BOOL)
		return NOT_THIS_KIND;
	put_32(out, 1);
	buf_byte(out, flag_of(member, offsetof(OptBool, given)));
	return NULL;
}

const char *
codec_put(Buf *out, const DbParam *param, const void *const *args)
{
	const char *arg = args[param->arg], *member = arg + param->offset;
	size_t start = out->n, length;
	const char *wrong;
	uint32_t bytes;

	if (param->given)
		return put_given(out, param, member);
	if (param->type >= COUNT(kinds_of) || (kinds_of[param->type] & BIT(param->kind)) == 0 ||
	    (param->optional && !kind_has_opt(param->kind)))
		return NOT_THIS_KIND;
	if ((param->inside && !flag_of(arg + param->outer, offsetof(OptBool, has))) ||
	    (param->optional && !flag_of(member, offsetof(OptBool, has)))) {
		put_32(out, UINT32_MAX);
		return NULL;
	}
	put_32(out, 0);
	wrong = puts_of[param->type](
	    out, param, param->optional ? member + opt_value[param->kind] : member);
	length = out->n - start - LENGTH_BYTES;
	if (wrong == NULL && length > INT_MAX)
		wrong = WRONG_LENGTH;
	bytes = htobe32((uint32_t)length);
	memcpy(out->p + start, &bytes, sizeof bytes);
	return wrong;
}

/* ------------------------------------------------------------------ from the server */

static uint64_t
number_of(Str bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes.n; i++)
		number = number << 8 | (uint8_t)bytes.p[i];
	return number;
}

static const char *
get_bool(Arena *arena, const DbColumn *column, Str value, void *to)
{
	(void)arena;
	(void)column;
	if (value.n != 1)
		return WRONG_LENGTH;
	*(bool *)to = value.p[0] != 0;
	return NULL;
}

static const char *
get_int(Arena *arena, const DbColumn *column, Str value, void *to)
{
	uint64_t number = number_of(value);
	int64_t *out = to;

	(void)arena;
	if (value.n != (column->type == DB_INT2 ? 2 : column->type == DB_INT4 ? 4 : 8))
		return WRONG_LENGTH;
	if (column->type == DB_INT2)
		*out = (int16_t)number;
	else if (column->type == DB_INT4)
		*out = (int32_t)number;
	else
		*out = (int64_t)number;
	return NULL;
}

static const char *
get_float(Arena *arena, const DbColumn *column, Str value, void *to)
{
	uint64_t bits = number_of(value);
	double number;

	(void)arena;
	(void)column;
	if (value.n != sizeof number)
		return WRONG_LENGTH;
	memcpy(&number, &bits, sizeof number);
	if (!isfinite(number))
		return "not a finite number";
	*(double *)to = number;
	return NULL;
}

static const char *
get_label(const DbColumn *column, Str value, unsigned *out)
{
	for (unsigned i = 0; column->names != NULL && column->names[i] != NULL; i++) {
		if (str_eq(str_of(column->names[i]), value)) {
			*out = i;
			return NULL;
		}
	}
	return NO_LABEL;
}

static const char *
get_bytes(Arena *arena, const DbColumn *column, Str value, void *to)
{
	if (column->kind == KIND_ENUM)
		return get_label(column, value, to);
	*(Str *)to = str_keep(arena, value);
	return NULL;
}

static const char *
get_uuid(Arena *arena, const DbColumn *column, Str value, void *to)
{
	Uuid *id = to;

	(void)arena;
	(void)column;
	if (value.n != sizeof id->b)
		return WRONG_LENGTH;
	memcpy(id->b, value.p, sizeof id->b);
	return NULL;
}

static const char *
get_time(Arena *arena, const DbColumn *column, Str value, void *to)
{
	int64_t us = (int64_t)number_of(value);

	(void)arena;
	(void)column;
	if (value.n != sizeof us)
		return WRONG_LENGTH;
	if (__builtin_add_overflow(us, SERVER_EPOCH_US, &us) || us < INSTANT_MIN_US ||
	    us > INSTANT_MAX_US)
		return NOT_AN_INSTANT;
	((Instant *)to)->us = us;
	return NULL;
}

static const char *
get_jsonb(Arena *arena, const DbColumn *column, Str value, void *to)
{
	(void)column;
	if (value.n < 1 || value.p[0] != JSONB_VERSION)
		return "jsonb of another version";
	((Json *)to)->text = str_keep(arena, str_sub(value, 1, value.n));
	return NULL;
}

/* Take 4 bytes off the front. */
static bool
take_32(Str *rest, uint32_t *out)
{
	if (rest->n < LENGTH_BYTES)
		return false;
	*out = (uint32_t)number_of(str_sub(*rest, 0, LENGTH_BYTES));
	*rest = str_sub(*rest, LENGTH_BYTES, rest->n);
	return true;
}

/* The elements of an array, which point into value. */
static const char *
get_array(Arena *arena, uint32_t oid, Str value, StrList *out)
{
	static const char BROKEN[] = "not an array of its type";
	uint32_t dimensions, flags, type, n = 0, first, length;
	Str *elements;

	if (!take_32(&value, &dimensions) || !take_32(&value, &flags) ||
	    !take_32(&value, &type) || type != oid)
		return BROKEN;
	if (dimensions > 1)
		return "an array of several dimensions";
	if (dimensions == 1 && (!take_32(&value, &n) || !take_32(&value, &first)))
		return BROKEN;
	if (n > value.n / LENGTH_BYTES)
		return BROKEN;
	elements = arena_new(arena, Str, n);
	for (uint32_t i = 0; i < n; i++) {
		if (!take_32(&value, &length))
			return BROKEN;
		if (length == UINT32_MAX)
			return "an array with a NULL in it";
		if (length > value.n)
			return BROKEN;
		elements[i] = str_sub(value, 0, length);
		value = str_sub(value, length, value.n);
	}
	if (value.n != 0)
		return BROKEN;
	*out = (StrList){ elements, n };
	return NULL;
}

static const char *
get_texts(Arena *arena, const DbColumn *column, Str value, void *to)
{
	(void)column;
	return get_array(arena, OID_TEXT, str_keep(arena, value), to);
}

static const char *
get_ints(Arena *arena, const DbColumn *column, Str value, void *to)
{
	StrList bytes = { NULL, 0 };
	IntList list;
	const char *wrong = get_array(arena, OID_INT8, value, &bytes);

	(void)column;
	list = (IntList){ arena_new(arena, int64_t, bytes.n), bytes.n };
	for (size_t i = 0; wrong == NULL && i < bytes.n; i++) {
		list.v[i] = (int64_t)number_of(bytes.v[i]);
		if (bytes.v[i].n != sizeof list.v[i])
			wrong = WRONG_LENGTH;
	}
	if (wrong == NULL)
		*(IntList *)to = list;
	return wrong;
}

static const char *
get_uuids(Arena *arena, const DbColumn *column, Str value, void *to)
{
	StrList bytes = { NULL, 0 };
	const char *wrong = get_array(arena, OID_UUID, value, &bytes);
	Uuid *ids = arena_new(arena, Uuid, bytes.n);

	for (size_t i = 0; wrong == NULL && i < bytes.n; i++)
		wrong = get_uuid(arena, column, bytes.v[i], &ids[i]);
	if (wrong == NULL)
		*(List *)to = (List){ ids, bytes.n };
	return wrong;
}

typedef const char *Get(Arena *arena, const DbColumn *column, Str value, void *to);

static Get *const gets_of[] = {
	[DB_BOOL] = get_bool,   [DB_INT2] = get_int,         [DB_INT4] = get_int,
	[DB_INT8] = get_int,    [DB_FLOAT8] = get_float,     [DB_TEXT] = get_bytes,
	[DB_BYTEA] = get_bytes, [DB_UUID] = get_uuid,        [DB_TIMESTAMPTZ] = get_time,
	[DB_JSONB] = get_jsonb, [DB_TEXT_ARRAY] = get_texts, [DB_INT8_ARRAY] = get_ints,
	[DB_ENUM] = get_bytes,  [DB_UUID_ARRAY] = get_uuids,
};

const char *
codec_get(Arena *arena, const DbColumn *column, Str value, void *row)
{
	char *member = (char *)row + column->offset;
	const char *wrong = NULL;

	if (column->type >= COUNT(kinds_of) ||
	    (kinds_of[column->type] & BIT(column->kind)) == 0 ||
	    (column->optional && !kind_has_opt(column->kind)))
		return NOT_THIS_KIND;
	if (value.p == NULL && !column->optional)
		return "NULL, and was promised not to be";
	if (value.p != NULL)
		wrong = gets_of[column->type](
		    arena, column, value,
		    column->optional ? member + opt_value[column->kind] : member);
	if (wrong == NULL && column->optional) {
		*(bool *)(member + offsetof(OptBool, given)) = true;
		*(bool *)(member + offsetof(OptBool, has)) = value.p != NULL;
	}
	return wrong;
}

bool
codec_fits(DbType type, uint32_t oid)
{
	static const uint32_t oids[] = {
		[DB_BOOL] = OID_BOOL,
		[DB_INT2] = OID_INT2,
		[DB_INT4] = OID_INT4,
		[DB_INT8] = OID_INT8,
		[DB_FLOAT8] = OID_FLOAT8,
		[DB_TEXT] = OID_TEXT,
		[DB_BYTEA] = OID_BYTEA,
		[DB_UUID] = OID_UUID,
		[DB_TIMESTAMPTZ] = OID_TIMESTAMPTZ,
		[DB_JSONB] = OID_JSONB,
		[DB_TEXT_ARRAY] = OID_TEXT_ARRAY,
		[DB_INT8_ARRAY] = OID_INT8_ARRAY,
		[DB_UUID_ARRAY] = OID_UUID_ARRAY,
		[DB_ENUM] = OID_TEXT,
	};
	bool textual =
	    oid == OID_VARCHAR || oid == OID_BPCHAR || oid == OID_NAME || oid >= OID_OF_USERS;

	return type < COUNT(oids) &&
	       (oids[type] == oid || ((type == DB_TEXT || type == DB_ENUM) && textual));
}

size_t
codec_variant(const DbQuery *q, const void *const *args)
{
	size_t number = 0, weight = 1;

	for (size_t i = 0; i < q->n_choices; i++) {
		const DbChoice *choice = &q->choices[i];
		const char *member = (const char *)args[choice->arg] + choice->offset;
		unsigned digit = choice->fragment ? flag_of(member, offsetof(OptBool, has))
		                                  : *(const unsigned *)(const void *)member;

		if (digit >= choice->count)
			return q->n_variants;
		number += weight * digit;
		weight *= choice->count;
	}
	return MIN(number, (size_t)q->n_variants);
}
