/*
 * The floor of scripts/bench: one connection, one prepared statement, one product by its id,
 *again and again.
 *
 *	row DSN ID SECONDS
 *
 * Prints the round trips, its own CPU time in microseconds and the pid of its backend, then
 *keeps the connection until its input ends, so that the backend's time can still be read. What
 *a round trip costs here, no program with libpq can take away.
 */

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static const char query[] =
    "SELECT id, sku, name, description, amount, currency, stock, status, tags, attributes, "
    "version, created_at, updated_at FROM products WHERE id = $1::uuid";

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

/* Round trips in that time; -1 when one fails. */
static long
loop(PGconn *connection, const char *id, double seconds)
{
	double end = now_s() + seconds;
	long trips = 0;

	for (; now_s() < end; trips++) {
		PGresult *result = PQexecPrepared(connection, "row", 1, &id, NULL, NULL, 1);
		int rows = PQntuples(result);

		PQclear(result);
		if (rows != 1)
			return -1;
	}
	return trips;
}

int
main(int argc, char **argv)
{
	PGconn *connection;
	long before, trips;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: row DSN ID SECONDS\n");
		return 64;
	}
	connection = PQconnectdb(argv[1]);
	PQclear(PQprepare(connection, "row", query, 1, NULL));
	before = cpu_us();
	trips = loop(connection, argv[2], atof(argv[3]));
	if (trips < 0) {
		(void)fprintf(stderr, "row: %s", PQerrorMessage(connection));
		return 1;
	}
	(void)printf("%ld %ld %d\n", trips, cpu_us() - before, PQbackendPID(connection));
	(void)fflush(stdout);
	(void)getchar();
	PQfinish(connection);
	return 0;
}
