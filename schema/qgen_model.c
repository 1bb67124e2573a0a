#include "schema/qgen.h"

#include <dlfcn.h>
#include <string.h>

static const ArgType arg_types[] = {
	{ "bool", KIND_BOOL, "bool", "OptBool" },
	{ "smallint", KIND_INT, "int64_t", "OptInt" },
	{ "int", KIND_INT, "int64_t", "OptInt" },
	{ "bigint", KIND_INT, "int64_t", "OptInt" },
	{ "float8", KIND_NUM, "double", "OptNum" },
	{ "text", KIND_STR, "Str", "OptStr" },
	{ "bytea", KIND_STR, "Str", "OptStr" },
	{ "uuid", KIND_UUID, "Uuid", "OptUuid" },
	{ "timestamptz", KIND_TIME, "Instant", "OptTime" },
	{ "jsonb", KIND_JSON, "Json", "OptJson" },
	{ "text[]", KIND_STRS, "StrList", "OptStrList" },
	{ "bigint[]", KIND_INTS, "IntList", NULL },
};

/* What a server calls a type, and which members hold it. */
static const struct {
	const char *type;
	Kind kind;
	const char *db_type;
} fits[] = {
	{ "bool", KIND_BOOL, "DB_BOOL" },
	{ "int2", KIND_INT, "DB_INT2" },
	{ "int4", KIND_INT, "DB_INT4" },
	{ "int8", KIND_INT, "DB_INT8" },
	{ "float8", KIND_NUM, "DB_FLOAT8" },
	{ "text", KIND_STR, "DB_TEXT" },
	{ "varchar", KIND_STR, "DB_TEXT" },
	{ "bpchar", KIND_STR, "DB_TEXT" },
	{ "name", KIND_STR, "DB_TEXT" },
	{ "bytea", KIND_STR, "DB_BYTEA" },
	{ "uuid", KIND_UUID, "DB_UUID" },
	{ "timestamptz", KIND_TIME, "DB_TIMESTAMPTZ" },
	{ "jsonb", KIND_JSON, "DB_JSONB" },
	{ "text[]", KIND_STRS, "DB_TEXT_ARRAY" },
	{ "varchar[]", KIND_STRS, "DB_TEXT_ARRAY" },
	{ "int8[]", KIND_INTS, "DB_INT8_ARRAY" },
};

static const char *const kind_texts[] = {
	[KIND_BOOL] = "KIND_BOOL", [KIND_INT] = "KIND_INT",     [KIND_NUM] = "KIND_NUM",
	[KIND_STR] = "KIND_STR",   [KIND_ENUM] = "KIND_ENUM",   [KIND_UUID] = "KIND_UUID",
	[KIND_TIME] = "KIND_TIME", [KIND_STRS] = "KIND_STRS",   [KIND_INTS] = "KIND_INTS",
	[KIND_JSON] = "KIND_JSON", [KIND_MODEL] = "KIND_MODEL", [KIND_LIST] = "KIND_LIST",
};

const char *
qgen_kind_text(Kind kind)
{
	return kind_texts[kind];
}

const ArgType *
qgen_arg_type(Str name)
{
	for (size_t i = 0; i < COUNT(arg_types); i++)
		if (str_eq(name, str_of(arg_types[i].name)))
			return &arg_types[i];
	return NULL;
}

/* The models are linked in and exported, so that no list of them has to be kept. */
const Model *
qgen_model(Run *run, Str name)
{
	return dlsym(RTLD_DEFAULT, arena_print(run->arena, "%.*s_model", STR_ARG(name)));
}

bool
qgen_type_fits(Str type, Kind kind, const char **db_type)
{
	if (str_starts(type, S("enum "))) {
		*db_type = "DB_ENUM";
		return kind == KIND_ENUM;
	}
	for (size_t i = 0; i < COUNT(fits); i++) {
		if (fits[i].kind == kind && str_eq(type, str_of(fits[i].type))) {
			*db_type = fits[i].db_type;
			return true;
		}
	}
	return false;
}

/* The member at the end of a dotted path; found is false when there is none. */
static Member
member_of(Run *run, const Model *model, Str name)
{
	Member member = { .type = model->name };
	Str rest = name, part;
	const char *path = "";

	while (str_next(&rest, '.', &part)) {
		const Field *field = model == NULL ? NULL : model_field(model, part);

		if (field == NULL && member.field != NULL && member.optional &&
		    rest.p == NULL && str_eq(part, S("given"))) {
			member.given = true;
			return member;
		}
		if (field == NULL)
			return (Member){ .found = false };
		if (member.field != NULL && member.optional) {
			if (member.outer != NULL)
				return (Member){ .found = false };
			member.outer = path;
			path = arena_print(run->arena, "%s.v", path);
		}
		path = arena_print(run->arena, "%s%s%s", path, *path == '\0' ? "" : ".",
		                   field->name);
		member.path = path;
		member.kind = field->kind;
		member.optional = field->optional;
		member.field = field;
		member.found = true;
		model = field->kind == KIND_MODEL ? field->model : NULL;
	}
	return member;
}

static Member
argument(const Query *query, size_t i)
{
	const Arg *arg = &query->args[i];

	return (Member){
		.found = true, .arg = i, .kind = arg->type->kind, .optional = arg->optional
	};
}

Member
qgen_param(Run *run, const Query *query, Str name)
{
	Member member = { .found = false };
	bool given = str_ends(name, S(".given"));
	Str plain = given ? str_sub(name, 0, name.n - 6) : name;

	for (size_t i = 0; i < query->n_args; i++) {
		if (!str_eq(query->args[i].name, plain))
			continue;
		member = argument(query, i);
		member.given = given;
		member.found = !given || member.optional;
		return member;
	}
	if (query->takes_model != NULL) {
		member = member_of(run, query->takes_model, name);
		member.arg = query->n_args;
	}
	return member;
}

Member
qgen_column(Run *run, const Query *query, Str name)
{
	Member member;

	if (query->gives_type != NULL)
		return (Member){ .found = true,
			         .kind = query->gives_type->kind,
			         .optional = query->gives_opt };
	member = member_of(run, query->gives_model, name);
	member.found = member.found && !member.given && member.outer == NULL &&
	               member.kind != KIND_MODEL && member.kind != KIND_LIST;
	return member;
}

void
qgen_leaves(Run *run, const Model *model, Str prefix,
            void (*see)(Run *run, Str path, const Field *field, void *to), void *to)
{
	for (size_t i = 0; i < model->n; i++) {
		const Field *field = &model->fields[i];
		Str path = str_print(run->arena, "%.*s%s", STR_ARG(prefix), field->name);

		if (field->kind == KIND_MODEL && !field->optional)
			qgen_leaves(run, field->model,
			            str_print(run->arena, "%.*s.", STR_ARG(path)), see, to);
		else
			see(run, path, field, to);
	}
}
