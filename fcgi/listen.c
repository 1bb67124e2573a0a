#include "fcgi/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/settings_check.h"

enum { LISTEN_FDS_START = 3 }; /* sd_listen_fds(3) */

static bool
option_is(int fd, int option, int wanted)
{
	int value;
	socklen_t n = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 && value == wanted;
}

static bool
listens(int fd)
{
	return option_is(fd, SO_ACCEPTCONN, 1) && option_is(fd, SO_TYPE, SOCK_STREAM);
}

/* Move it to a descriptor of its own, which no program that we start inherits. */
static void
adopt(Listener *listener, int fd)
{
	int kept = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (kept >= 0 && fcntl(kept, F_SETFL, fcntl(kept, F_GETFL) | O_NONBLOCK) == 0)
		*listener =
		    (Listener){ .fd = kept, .tcp = !option_is(kept, SO_DOMAIN, AF_UNIX) };
}

/* How many sockets the service manager handed over, to us. */
static uint64_t
handed_over(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t number;

	return pid != NULL && fds != NULL && str_u64(str_of(pid), &number) &&
	               number == (uint64_t)getpid() && str_u64(str_of(fds), &number)
	           ? number
	           : 0;
}

void
listen_inherit(Listener listeners[SOCKETS])
{
	uint64_t handed = handed_over();
	bool first = handed > 0 && listens(LISTEN_FDS_START);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int i = 0; i < SOCKETS; i++) {
		listeners[i] = (Listener){ .fd = -1 };
		if (first && handed > (uint64_t)i && listens(LISTEN_FDS_START + i))
			adopt(&listeners[i], LISTEN_FDS_START + i);
	}
	if (!first && listens(STDIN_FILENO))
		adopt(&listeners[SOCKET_MAIN], STDIN_FILENO);
}

static bool PRINTF(3, 4) fail(char *why, size_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, n, format, args);
	va_end(args);
	return false;
}

/* Does a connection succeed, or would it if the queue were not full? */
static bool
is_alive(const SocketAddress *address)
{
	CLEANUP(closep)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 &&
	       (connect(fd, (const struct sockaddr *)&address->storage, address->n) == 0 ||
	        errno == EAGAIN || errno == EINPROGRESS);
}

/* A socket to be opened: its address as the setting of this name has it. */
typedef struct Opening {
	BoardSocket which;
	Board *board;
	const char *name, *text;
} Opening;

/* Make way for a socket at path; false when what is there must stay. */
static bool
path_clear(const Opening *opening, const SocketAddress *address, char *why, size_t n)
{
	const char *path = opening->text;
	struct stat about;

	if (lstat(path, &about) < 0)
		return errno == ENOENT || fail(why, n, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(about.st_mode))
		return fail(why, n, "%s is there already, and no socket", path);
	if (is_alive(address) &&
	    !board_socket_is(opening->board, opening->which, about.st_dev, about.st_ino))
		return fail(why, n, "%s is in use by another server", path);
	return unlink(path) == 0 || fail(why, n, "%s: %s", path, strerror(errno));
}

/* Owner and permissions, before anybody can connect. */
static bool
path_permit(const char *path, char *why, size_t n)
{
	const struct group *group = NULL;

	if (*conf->listen_group != '\0') {
		group = getgrnam(conf->listen_group);
		if (group == NULL)
			return fail(why, n, "listen.group: there is no group %s",
			            conf->listen_group);
		if (chown(path, (uid_t)-1, group->gr_gid) < 0)
			return fail(why, n, "%s: group %s: %s", path, conf->listen_group,
			            strerror(errno));
	}
	if (chmod(path, (mode_t)strtoul(conf->listen_mode, NULL, 8)) < 0)
		return fail(why, n, "%s: %s", path, strerror(errno));
	return true;
}

static bool
unix_open(Listener *listener, const Opening *opening, const SocketAddress *address, char *why,
          size_t n)
{
	const char *path = opening->text;
	struct stat about;
	mode_t mask;
	bool bound;

	if (!path_clear(opening, address, why, n))
		return false;
	mask = umask(0777);
	bound = bind(listener->fd, (const struct sockaddr *)&address->storage, address->n) == 0;
	umask(mask);
	if (!bound || lstat(path, &about) < 0)
		return fail(why, n, "%s: %s", path, strerror(errno));
	if (!path_permit(path, why, n)) {
		unlink(path);
		return false;
	}
	listener->device = about.st_dev;
	listener->inode = about.st_ino;
	memcpy(listener->path, path, strlen(path) + 1); /* length: socket_address_read */
	board_socket_set(opening->board, opening->which, about.st_dev, about.st_ino);
	return true;
}

static bool
tcp_open(Listener *listener, const Opening *opening, const SocketAddress *address, char *why,
         size_t n)
{
	int on = 1;

	/* Our predecessor's closed connections must not keep the port from us. */
	if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(listener->fd, (const struct sockaddr *)&address->storage, address->n) < 0)
		return fail(why, n, "%s %s: %s", opening->name, opening->text, strerror(errno));
	return true;
}

static bool
socket_open(Listener *listener, const Opening *opening, char *why, size_t n)
{
	SocketAddress address;

	*listener = (Listener){ .fd = -1 };
	if (!socket_address_read(str_of(opening->text), &address))
		return fail(why, n, "%s %s is no address", opening->name, opening->text);
	listener->tcp = address.tcp;
	listener->fd =
	    socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return fail(why, n, "%s %s: %s", opening->name, opening->text, strerror(errno));
	if ((address.tcp ? tcp_open(listener, opening, &address, why, n)
	                 : unix_open(listener, opening, &address, why, n)) &&
	    (listen(listener->fd, (int)conf->listen_backlog) == 0 ||
	     fail(why, n, "%s %s: %s", opening->name, opening->text, strerror(errno))))
		return true;
	close(listener->fd);
	listener->fd = -1;
	return false;
}

bool
listen_open(Listener *listener, BoardSocket which, Board *board, char *why, size_t n)
{
	bool main = which == SOCKET_MAIN;
	Opening opening = {
		.which = which,
		.board = board,
		.name = main ? "listen.socket" : "listen.status_socket",
		.text = main ? conf->listen_socket : conf->listen_status_socket,
	};
	char path[sizeof listener->path];

	if (*opening.text == '\0') {
		int made = snprintf(path, sizeof path, "%s/status.sock", conf->run_dir);

		if (made < 0 || (size_t)made >= sizeof path)
			return fail(why, n, "%s: give one, run.dir is too long", opening.name);
		opening.text = path;
	}
	return socket_open(listener, &opening, why, n);
}

/* net.core.somaxconn; a large number where it cannot be read. */
static long
somaxconn(void)
{
	FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
	char text[32] = "";

	if (file == NULL)
		return INT32_MAX;
	if (fgets(text, sizeof text, file) == NULL)
		snprintf(text, sizeof text, "%d", INT32_MAX);
	fclose(file);
	return strtol(text, NULL, 10);
}

void
listen_backlog(const Listener *listener)
{
	if (listen(listener->fd, (int)conf->listen_backlog) < 0)
		log_say(LOG_WARNING, "listen", "listen.backlog: %s", strerror(errno));
	if (somaxconn() < conf->listen_backlog)
		log_say(LOG_WARNING, "listen",
		        "net.core.somaxconn is %ld: fewer connections may wait than "
		        "listen.backlog (%lld)",
		        somaxconn(), (long long)conf->listen_backlog);
}

void
listen_unlink(Listener *listener)
{
	struct stat about;

	if (listener->path[0] != '\0' && lstat(listener->path, &about) == 0 &&
	    about.st_dev == listener->device && about.st_ino == listener->inode)
		unlink(listener->path);
	listener->path[0] = '\0';
}
