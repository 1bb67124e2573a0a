#include "fcgi/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings.h"

enum {
	DESCRIPTORS_MOST = 65536
}; /* nobody needs more, and some libraries count through them */

void
process_descriptors(int keep, int keep_too)
{
	const int kept[] = { MIN(keep, keep_too), MAX(keep, keep_too) };
	unsigned first = STDERR_FILENO + 1;

	for (size_t i = 0; i < COUNT(kept); i++) {
		if (kept[i] < (int)first)
			continue;
		if ((unsigned)kept[i] > first)
			close_range(first, (unsigned)kept[i] - 1, 0);
		first = (unsigned)kept[i] + 1;
	}
	close_range(first, ~0U, 0);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			CHECK(open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) ==
			      fd);
}

void
process_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		rlim_t most = MIN(limit.rlim_max, (rlim_t)DESCRIPTORS_MOST);

		limit.rlim_cur = MAX(limit.rlim_cur, most);
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = conf->run_core_dumps ? limit.rlim_max : 0;
		setrlimit(RLIMIT_CORE, &limit);
	}
	if (conf->run_core_dumps) /* a change of user has forbidden it */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static bool
fail(char *why, size_t n, const char *what, const char *about)
{
	snprintf(why, n, "%s: %s", what, about);
	return false;
}

bool
run_as_find(RunAs *as, char *why, size_t n)
{
	const struct passwd *user;

	*as = (RunAs){ .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0 || *conf->run_user == '\0')
		return true;
	user = getpwnam(conf->run_user);
	if (user == NULL || strlen(user->pw_name) >= sizeof as->name)
		return fail(why, n, "run.user: there is no user", conf->run_user);
	*as = (RunAs){ .changes = user->pw_uid != 0, .uid = user->pw_uid, .gid = user->pw_gid };
	memcpy(as->name, user->pw_name, strlen(user->pw_name) + 1);
	return true;
}

bool
run_as_dir(const RunAs *as, char *why, size_t n)
{
	CLEANUP(closep) int fd = -1;

	if (mkdir(conf->run_dir, 0755) < 0)
		return errno == EEXIST || fail(why, n, conf->run_dir, strerror(errno));
	if (!as->changes)
		return true;
	fd = open(conf->run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return (fd >= 0 && fchown(fd, as->uid, as->gid) == 0) ||
	       fail(why, n, conf->run_dir, strerror(errno));
}

bool
run_as_begin(const RunAs *as, char *why, size_t n)
{
	if (!as->changes || (setegid(as->gid) == 0 && seteuid(as->uid) == 0))
		return true;
	return fail(why, n, "run.user", strerror(errno));
}

void
run_as_end(const RunAs *as)
{
	if (as->changes)
		CHECK(seteuid(0) == 0 && setegid(0) == 0);
}

bool
run_as_become(const RunAs *as, char *why, size_t n)
{
	if (!as->changes)
		return true;
	if (initgroups(as->name, as->gid) < 0 || setresgid(as->gid, as->gid, as->gid) < 0 ||
	    setresuid(as->uid, as->uid, as->uid) < 0)
		return fail(why, n, "run.user", strerror(errno));
	CHECK(setuid(0) < 0); /* there is no way back */
	return true;
}

/* "run.dir/posternd.pid"; false when it is too long for any kernel. */
static bool
pid_path(char *path, size_t n)
{
	int made = snprintf(path, n, "%s/posternd.pid", conf->run_dir);

	return made > 0 && (size_t)made < n;
}

/*
 * Is the file that we have locked still the one at its path? Its last owner may have removed
 * it.
 */
static bool
is_at(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static void
lock_refusal(int fd, const char *path, char *why, size_t n)
{
	char holder[32] = "";
	ssize_t got = errno == EWOULDBLOCK ? pread(fd, holder, sizeof holder - 1, 0) : -1;

	if (got < 0)
		fail(why, n, path, strerror(errno));
	else
		snprintf(why, n, "another posternd (pid %.*s) runs in %s",
		         (int)strcspn(holder, "\n"), holder, conf->run_dir);
}

int
pid_lock(char *why, size_t n)
{
	char path[4096];

	if (!pid_path(path, sizeof path)) {
		fail(why, n, "run.dir", strerror(ENAMETOOLONG));
		return -1;
	}
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0) {
			fail(why, n, path, strerror(errno));
			return -1;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			lock_refusal(fd, path, why, n);
			close(fd);
			return -1;
		}
		if (!is_at(fd, path)) {
			close(fd);
			continue;
		}
		if (ftruncate(fd, 0) == 0 && dprintf(fd, "%d\n", (int)getpid()) > 0)
			return fd;
		fail(why, n, path, strerror(errno));
		close(fd);
		return -1;
	}
}

void
pid_unlock(int fd)
{
	char path[4096];

	if (pid_path(path, sizeof path) && is_at(fd, path))
		unlink(path);
	close(fd);
}
