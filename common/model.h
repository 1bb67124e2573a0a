#pragma once

/*
 * Structs that know their shape: one table of fields reads, checks, writes and documents them.
 *
 *	typedef struct ProductNew { Str sku; Money price; OptStr note; } ProductNew;
 *	MODEL(ProductNew,
 *		FIELD(ProductNew, sku, .required = true, .min = 1, .max = 64),
 *		FIELD_OF(ProductNew, price, Money, .required = true),
 *		...);
 *
 * FIELD reads the kind from the member's C type. Reading and writing of JSON is in json.h, of
 * parameters in params.h, of rows in db.h, of OpenAPI in fcgi/openapi.h.
 */

#include "common/problem.h"

/*
 * The kinds of member a model may have. The Opt types keep "absent", "null" and "a value"
 * apart.
 */
typedef struct OptBool {
	bool given, has;
	bool v;
} OptBool;
typedef struct OptInt {
	bool given, has;
	int64_t v;
} OptInt;
typedef struct OptNum {
	bool given, has;
	double v;
} OptNum;
typedef struct OptStr {
	bool given, has;
	Str v;
} OptStr;
typedef struct OptEnum {
	bool given, has;
	unsigned v;
} OptEnum;
typedef struct OptUuid {
	bool given, has;
	Uuid v;
} OptUuid;
typedef struct OptTime {
	bool given, has;
	Instant v;
} OptTime;

typedef struct StrList {
	Str *v;
	size_t n;
} StrList;
typedef struct IntList {
	int64_t *v;
	size_t n;
} IntList;
typedef struct OptStrList {
	bool given, has;
	StrList v;
} OptStrList;

/* JSON text that has been checked (or was made by us), kept as it is. */
typedef struct Json {
	Str text;
} Json;
typedef struct OptJson {
	bool given, has;
	Json v;
} OptJson;

/* n structs of one model, one after the other. */
typedef struct List {
	void *v;
	size_t n;
} List;

/* ISO 4217; amount in minor units, at most 2^53 - 1. */
typedef struct Money {
	int64_t amount;
	Str currency;
} Money;
typedef struct OptMoney {
	bool given, has;
	Money v;
} OptMoney;

typedef enum Kind {
	KIND_BOOL,
	KIND_INT,
	KIND_NUM,
	KIND_STR,
	KIND_ENUM,
	KIND_UUID,
	KIND_TIME,
	KIND_STRS,
	KIND_INTS,
	KIND_JSON,
	KIND_MODEL,
	KIND_LIST,
} Kind;

typedef enum From { FROM_BODY, FROM_PATH, FROM_QUERY, FROM_HEADER } From;

/* What a text must look like, besides its length. */
typedef enum Format {
	FORMAT_NONE,
	FORMAT_EMAIL,
	FORMAT_CURRENCY,
	FORMAT_SLUG,
	FORMAT_URL,
	FORMAT_PASSWORD
} Format;

typedef struct Field {
	const char *name; /* the member's, and in JSON, parameters and SQL */
	const char *key;  /* the name as json_write puts it: ,"name": */
	size_t key_n;
	const char *wire; /* in a header or query where it differs; NULL: name */
	size_t offset;    /* of the member; of an Opt type, of its beginning */
	Kind kind;
	bool optional; /* an Opt type */
	bool required; /* must be there, and not null */
	bool nullable; /* null may be given (an Opt type) */
	From from;
	/* of a number's value, a text's code points, a JSON's bytes, a list's length */
	int64_t min, max;
	bool max_zero; /* max is 0 and meant; else max 0 is no bound, and min INT64_MIN none */
	int64_t item_min, item_max; /* code points of each text in a list; max 0: no bound */
	Format format;
	const char *const *names;  /* an enum's wire names, NULL at the end */
	const struct Model *model; /* of KIND_MODEL, KIND_LIST; documents a KIND_JSON's items */
	bool object;               /* KIND_JSON: must be an object */
	bool sparse;               /* may be left out of an answer that is another server's */
	bool secret;               /* never logged; writeOnly */
	const char *initial; /* documented default, as JSON; set in the struct before reading */
	const char *about;   /* one phrase for the documents */
} Field;

typedef struct Model {
	const char *name;
	size_t size;
	const Field *fields;
	size_t n;
} Model;

extern const Model Money_model;

/* For routes that take or give nothing. */
typedef struct Nothing {
	char none;
} Nothing;
extern const Model Nothing_model;

#define MEMBER(Type, member) (((const Type *)NULL)->member)

#define MEMBER_KIND(m)                                                                         \
	_Generic((m), bool                                                                     \
	         : KIND_BOOL, OptBool                                                          \
	         : KIND_BOOL, int64_t                                                          \
	         : KIND_INT, OptInt                                                            \
	         : KIND_INT, double                                                            \
	         : KIND_NUM, OptNum                                                            \
	         : KIND_NUM, Str                                                               \
	         : KIND_STR, OptStr                                                            \
	         : KIND_STR, unsigned                                                          \
	         : KIND_ENUM, OptEnum                                                          \
	         : KIND_ENUM, Uuid                                                             \
	         : KIND_UUID, OptUuid                                                          \
	         : KIND_UUID, Instant                                                          \
	         : KIND_TIME, OptTime                                                          \
	         : KIND_TIME, StrList                                                          \
	         : KIND_STRS, OptStrList                                                       \
	         : KIND_STRS, IntList                                                          \
	         : KIND_INTS, Json                                                             \
	         : KIND_JSON, OptJson                                                          \
	         : KIND_JSON, List                                                             \
	         : KIND_LIST, default                                                          \
	         : KIND_MODEL)

#define MEMBER_OPTIONAL(m)                                                                     \
	_Generic((m), OptBool                                                                  \
	         : true, OptInt                                                                \
	         : true, OptNum                                                                \
	         : true, OptStr                                                                \
	         : true, OptEnum                                                               \
	         : true, OptUuid                                                               \
	         : true, OptTime                                                               \
	         : true, OptStrList                                                            \
	         : true, OptJson                                                               \
	         : true, OptMoney                                                              \
	         : true, default                                                               \
	         : false)

#define FIELD(Type, member, ...)                                                               \
	{                                                                                      \
		.name = #member,                                                               \
		.key = ",\"" #member "\":", .key_n = sizeof(",\"" #member "\":") - 1,          \
		.offset = offsetof(Type, member), .kind = MEMBER_KIND(MEMBER(Type, member)),   \
		.optional = MEMBER_OPTIONAL(MEMBER(Type, member)), __VA_ARGS__                 \
	}

/* A member that is a struct with a model of its own, an Opt of one, or a List of them. */
#define FIELD_OF(Type, member, Inner, ...)                                                     \
	FIELD(Type, member, .model = &Inner##_model, __VA_ARGS__)

/* MODEL_OF(X) declares X_model in a header; MODEL(X, fields...) defines it in a .c file. */
#define MODEL_OF(Type) extern const Model Type##_model
#define MODEL(Type, ...)                                                                       \
	static const Field Type##_fields[] = { __VA_ARGS__ };                                  \
	const Model Type##_model = { #Type, sizeof(Type), Type##_fields, COUNT(Type##_fields) }

/* NULL when the model has no field of that name. */
const Field *model_field(const Model *model, Str name);

/* Has it a field that comes from there? */
bool model_has(const Model *model, From from);

/*
 * One value against its field's bounds, format and names; what is wrong is added to errors, at
 * most one a value. The texts in a list are for field_check_item, parts of a KIND_MODEL or
 * KIND_LIST for their own fields.
 *
 * value    the member, as field->offset finds it; an Opt that has nothing is never wrong
 * pointer  where it stands; kept, not copied
 */
void field_check(const Field *field, const void *value, Str pointer, FieldErrors *errors);
void field_check_item(const Field *field, Str item, Str pointer, FieldErrors *errors);

/*
 * Read text (of a parameter, a path or a table's initial value) into a single value's member:
 * not for lists, JSON or models. Text is borrowed. Bounds are field_check's, but for those of
 * 64 bits. returns  true, or false and *wrong, all but its pointer: type, format, uuid, time,
 * not_allowed, too_small, too_large
 */
bool field_read(const Field *field, Str text, void *object, FieldError *wrong) MUST_USE;

/* Set the documented initial values of the fields that come from the body, or of all others. */
void model_start(const Model *model, bool body, void *object);

/* Where an Opt member keeps its flags and its value; the flags are NULL where it is none. */
bool *field_given(const Field *field, void *object);
bool *field_has(const Field *field, void *object);
void *field_value(const Field *field, void *object);
const void *field_value_of(const Field *field, const void *object); /* NULL: absent or null */
