#pragma once

/*
 * The query generator: SQL that is checked when C is compiled.
 *
 *	lock   a running server describes every statement; schema/queries.lock keeps its words
 *	check  the same, compared with the lock
 *	emit   typed C from the statements, the lock and the models; no server
 *
 * A run has one arena and lives until the process ends. What is wrong is written to standard
 * error as "file:line: words", counted, and ends the run before anything is written.
 *
 *	qgen_read.c   .sql files into queries: name line, constraints, a template
 *	qgen_text.c   a template into the statement of one combination of choices
 *	qgen_model.c  names into members of models; which types fit which members
 *	qgen_ask.c    what a server says of a query (the only file here that speaks libpq)
 *	qgen_lock.c   the lock, written and read
 *	qgen_check.c  promises, members, NULLs and constraints against what the server said
 *	qgen_emit.c   the C
 */

#include "common/db.h"
#include "schema/sqllex.h"

typedef struct Source {
	const char *path; /* as it was given */
	Str base;         /* without directories */
	Str text;
} Source;

typedef enum Promise {
	PROMISE_ONE,
	PROMISE_MAYBE,
	PROMISE_MANY,
	PROMISE_EACH,
	PROMISE_EXEC
} Promise;

/* A type that may stand in a name line: `uuid`, `bigint?`. */
typedef struct ArgType {
	const char *name;
	Kind kind;
	const char *plain, *opt; /* the C types; opt NULL: there is none */
} ArgType;

typedef struct Arg {
	Str name;
	const ArgType *type;
	bool optional;
} Arg;

/* -- unique products_sku_key: sku_taken */
typedef struct Rule {
	Str what, name;
	ProblemCode code;
	Str pointer; /* none unless code is validation_failed */
	FieldCode field;
	size_t at;
} Rule;

/* Something that picks the statement's text: see DbChoice. */
typedef struct Choice {
	Str name; /* of the argument or member */
	bool fragment;
	size_t at;
} Choice;

typedef enum PieceKind {
	PIECE_TEXT,
	PIECE_PARAM, /* text: the name without its colon */
	PIECE_IF,    /* a fragment of choice `choice` opens */
	PIECE_LIST,  /* a marked list opens */
	PIECE_ENTRY, /* the entry `text` of the list begins */
	PIECE_CLOSE, /* of a fragment or list */
} PieceKind;

typedef struct Piece {
	PieceKind kind;
	Str text;
	size_t choice, at;
} Piece;

/* What a statement takes, one a name. */
typedef struct ParamSaid {
	Str name, type; /* type: "uuid", "text[]", "enum product_status" */
} ParamSaid;

typedef struct ColumnSaid {
	Str name, type;
	bool nullable;
	Str why;
} ColumnSaid;

/* What the server said of a query. */
typedef struct Said {
	Str sha256; /* of the query's source */
	size_t variants;
	ParamSaid *params;
	size_t n_params;
	ColumnSaid *columns;
	size_t n_columns;
	Str *facts; /* lines of the view schema_facts, sorted */
	size_t n_facts;
} Said;

typedef struct Query {
	const Source *source;
	size_t at, end; /* from its name line to behind its semicolon */
	size_t body;    /* where the statement begins */
	Str name, about;
	Arg *args;
	size_t n_args;
	Promise promise;
	ProblemCode none; /* what no row means, for :one */
	Str takes, gives; /* names of models, or of an ArgType for gives */
	bool gives_opt;   /* gives text? */
	bool gives_rows;  /* :exec gives rows */
	bool by_owner;    /* -- as owner: workers have no right to it */
	const Model *takes_model, *gives_model;
	const ArgType *gives_type;
	Rule *rules;
	size_t n_rules;
	Str *anew; /* -- plan anew: fragments whose statements are not kept prepared */
	size_t n_anew;
	Choice *choices;
	size_t n_choices;
	Piece *pieces;
	size_t n_pieces;
	Str *params; /* names, in the order in which they first occur */
	size_t n_params;
	Said *said;
} Query;

typedef struct Run {
	Arena *arena;
	Query *queries;
	size_t n, room;
	int faults;
	int64_t migration; /* the newest one that the server had */
	const char *role;  /* who runs the statements; NULL: whoever is connected */
	struct pg_conn *conn;
	Str *schema; /* all lines of the server's schema_facts, sorted */
	size_t n_schema;
} Run;

/* One more at the end of an array of the arena; room is kept beside it by doubling. */
#define GROW(arena, array, n)                                                                  \
	((array) = qgen_grow((arena), (array), (n), sizeof *(array)), &(array)[(n)++])
void *qgen_grow(Arena *arena, void *array, size_t n, size_t size);

/* "file:line: words" for the line of a byte of the source. */
void qgen_fault(Run *run, const Source *source, size_t at, const char *format, ...)
    PRINTF(4, 5);

/* Order of texts, for qsort. */
int qgen_compare(const void *a, const void *b);
bool qgen_has(const Str *sorted, size_t n, Str line);

/* Read a file's queries to the end of run->queries. */
void qgen_read(Run *run, const Source *source);

/* --- qgen_text.c */

/* The statement from query->body to its semicolon into pieces; false when it has no end. */
bool qgen_template(Run *run, Query *query);

/* Each choice against the member that makes it, each list against its enum. */
void qgen_choices(Run *run, const Query *query);

/*
 * The statement of one variant, ready for the server, and the byte of the source for each of
 * its bytes.
 */
typedef struct Text {
	Str sql;
	const size_t *at;
	uint16_t *params; /* of query->params, in the order of $1, $2 … */
	uint16_t n_params;
} Text;

size_t qgen_variants(Run *run, const Query *query);
Text qgen_text(Run *run, const Query *query, size_t variant);

/* Does this variant have a fragment whose best plan depends on the values? */
bool qgen_anew(Run *run, const Query *query, size_t variant);

/* Entries of a choice: 2 for a fragment, else the number of names of its enum. */
size_t qgen_choice_count(Run *run, const Query *query, const Choice *choice);

/* --- qgen_model.c */

/* Where a parameter comes from or a column goes to. */
typedef struct Member {
	bool found;
	size_t arg;        /* the wrapper's argument; the last is what the query takes */
	const char *type;  /* C type of the whole struct; NULL: the argument itself */
	const char *path;  /* C path of the member, for offsetof: "price.v.amount" */
	const char *outer; /* path of the Opt model it lies in; NULL */
	Kind kind;
	bool optional, given; /* an Opt type; :name.given */
	const Field *field;   /* NULL for an argument */
} Member;

const ArgType *qgen_arg_type(Str name);
const Model *qgen_model(Run *run, Str name);
Member qgen_param(Run *run, const Query *query, Str name);
Member qgen_column(Run *run, const Query *query, Str name);

/* Does a server's type fit a kind of member? Fills the descriptor's enumerator. */
bool qgen_type_fits(Str type, Kind kind, const char **db_type);
const char *qgen_kind_text(Kind kind);

/*
 * Call see(path, field) for each member of a model that a column may land in, nested ones by
 * their dots.
 */
void qgen_leaves(Run *run, const Model *model, Str prefix,
                 void (*see)(Run *run, Str path, const Field *field, void *to), void *to);

/* --- qgen_ask.c: with a server, migrated to the head by whoever is connected */

/* Connect; ends the program with the server's words when that fails. */
void qgen_connect(Run *run, const char *dsn);
void qgen_ask(Run *run, Query *query);
void qgen_disconnect(Run *run);

/* --- qgen_lock.c */
Str qgen_digest(Run *run, const Query *query);
Str qgen_lock_text(Run *run);

/*
 * Fill query->said of each from the lock; one that was made from another statement is a fault.
 */
void qgen_lock_read(Run *run, const Source *lock);

/* The lock against query->said of each, line by line. */
void qgen_lock_compare(Run *run, const Source *lock);

/* --- qgen_check.c */

/* Each parameter has something it comes from. */
void qgen_names(Run *run, const Query *query);

/* query->said against its models and promises. */
void qgen_check(Run *run, const Query *query);

/* --- qgen_emit.c */
Str qgen_header(Run *run, const char *const *includes, size_t n_includes);
Str qgen_code(Run *run, const char *header);
