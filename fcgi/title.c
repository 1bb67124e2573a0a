#include "fcgi/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The arguments and the environment as the kernel laid them: one behind the other. */
static struct {
	char *at;
	size_t n;
} area;

static char *
copied(const char *text)
{
	char *copy = strdup(text);

	CHECK(copy != NULL);
	return copy;
}

/* Copies of a vector's texts in a vector of their own; what lies next in the area is counted
 * in. */
static char **
vector_move(char **from)
{
	size_t n = 0;
	char **to;

	while (from[n] != NULL)
		n++;
	to = calloc(n + 1, sizeof *to);
	CHECK(to != NULL);
	for (size_t i = 0; i < n; i++) {
		if (from[i] == area.at + area.n)
			area.n += strlen(from[i]) + 1;
		to[i] = copied(from[i]);
	}
	return to;
}

char **
title_setup(int argc, char **argv)
{
	char **kept;

	if (argc == 0)
		return argv;
	area.at = argv[0];
	kept = vector_move(argv);
	environ = vector_move(environ);
	return kept;
}

void
title_set(const char *comm, const char *format, ...)
{
	va_list args;

	prctl(PR_SET_NAME, comm);
	if (area.n == 0)
		return;
	memset(area.at, 0, area.n);
	va_start(args, format);
	vsnprintf(area.at, area.n, format, args);
	va_end(args);
}
