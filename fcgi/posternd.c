/*
 * The server: reads its settings, gets its socket, its user and the board, then becomes the
 * parent of workers, or, with --worker, is one.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/settings.h"
#include "fcgi/notify.h"
#include "fcgi/parent.h"
#include "fcgi/process.h"
#include "fcgi/signals.h"
#include "fcgi/title.h"
#include "fcgi/worker.h"

enum { WHY_BYTES = 512 };

static const size_t faults_ceiling = MIB(16);

static const char help[] =
    "Usage: posternd [--config FILE] [--set section.name=value]... [--check] [--worker]\n"
    "\n"
    "Serve the API over FastCGI. Stays in the foreground and logs to standard error.\n"
    "\n"
    "  --config FILE       read this configuration (else POSTERN_CONFIG, else the installed "
    "one)\n"
    "  --set section.name=value\n"
    "                      a setting that overrules file and environment; may be repeated\n"
    "  --check             say what is wrong with the configuration, and end\n"
    "  --worker            be one worker on the socket that is descriptor 0\n"
    "  --version           print the version, and end\n"
    "  --help              print this, and end\n"
    "\n"
    "Signals: TERM finishes what has begun and ends; HUP reads the configuration anew.\n";

typedef struct Options {
	const char *file;
	const char **sets;
	size_t n_sets;
	bool check, worker;
} Options;

/* returns  -1 to go on, else the exit status */
static int
options_read(int argc, char **argv, Options *out)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "set", required_argument, NULL, 's' },
		{ "check", no_argument, NULL, 'k' },
		{ "worker", no_argument, NULL, 'w' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->file = optarg;
			break;
		case 's':
			out->sets[out->n_sets++] = optarg;
			break;
		case 'k':
			out->check = true;
			break;
		case 'w':
			out->worker = true;
			break;
		case 'v':
			puts("posternd " PACKAGE_VERSION);
			return EX_OK;
		case 'h':
			fputs(help, stdout);
			return EX_OK;
		default:
			fputs("Try 'posternd --help'.\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "posternd: what is '%s'? Try 'posternd --help'.\n", argv[optind]);
	return EX_USAGE;
}

/* Read the settings into conf; false after the faults have been printed. */
static bool
settings_load(const Options *options)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(faults_ceiling);
	Str faults;

	conf = settings_read(options->file, options->sets, options->n_sets, arena, &faults);
	if (conf == NULL)
		fprintf(stderr, "%.*s", STR_ARG(faults));
	return conf != NULL;
}

/* The log tells why; the caller's return value is the status. */
static int
refuse(int status, const char *why)
{
	log_say(LOG_ERROR, "start", "%s", why);
	return status;
}

/*
 * Descriptor 0 no longer is the socket: a library that reads standard input must not take
 * requests.
 */
static void
input_empty(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		CHECK(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
		close(fd);
	}
}

static Board *
board_get(char *why, size_t n)
{
	Board *board = board_open(conf->run_dir);

	if (board == NULL)
		snprintf(why, n, "the board in %s: %s", conf->run_dir, strerror(errno));
	return board;
}

/* One worker under somebody else's supervision, on the board that all of the host share. */
static int
worker_alone(const Listener *listener)
{
	char why[WHY_BYTES];
	RunAs as;
	Board *board = NULL;
	int slot, status;

	if (listener->fd < 0)
		return refuse(EX_USAGE, "--worker needs a listening socket as descriptor 0");
	if (!run_as_find(&as, why, sizeof why))
		return refuse(EX_NOUSER, why);
	if (!run_as_dir(&as, why, sizeof why) || !run_as_become(&as, why, sizeof why))
		return refuse(EX_OSERR, why);
	board = board_get(why, sizeof why);
	slot = board == NULL ? -1 : board_slot_take(board, getpid());
	if (slot < 0)
		return refuse(EX_OSERR, board == NULL ? why : "the board has no free slot");
	listen_backlog(listener);
	process_limits();
	signals_setup();
	title_set("posternd-worker", "posternd: worker %d", slot);
	status = worker_main(&(WorkerStart){
	    .board = board, .slot = slot, .listen_fd = listener->fd, .tcp = listener->tcp });
	board_slot_free(board, slot);
	board_close(board);
	return status;
}

/* Those that were not handed over. */
static bool
sockets_open(ParentStart *start, char *why, size_t n)
{
	for (int i = 0; i < SOCKETS; i++)
		if (start->listeners[i].fd < 0 &&
		    !listen_open(&start->listeners[i], (BoardSocket)i, start->board, why, n))
			return false;
	return true;
}

/*
 * Lock, board and sockets, in that order: the first tells a second start, the second an old
 * socket.
 */
static int
parent_prepare(ParentStart *start)
{
	char why[WHY_BYTES];
	RunAs as;
	bool opened;

	if (!run_as_find(&as, why, sizeof why))
		return refuse(EX_NOUSER, why);
	if (!run_as_dir(&as, why, sizeof why) || !run_as_begin(&as, why, sizeof why))
		return refuse(EX_CANTCREAT, why);
	start->lock_fd = pid_lock(why, sizeof why);
	start->board = start->lock_fd < 0 ? NULL : board_get(why, sizeof why);
	run_as_end(&as);
	if (start->lock_fd < 0)
		return refuse(EX_TEMPFAIL, why);
	if (start->board == NULL)
		return refuse(EX_CANTCREAT, why);
	opened = sockets_open(start, why, sizeof why);
	if (!opened || !run_as_become(&as, why, sizeof why)) {
		for (int i = 0; i < SOCKETS; i++)
			listen_unlink(&start->listeners[i]);
		pid_unlock(start->lock_fd);
		return refuse(EX_UNAVAILABLE, why);
	}
	return EX_OK;
}

static int
parent_whole(const Options *options, const Listener listeners[SOCKETS])
{
	ParentStart start = {
		.lock_fd = -1,
		.file = options->file,
		.sets = options->sets,
		.n_sets = options->n_sets,
	};
	int status;

	memcpy(start.listeners, listeners, sizeof start.listeners);
	status = parent_prepare(&start);
	if (status != EX_OK)
		return status;
	listen_backlog(&start.listeners[SOCKET_MAIN]);
	process_limits();
	signals_setup();
	notify_setup();
	status = parent_run(&start);
	pid_unlock(start.lock_fd);
	board_close(start.board);
	return status;
}

static int
check(void)
{
	char why[WHY_BYTES];
	RunAs as;

	if (!run_as_find(&as, why, sizeof why)) {
		fprintf(stderr, "%s\n", why);
		return EX_CONFIG;
	}
	puts("configuration is right");
	return EX_OK;
}

static int
serve(const Options *options)
{
	Listener listeners[SOCKETS];

	listen_inherit(listeners);
	process_descriptors(listeners[SOCKET_MAIN].fd, listeners[SOCKET_STATUS].fd);
	if (listeners[SOCKET_MAIN].fd >= 0)
		input_empty();
	log_setup(strcmp(conf->log_form, "json") == 0 ? LOG_JSON : LOG_TEXT,
	          log_level_of(conf->log_level));
	return options->worker ? worker_alone(&listeners[SOCKET_MAIN])
	                       : parent_whole(options, listeners);
}

int
main(int argc, char **argv)
{
	CLEANUP(freep) const char **sets = calloc((size_t)argc + 1, sizeof *sets);
	Options options = { .sets = sets };
	int status;

	CHECK(sets != NULL);
	argv = title_setup(argc, argv);
	status = options_read(argc, argv, &options);
	if (status >= 0)
		return status;
	options.file = settings_file(options.file);
	if (!settings_load(&options))
		return EX_CONFIG;
	return options.check ? check() : serve(&options);
}
