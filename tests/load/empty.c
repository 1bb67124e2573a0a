/*
 * The floor of scripts/bench: pre-forked libfcgi workers whose every answer is the same few
 * bytes.
 *
 *	empty SOCKET WORKERS
 *
 * What a request costs here is the web server's and FastCGI's share; nothing behind them can
 * take it away.
 */

#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void
serve(int fd)
{
	FCGX_Request request;

	if (FCGX_InitRequest(&request, fd, 0) != 0)
		exit(1);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Status: 200\r\nContent-Type: application/json\r\nContent-Length: "
		          "2\r\n\r\n{}",
		          request.out);
		FCGX_Finish_r(&request);
	}
	exit(0);
}

int
main(int argc, char **argv)
{
	int workers = argc == 3 ? atoi(argv[2]) : 0;
	int fd;

	if (workers < 1 || workers > 512) {
		(void)fprintf(stderr, "usage: empty SOCKET WORKERS\n");
		return 64;
	}
	if (FCGX_Init() != 0 || (fd = FCGX_OpenSocket(argv[1], 4096)) < 0)
		return 1;
	for (int i = 0; i < workers; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(fd);
		}
	(void)pause();
	return 0;
}
