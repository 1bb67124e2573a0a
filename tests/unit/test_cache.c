#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cache.h"

enum { QUESTIONS = 10000, TIMEOUT_MS = 1, DEADLINE_MS = 1000 };

#ifdef HAVE_HIREDIS
static const bool built = true;
#else
static const bool built = false;
#endif

static const char script[] = "return {1}";

static char dir[64], url[128];
static int listener;
static Board *board;

/* How the server of a test answers; the number is that of the question. */
typedef void (*Act)(int fd, long long number);

static void
send_number(int fd, long long number)
{
	char text[64];
	int n = snprintf(text, sizeof text, "*1\r\n:%lld\r\n", number);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		_exit(0);
}

static void
pause_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

/* About every second answer comes after its time-out. */
static void
often_late(int fd, long long number)
{
	pause_us(rand() % (2 * TIMEOUT_MS * 1000));
	send_number(fd, number);
}

static void
twice(int fd, long long number)
{
	char text[64];
	int n = snprintf(text, sizeof text, "*1\r\n:%lld\r\n*1\r\n:%lld\r\n", number, -number);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		_exit(0);
}

/* In time, and later a word that nobody asked for. */
static void
unasked(int fd, long long number)
{
	send_number(fd, number);
	pause_us(500);
	send_number(fd, -number);
}

/* The last word of each command is its number; a command comes in one piece here. */
static void
serve(int fd, Act act)
{
	char text[4096];
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand((unsigned)getpid());
	while ((n = recv(fd, text, sizeof text - 1, 0)) > 0) {
		text[n - 2] = '\0';
		act(fd, atoll(strrchr(text, '\n') + 1));
	}
	_exit(0);
}

/* A process that gives each connection a process of its own. */
static int
server_start(Act act)
{
	int pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
	setpgid(0, 0);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fork() == 0)
			serve(fd, act);
		close(fd);
	}
}

static int
bench_make(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	strcpy(dir, "/tmp/test_cache.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
	snprintf(url, sizeof url, "unix://%s/s", dir);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	board = board_open(dir);
	return board == NULL ||
	       bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	       listen(listener, 128) < 0;
}

static int
bench_remove(void **state)
{
	char path[128];

	(void)state;
	board_close(board);
	close(listener);
	snprintf(path, sizeof path, "%s/s", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/board", dir);
	unlink(path);
	return rmdir(dir);
}

static void
server_stop(int pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static Ctx
ctx_open(void)
{
	return (Ctx){
		.arena = arena_open(MIB(1)),
		.deadline = deadline_in_ms(DEADLINE_MS),
		.cache = cache_open(&(CacheConfig){ url, "test:", TIMEOUT_MS, board }),
	};
}

static void
ctx_close(Ctx *ctx)
{
	cache_close(ctx->cache);
	arena_close(ctx->arena);
}

/* The answer to a question, 0 when there is none. The breaker is closed before, so that it is
 * asked. */
static int64_t
answer_to(Ctx *ctx, int64_t number)
{
	int64_t said = 0;

	board_breaker_leave(board, BREAKER_CACHE, true, 0, 0);
	ctx->deadline = deadline_in_ms(DEADLINE_MS);
	if (!cache_eval(ctx, script, S("key"), &number, 1, &said, 1))
		said = 0;
	arena_reset(ctx->arena);
	return said;
}

static void
an_answer_never_meets_another_question(void **state)
{
	static const struct {
		Act act;
		int questions, least, most; /* answered */
	} rows[] = {
		{ often_late, QUESTIONS, 100, QUESTIONS * 19 / 20 },
		{ twice, 100, 0, 100 },
		{ unasked, 30, 1, 30 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int server = server_start(rows[i].act), answered = 0;
		Ctx ctx = ctx_open();

		for (int64_t number = 1; number <= rows[i].questions; number++) {
			int64_t said = answer_to(&ctx, number);

			answered += said != 0;
			assert_true(said == 0 || said == number);
			if (rows[i].act == unasked)
				pause_us(30000); /* the word is there before the next question */
		}
		assert_in_range(answered, rows[i].least, rows[i].most);
		ctx_close(&ctx);
		server_stop(server);
	}
}

static void
a_command_takes_its_time_out_at_most_and_opens_the_breaker(void **state)
{
	Ctx ctx = ctx_open(); /* nobody accepts: connected, never answered */
	int64_t number = 1, said, start_us = clock_mono_us(), us;
	const char *words;

	(void)state;
	assert_int_equal(cache_news(ctx.cache, &words), CACHE_NO_NEWS);
	assert_false(cache_eval(&ctx, script, S("key"), &number, 1, &said, 1));
	us = clock_mono_us() - start_us;
	assert_in_range(us, TIMEOUT_MS * 1000, TIMEOUT_MS * 1000 + 50000);
	assert_true(board_breaker_open(board, BREAKER_CACHE));
	assert_int_equal(cache_news(ctx.cache, &words), CACHE_LOST);
	assert_string_equal(words, "no answer within 1 ms");
	assert_int_equal(cache_news(ctx.cache, &words), CACHE_NO_NEWS);
	assert_false(cache_ping(&ctx));
	assert_int_equal(board_count(board, COUNT_CACHE_CALLS),
	                 1); /* the second was not sent */
	assert_int_equal(board_count(board, COUNT_CACHE_FAULTS), 1);
	ctx_close(&ctx);
}

static void
a_request_without_time_does_not_ask_and_blames_nobody(void **state)
{
	int64_t number = 1, said;
	Ctx ctx = ctx_open();

	(void)state;
	ctx.deadline = deadline_in_ms(TIMEOUT_MS - 1);
	assert_false(cache_eval(&ctx, script, S("key"), &number, 1, &said, 1));
	assert_int_equal(board_count(board, COUNT_CACHE_CALLS), 0);
	assert_false(board_breaker_open(board, BREAKER_CACHE));
	ctx_close(&ctx);
}

static void
no_url_is_no_cache(void **state)
{
	(void)state;
	assert_null(cache_open(&(CacheConfig){ "", "test:", TIMEOUT_MS, board }));
	cache_close(NULL);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, bench_make, bench_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(no_url_is_no_cache),
		CACHE_TEST(an_answer_never_meets_another_question),
		CACHE_TEST(a_command_takes_its_time_out_at_most_and_opens_the_breaker),
		CACHE_TEST(a_request_without_time_does_not_ask_and_blames_nobody),
	};

	const struct CMUnitTest without[] = { CACHE_TEST(no_url_is_no_cache) };

	return built ? cmocka_run_group_tests(tests, NULL, NULL)
	             : cmocka_run_group_tests(without, NULL, NULL);
}
