#include "fcgi/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Arguments and environment as the kernel laid them, one behind the other; and copies. */
static struct {
	char *at;
	size_t n;
	char **arguments, **environment;
} area;

/*
 * A vector and its texts in one piece of memory, which stays ours whatever unsetenv() takes out
 * of it. What lies next in the area is counted in.
 */
static char **
vector_copy(char **from)
{
	size_t n = 0, bytes = 0;
	char **to, *text;

	for (; from[n] != NULL; n++) {
		bytes += strlen(from[n]) + 1;
		if (from[n] == area.at + area.n)
			area.n += strlen(from[n]) + 1;
	}
	to = calloc(1, (n + 1) * sizeof *to + bytes);
	CHECK(to != NULL);
	text = (char *)(to + n + 1);
	for (size_t i = 0; i < n; i++) {
		to[i] = text;
		text = stpcpy(text, from[i]) + 1;
	}
	return to;
}

char **
title_setup(int argc, char **argv)
{
	if (argc == 0)
		return argv;
	area.at = argv[0];
	area.arguments = vector_copy(argv);
	area.environment = vector_copy(environ);
	environ = area.environment;
	return area.arguments;
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
