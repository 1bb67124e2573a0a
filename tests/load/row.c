/*
 * The floors of scripts/bench: libpq alone, a prepared statement again and again.
 *
 *	row DSN SECONDS CONNECTIONS read ID       one product by its id
 *	row DSN SECONDS CONNECTIONS insert NAME   a new product, with its BEGIN and COMMIT in one
 *	                                          trip; NAME begins their SKUs
 *
 * A process for each connection, as workers are. Prints the round trips and the CPU time of
 * these processes in microseconds, then the pids of their backends, and keeps the connections
 * until its input ends, so that the backends' time can still be read. What a round trip costs
 * here, no program with libpq can take away.
 */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64 };

static const char read_sql[] =
    "SELECT id, sku, name, description, amount, currency, stock, status, tags, attributes, "
    "version, created_at, updated_at FROM products WHERE id = $1::uuid";
static const char insert_sql[] =
    "INSERT INTO products (id, sku, name, amount, currency, stock, tags) "
    "VALUES (gen_random_uuid(), $1, 'Lamp', 129900, 'THB', 5, '{a,b}') "
    "RETURNING id, sku, name, description, amount, currency, stock, status, tags, attributes, "
    "version, created_at, updated_at";

/* What one process has done. */
typedef struct Share {
	long trips, cpu_us;
	int backend;
} Share;

static double
now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long
cpu_us(void)
{
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec +
	       used.ru_stime.tv_usec;
}

static bool
read_one(PGconn *connection, const char *id)
{
	PGresult *result = PQexecPrepared(connection, "row", 1, &id, NULL, NULL, 1);
	bool good = PQntuples(result) == 1;

	PQclear(result);
	return good;
}

static bool
send_prepared(PGconn *connection, const char *name, int n, const char *const *values)
{
	return PQsendQueryPrepared(connection, name, n, values, NULL, NULL, 1) == 1;
}

/* Four ends of results: BEGIN, INSERT, COMMIT, and that of the pipeline, which has no NULL. */
static bool
insert_one(PGconn *connection, const char *sku)
{
	bool good = send_prepared(connection, "begin", 0, NULL) &&
	            send_prepared(connection, "row", 1, &sku) &&
	            send_prepared(connection, "commit", 0, NULL) && PQpipelineSync(connection);
	int rows = 0;

	for (int ends = 0; good && ends < 3;) {
		PGresult *result = PQgetResult(connection);

		ends += result == NULL;
		rows += PQntuples(result);
		PQclear(result);
	}
	PQclear(PQgetResult(connection));
	return good && rows == 1;
}

static PGconn *
connect_to(const char *dsn, bool inserts)
{
	PGconn *connection = PQconnectdb(dsn);

	PQclear(PQprepare(connection, "begin", "BEGIN READ WRITE", 0, NULL));
	PQclear(PQprepare(connection, "commit", "COMMIT", 0, NULL));
	PQclear(PQprepare(connection, "row", inserts ? insert_sql : read_sql, 1, NULL));
	if (inserts)
		(void)PQenterPipelineMode(connection);
	return connection;
}

/* Trips in that time; -1 when one fails. */
static long
loop(PGconn *connection, bool inserts, const char *word, int number, double seconds)
{
	double end = now_s() + seconds;
	char sku[64];
	long trips = 0;

	for (; now_s() < end; trips++) {
		(void)snprintf(sku, sizeof sku, "%.30s-%d-%ld", word, number, trips);
		if (inserts ? !insert_one(connection, sku) : !read_one(connection, word))
			return -1;
	}
	return trips;
}

/* One process: says its share, and keeps its connection until the input ends. */
static int
serve(char **argv, int number, int to)
{
	bool inserts = strcmp(argv[4], "insert") == 0;
	PGconn *connection = connect_to(argv[1], inserts);
	long before = cpu_us();
	Share share = { .backend = PQbackendPID(connection) };

	share.trips = loop(connection, inserts, argv[5], number, atof(argv[2]));
	share.cpu_us = cpu_us() - before;
	if (share.trips < 0)
		(void)fprintf(stderr, "row: %s", PQerrorMessage(connection));
	if (write(to, &share, sizeof share) != (ssize_t)sizeof share)
		return 1;
	(void)close(to);
	(void)getchar();
	PQfinish(connection);
	return 0;
}

int
main(int argc, char **argv)
{
	int n = argc == 6 ? atoi(argv[3]) : 0, ends[2];
	Share sum = { 0 }, shares[CONNECTIONS_MAX];

	if (n < 1 || n > CONNECTIONS_MAX || pipe(ends) < 0) {
		(void)fprintf(stderr, "usage: row DSN SECONDS CONNECTIONS read|insert WORD\n");
		return 64;
	}
	for (int i = 0; i < n; i++)
		if (fork() == 0)
			return serve(argv, i, ends[1]);
	(void)close(ends[1]);
	for (int i = 0; i < n; i++) {
		if (read(ends[0], &shares[i], sizeof *shares) != (ssize_t)sizeof *shares ||
		    shares[i].trips < 0)
			return 1;
		sum.trips += shares[i].trips;
		sum.cpu_us += shares[i].cpu_us;
	}
	(void)printf("%ld %ld", sum.trips, sum.cpu_us);
	for (int i = 0; i < n; i++)
		(void)printf(" %d", shares[i].backend);
	(void)printf("\n");
	(void)fflush(stdout);
	while (wait(NULL) > 0)
		;
	return 0;
}
