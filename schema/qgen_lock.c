#include "schema/qgen.h"

#include "common/crypto.h"
#include "common/encode.h"

Str
qgen_digest(Run *run, const Query *query)
{
	uint8_t digest[SHA256_BYTES];

	sha256(str_sub(query->source->text, query->at, query->end), digest);
	return hex(run->arena, digest, sizeof digest);
}

static void
said_write(Buf *out, const Query *query)
{
	const Said *said = query->said;

	buf_print(out, "query %.*s\n\tsource %.*s\n\tsha256 %.*s\n\tvariants %zu\n",
	          STR_ARG(query->name), STR_ARG(query->source->base), STR_ARG(said->sha256),
	          said->variants);
	for (size_t i = 0; i < said->n_params; i++)
		buf_print(out, "\tparam %.*s: %.*s\n", STR_ARG(said->params[i].name),
		          STR_ARG(said->params[i].type));
	for (size_t i = 0; i < said->n_columns; i++) {
		const ColumnSaid *column = &said->columns[i];

		buf_print(out, "\tcolumn %.*s: %.*s, %s: %.*s\n", STR_ARG(column->name),
		          STR_ARG(column->type), column->nullable ? "nullable" : "not null",
		          STR_ARG(column->why));
	}
	for (size_t i = 0; i < said->n_facts; i++)
		buf_print(out, "\tfact %.*s\n", STR_ARG(said->facts[i]));
}

Str
qgen_lock_text(Run *run)
{
	Buf out = { .arena = run->arena };

	buf_puts(&out, "# What a running server said of the queries. `make queries` writes it; "
	               "not edited by hand.\n");
	buf_print(&out, "migration %lld\n", (long long)run->migration);
	for (size_t i = 0; i < run->n; i++) {
		buf_byte(&out, '\n');
		said_write(&out, &run->queries[i]);
	}
	return buf_str(&out);
}

/*
 * The lines of a query in the lock, from "query NAME" to the next blank one; none when it is
 * not there.
 */
static Str
block_of(const Source *lock, Str name, size_t *at)
{
	Str rest = lock->text, line;
	const char *from = NULL;

	while (str_next(&rest, '\n', &line)) {
		if (from == NULL && str_starts(line, S("query ")) &&
		    str_eq(str_sub(line, 6, line.n), name)) {
			from = line.p;
			*at = (size_t)(from - lock->text.p);
		} else if (from != NULL && line.n == 0) {
			return (Str){ from, (size_t)(line.p - from) };
		}
	}
	return STR_NONE;
}

/* A text up to this separator; it and the separator go off the front. */
static Str
take_until(Str *rest, Str separator)
{
	for (size_t i = 0; i + separator.n <= rest->n; i++) {
		if (str_eq(str_sub(*rest, i, i + separator.n), separator)) {
			Str part = str_sub(*rest, 0, i);

			*rest = str_sub(*rest, i + separator.n, rest->n);
			return part;
		}
	}
	return STR_NONE;
}

/* One line of a block; false when it is none that said_write() writes. */
static bool
said_line(Run *run, Said *said, Str line)
{
	Str rest = line, word = take_until(&rest, S(" "));
	uint64_t number;

	if (str_eq(word, S("source")))
		return true;
	if (str_eq(word, S("sha256"))) {
		said->sha256 = rest;
	} else if (str_eq(word, S("variants"))) {
		if (!str_u64(rest, &number))
			return false;
		said->variants = (size_t)number;
	} else if (str_eq(word, S("param"))) {
		Str name = take_until(&rest, S(": "));

		*GROW(run->arena, said->params, said->n_params) = (ParamSaid){ name, rest };
	} else if (str_eq(word, S("column"))) {
		ColumnSaid column = { .name = take_until(&rest, S(": ")) };
		Str null;

		column.type = take_until(&rest, S(", "));
		null = take_until(&rest, S(": "));
		column.nullable = !str_eq(null, S("not null"));
		column.why = rest;
		*GROW(run->arena, said->columns, said->n_columns) = column;
	} else if (str_eq(word, S("fact"))) {
		*GROW(run->arena, said->facts, said->n_facts) = rest;
	} else {
		return false;
	}
	return true;
}

static void
said_read(Run *run, Query *query, const Source *lock)
{
	size_t at = 0;
	Str block = block_of(lock, query->name, &at), line;

	query->said = arena_new(run->arena, Said, 1);
	if (block.n == 0) {
		qgen_fault(run, query->source, query->at,
		           "%.*s is not in %s: run `make queries`", STR_ARG(query->name),
		           lock->path);
		return;
	}
	(void)str_next(&block, '\n', &line);
	while (str_next(&block, '\n', &line)) {
		if (line.n > 0 && !(line.p[0] == '\t' &&
		                    said_line(run, query->said, str_sub(line, 1, line.n))))
			qgen_fault(run, lock, (size_t)(line.p - lock->text.p),
			           "\"%.*s\" is not understood", STR_ARG(line));
	}
	if (!str_eq(query->said->sha256, qgen_digest(run, query)))
		qgen_fault(run, query->source, query->at,
		           "%.*s is not what %s was made from: run `make queries`",
		           STR_ARG(query->name), lock->path);
}

/* "migration 6", wherever it stands before the first query. */
static int64_t
lock_migration(Run *run, const Source *lock)
{
	Str rest = lock->text, line;
	int64_t number;

	while (str_next(&rest, '\n', &line))
		if (str_starts(line, S("migration ")) &&
		    str_i64(str_sub(line, 10, line.n), &number))
			return number;
	qgen_fault(run, lock, 0, "the lock does not say of which migration it is");
	return 0;
}

/* Each query of the lock still is in a file. */
static void
lock_orphans(Run *run, const Source *lock)
{
	Str rest = lock->text, line;

	while (str_next(&rest, '\n', &line)) {
		bool known = !str_starts(line, S("query "));

		for (size_t i = 0; !known && i < run->n; i++)
			known = str_eq(run->queries[i].name, str_sub(line, 6, line.n));
		if (!known)
			qgen_fault(run, lock, (size_t)(line.p - lock->text.p),
			           "no file has the query %.*s: run `make queries`",
			           (int)line.n - 6, line.p + 6);
	}
}

void
qgen_lock_read(Run *run, const Source *lock)
{
	run->migration = lock_migration(run, lock);
	lock_orphans(run, lock);
	for (size_t i = 0; i < run->n; i++)
		said_read(run, &run->queries[i], lock);
}

static void
block_compare(Run *run, const Query *query, const Source *lock)
{
	size_t at = 0;
	Str locked = block_of(lock, query->name, &at), now, a, b;
	Buf out = { .arena = run->arena };

	said_write(&out, query);
	now = buf_str(&out);
	if (locked.n == 0) {
		qgen_fault(run, query->source, query->at, "%.*s is not in %s",
		           STR_ARG(query->name), lock->path);
		return;
	}
	if (str_eq(locked, now))
		return;
	for (bool more = true; more;) {
		a = b = STR_NONE;
		more = str_next(&locked, '\n', &a);
		more = str_next(&now, '\n', &b) || more;
		if (str_eq(a, b))
			continue;
		qgen_fault(run, query->source, query->at,
		           "the server says otherwise of %.*s than %s: \"%.*s\", not \"%.*s\"",
		           STR_ARG(query->name), lock->path, STR_ARG(str_sub(b, 1, b.n)),
		           STR_ARG(str_sub(a, 1, a.n)));
		return;
	}
}

void
qgen_lock_compare(Run *run, const Source *lock)
{
	int64_t locked = lock_migration(run, lock);

	if (locked != run->migration)
		qgen_fault(run, lock, 0, "made at migration %lld, the server is at %lld",
		           (long long)locked, (long long)run->migration);
	lock_orphans(run, lock);
	for (size_t i = 0; i < run->n; i++)
		block_compare(run, &run->queries[i], lock);
}
