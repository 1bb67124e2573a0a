#include "fcgi/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/str.h"

static struct {
	struct sockaddr_un address;
	socklen_t n; /* 0: nobody asked */
	int watchdog_ms;
} manager;

/* Is WATCHDOG_PID, when it is there, us? */
static bool
watchdog_is_ours(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t number;

	return pid == NULL || (str_u64(str_of(pid), &number) && number == (uint64_t)getpid());
}

void
notify_setup(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");
	size_t n = path == NULL ? 0 : strlen(path);
	uint64_t us;

	if (n > 1 && n < sizeof manager.address.sun_path && strchr("/@", path[0]) != NULL) {
		manager.address.sun_family = AF_UNIX;
		memcpy(manager.address.sun_path, path, n);
		if (path[0] == '@') /* an abstract name begins with NUL and has no end */
			manager.address.sun_path[0] = '\0';
		manager.n =
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
		if (watchdog != NULL && watchdog_is_ours() && str_u64(str_of(watchdog), &us))
			manager.watchdog_ms = (int)MIN(MAX(us / 2000, 1), 60000);
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
notify_say(const char *lines)
{
	CLEANUP(closep) int fd = -1;

	if (manager.n == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, lines, strlen(lines), MSG_NOSIGNAL,
	              (const struct sockaddr *)&manager.address, manager.n);
}

int
notify_watchdog_ms(void)
{
	return manager.watchdog_ms;
}
