#include "common/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
check_failed(const char *condition, const char *file, int line)
{
	char text[512];
	int n =
	    snprintf(text, sizeof text, "check failed: %s at %s:%d\n", condition, file, line);

	if (n > 0 && write(STDERR_FILENO, text, MIN((size_t)n, sizeof text - 1)) < 0)
		abort();
	abort();
}

void
closep(const int *fd)
{
	int kept = errno;

	if (*fd >= 0)
		close(*fd);
	errno = kept;
}

void
freep(void *memory)
{
	void *p;

	memcpy(&p, memory, sizeof p);
	free(p);
}
