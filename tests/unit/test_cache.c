#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
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

enum { QUESTIONS = 10000, TIMEOUT_MS = 1, PATIENT_MS = 1000, DEADLINE_MS = 10000 };

#ifdef HAVE_HIREDIS
static const bool built = true;
#else
static const bool built = false;
#endif

static const char script[] = "return {ARGV[2], 1}";

static char dir[64], url[128];
static int listener, replica; /* of sockets s and r */
static Board *board;

/*
 * A question as the server of a test has it: its number, by which its answer is known, and what
 * it asks for.
 */
typedef struct Question {
	char number[32];
	long long asks;
	bool writes; /* asks whether Redis takes writes */
} Question;

/* How the server answers one. */
typedef void (*Act)(int fd, const Question *question);

static void
send_text(int fd, Str text)
{
	if (send(fd, text.p, text.n, MSG_NOSIGNAL) != (ssize_t)text.n)
		_exit(0);
}

static void
send_answer(int fd, const Question *question, long long said)
{
	char text[128];
	int n = snprintf(text, sizeof text, "*2\r\n$%zu\r\n%s\r\n:%lld\r\n",
	                 strlen(question->number), question->number, said);

	send_text(fd, (Str){ text, (size_t)n });
}

static void
pause_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

/* About every second answer comes after its time-out. */
static void
often_late(int fd, const Question *question)
{
	pause_us(rand() % (2 * TIMEOUT_MS * 1000));
	send_answer(fd, question, question->asks);
}

static void
twice(int fd, const Question *question)
{
	send_answer(fd, question, question->asks);
	send_answer(fd, question, -question->asks);
}

/*
 * In time, and at any moment later, before the next question or behind it, an answer once more.
 */
static void
unasked(int fd, const Question *question)
{
	send_answer(fd, question, question->asks);
	pause_us(rand() % 1000);
	send_answer(fd, question, -question->asks);
}

/* Each is answered when the next one comes, with what that wants to hear. */
static void
one_behind(int fd, const Question *question)
{
	static Question before;

	send_answer(fd, &before, question->asks);
	before = *question;
}

/* What another act sends; a '#' in it is the question's number with its length, "#t" is not. */
static const char *say;

static void
say_so(int fd, const Question *question)
{
	char text[256];
	size_t n = 0;

	for (const char *at = say; *at != '\0'; at++)
		if (*at == '#' && at[1] != 't')
			n += (size_t)snprintf(text + n, sizeof text - n, "$%zu\r\n%s",
			                      strlen(question->number), question->number);
		else
			text[n++] = *at;
	send_text(fd, (Str){ text, n });
}

/*
 * What each command asks for is its last word but one, its number the last; it comes in one
 * piece here.
 */
static void
serve(int fd, Act act)
{
	char text[4096];
	Question question;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand((unsigned)getpid());
	while ((n = recv(fd, text, sizeof text - 1, 0)) > 0) {
		char *at;

		text[n - 2] = '\0';
		at = strrchr(text, '\n');
		snprintf(question.number, sizeof question.number, "%s", at + 1);
		at[-6] = '\0'; /* where "\r\n$16\r" begins */
		question.asks = atoll(strrchr(text, '\n') + 1);
		question.writes = strcmp(strrchr(text, '\n') + 1, "test:writes") == 0;
		act(fd, &question);
	}
	_exit(0);
}

/* A process that gives each connection a process of its own. */
static int
server_of(int socket, Act act)
{
	int pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
	setpgid(0, 0);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(socket, NULL, NULL);

		if (fork() == 0)
			serve(fd, act);
		close(fd);
	}
}

static int
server_start(Act act)
{
	return server_of(listener, act);
}

static struct sockaddr_un
address_of(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", dir, name);
	return address;
}

static int
listener_open(const char *name)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0
	           ? -1
	           : fd;
}

static int
bench_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_cache.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(url, sizeof url, "unix://%s/s", dir);
	listener = listener_open("s");
	replica = listener_open("r");
	board = board_open(dir);
	return board == NULL || listener < 0 || replica < 0;
}

static int
bench_remove(void **state)
{
	static const char *const names[] = { "s", "r", "board" };
	char path[128];

	(void)state;
	board_close(board);
	close(listener);
	close(replica);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
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
ctx_of(int timeout_ms)
{
	return (Ctx){
		.arena = arena_open(MIB(1)),
		.deadline = deadline_in_ms(DEADLINE_MS),
		.cache = cache_open(&(CacheConfig){ url, "test:", timeout_ms, board }),
	};
}

static Ctx
ctx_open(void)
{
	return ctx_of(TIMEOUT_MS);
}

static void
ctx_close(Ctx *ctx)
{
	cache_close(ctx->cache);
	arena_close(ctx->arena);
}

/* Ask. The breaker is closed before, so that it is asked. */
static bool
answered(Ctx *ctx, int64_t asks, const char *form, CacheItem *out)
{
	Str arg = str_print(ctx->arena, "%lld", (long long)asks);

	board_breaker_leave(board, BREAKER_CACHE, true, 0, 0);
	ctx->deadline = deadline_in_ms(DEADLINE_MS);
	return cache_eval(ctx, script, S("key"), &arg, 1, form, out);
}

/* The answer to a question, 0 when there is none. */
static int64_t
answer_to(Ctx *ctx, int64_t asks)
{
	CacheItem said = { 0 };

	if (!answered(ctx, asks, "n", &said))
		said.number = 0;
	arena_reset(ctx->arena);
	return said.number;
}

static void
an_answer_never_meets_another_question(void **state)
{
	static const struct {
		Act act;
		int timeout_ms, questions, least, most; /* answered */
	} rows[] = {
		{ often_late, TIMEOUT_MS, QUESTIONS, 100, QUESTIONS * 19 / 20 },
		{ twice, PATIENT_MS, 100, 0, 100 },
		{ unasked, PATIENT_MS, 1000, 100, 1000 },
		{ one_behind, PATIENT_MS, 100, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int server = server_start(rows[i].act), n = 0;
		Ctx ctx = ctx_of(rows[i].timeout_ms);

		for (int64_t asks = 1; asks <= rows[i].questions; asks++) {
			int64_t said = answer_to(&ctx, asks);

			n += said != 0;
			assert_true(said == 0 || said == asks);
		}
		assert_in_range(n, rows[i].least, rows[i].most);
		ctx_close(&ctx);
		server_stop(server);
	}
}

static void
only_what_has_the_form_that_was_asked_for_is_an_answer(void **state)
{
	static const struct {
		const char *words; /* '#': the question's number */
		bool good;
		Str text;
	} rows[] = {
		{ "*3\r\n#\r\n:7\r\n$2\r\nab\r\n", true, { "ab", 2 } },
		{ "*3\r\n#\r\n:7\r\n$0\r\n\r\n", true, { "", 0 } },
		{ "*3\r\n#\r\n:7\r\n$-1\r\n", true, { NULL, 0 } },
		{ "*3\r\n:7\r\n#\r\n$2\r\nab\r\n", false, { NULL, 0 } },
		{ "*3\r\n$16\r\n0000000000000000\r\n:7\r\n$2\r\nab\r\n", false, { NULL, 0 } },
		{ "*3\r\n$-1\r\n:7\r\n$2\r\nab\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n$1\r\n7\r\n$2\r\nab\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n:7\r\n:8\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n:7\r\n+ab\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n:7\r\n-ab\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n:7\r\n*1\r\n$2\r\nab\r\n", false, { NULL, 0 } },
		{ "*2\r\n#\r\n:7\r\n", false, { NULL, 0 } },
		{ "*4\r\n#\r\n:7\r\n$2\r\nab\r\n:1\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n:7\r\n$2\r\na", false, { NULL, 0 } },
		{ "*3\r\n#\r\n,1.5\r\n$2\r\nab\r\n", false, { NULL, 0 } },
		{ "*3\r\n#\r\n:7\r\n#t\r\n", false, { NULL, 0 } },
		{ ",1.5\r\n", false, { NULL, 0 } },
		{ "#t\r\n", false, { NULL, 0 } },
		{ "*0\r\n", false, { NULL, 0 } },
		{ "#\r\n", false, { NULL, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		CacheItem said[2] = { { .number = -1 }, { .text = S("untouched") } };
		bool good;
		int server;
		Ctx ctx;

		say = rows[i].words;
		server = server_start(say_so);
		ctx = ctx_of(PATIENT_MS);
		good = answered(&ctx, 1, "nt", said);
		if (good != rows[i].good)
			fail_msg("row %zu", i);
		assert_int_equal(said[0].number, good ? 7 : -1);
		assert_true(str_eq(said[1].text, good ? rows[i].text : S("untouched")));
		assert_int_equal(said[1].text.p == NULL, good && rows[i].text.p == NULL);
		ctx_close(&ctx);
		server_stop(server);
	}
}

static void
a_command_takes_its_time_out_at_most_and_opens_the_breaker(void **state)
{
	Ctx ctx = ctx_open(); /* nobody accepts: connected, never answered */
	int64_t start_us = clock_mono_us(), us;
	const char *words;
	CacheItem said;

	(void)state;
	assert_int_equal(cache_news(ctx.cache, &words), CACHE_NO_NEWS);
	assert_false(cache_eval(&ctx, script, S("key"), &S("1"), 1, "n", &said));
	us = clock_mono_us() - start_us;
	assert_in_range(us, TIMEOUT_MS * 1000, TIMEOUT_MS * 1000 + 50000);
	assert_true(board_breaker_open(board, BREAKER_CACHE));
	assert_int_equal(cache_news(ctx.cache, &words), CACHE_LOST);
	assert_string_equal(words, "no answer within 1 ms");
	assert_int_equal(cache_news(ctx.cache, &words), CACHE_NO_NEWS);
	assert_false(cache_writes(&ctx));
	/* the second was not sent */
	assert_int_equal(board_count(board, COUNT_CACHE_CALLS), 1);
	assert_int_equal(board_count(board, COUNT_CACHE_FAULTS), 1);
	ctx_close(&ctx);
}

static void
a_request_without_time_does_not_ask_and_blames_nobody(void **state)
{
	Ctx ctx = ctx_open();
	CacheItem said;

	(void)state;
	ctx.deadline = deadline_in_ms(TIMEOUT_MS - 1);
	assert_false(cache_eval(&ctx, script, S("key"), &S("1"), 1, "n", &said));
	assert_int_equal(board_count(board, COUNT_CACHE_CALLS), 0);
	assert_false(board_breaker_open(board, BREAKER_CACHE));
	ctx_close(&ctx);
}

/* --- the breaker is open */

/* Not a write, though all else. */
static void
reads_alone(int fd, const Question *question)
{
	if (question->writes)
		send_text(fd, S("-OOM command not allowed\r\n"));
	else
		send_answer(fd, question, question->asks);
}

static void
takes_writes(int fd, const Question *question)
{
	char text[64];

	if (question->writes)
		send_text(
		    fd, (Str){ text, (size_t)snprintf(text, sizeof text, "*1\r\n$16\r\n%s\r\n",
		                                      question->number) });
	else
		send_answer(fd, question, question->asks);
}

/* In time, when another worker has had no answer. */
static void
opens_it(int fd, const Question *question)
{
	board_breaker_leave(board, BREAKER_CACHE, false, clock_mono_us(), 1000000);
	send_answer(fd, question, question->asks);
}

static void
only_one_that_is_let_in_and_has_written_closes_the_breaker(void **state)
{
	static const struct {
		Act act;
		bool open, answered, stays_open;
	} rows[] = {
		{ reads_alone, false, true, false }, { reads_alone, true, false, true },
		{ takes_writes, true, true, false }, { takes_writes, false, true, false },
		{ opens_it, false, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int server = server_start(rows[i].act);
		Ctx ctx = ctx_of(PATIENT_MS);
		CacheItem said;

		/* open, but the second is over */
		board_breaker_leave(board, BREAKER_CACHE, !rows[i].open, 0, 1);
		if (cache_eval(&ctx, script, S("key"), &S("1"), 1, "n", &said) !=
		        rows[i].answered ||
		    board_breaker_open(board, BREAKER_CACHE) != rows[i].stays_open)
			fail_msg("row %zu", i);
		ctx_close(&ctx);
		server_stop(server);
	}
}

static void
one_that_reads_alone_does_not_pass_for_one_that_writes(void **state)
{
	static const Act acts[] = { reads_alone, takes_writes };

	(void)state;
	for (size_t i = 0; i < COUNT(acts); i++) {
		int server = server_start(acts[i]);
		Ctx ctx = ctx_of(PATIENT_MS);

		board_breaker_leave(board, BREAKER_CACHE, true, 0, 0);
		assert_int_equal(cache_writes(&ctx), acts[i] == takes_writes);
		ctx_close(&ctx);
		server_stop(server);
	}
}

/* --- the name, which a resolver of ours knows */

static const char *found[2]; /* the sockets that it leads to */
static struct sockaddr_un sockets[2];
static struct addrinfo chain[2];
static int lookups;

int
getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	(void)mode, (void)event;
	assert_int_equal(n, 1);
	lookups++;
	for (size_t i = 0; i < COUNT(found) && found[i] != NULL; i++) {
		sockets[i] = address_of(found[i]);
		chain[i] = (struct addrinfo){ .ai_addr = (struct sockaddr *)&sockets[i],
			                      .ai_addrlen = sizeof sockets[i] };
		if (i > 0)
			chain[i - 1].ai_next = &chain[i];
	}
	list[0]->ar_result = chain;
	return 0;
}

int
gai_suspend(const struct gaicb *const list[], int n, const struct timespec *timeout)
{
	(void)list, (void)n, (void)timeout;
	return EAI_ALLDONE;
}

int
gai_error(struct gaicb *request)
{
	(void)request;
	return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
	assert_ptr_equal(list, chain);
}

static void
one_that_is_not_to_be_written_to_is_left_for_the_next_address(void **state)
{
	static const struct {
		const char *error;
		const char *first[2], *later; /* what the name leads to */
		int asked;                    /* the resolver */
		bool left;
	} rows[] = {
		{ "-READONLY You can't write\r\n", { "r", "s" }, NULL, 1, true },
		{ "-MASTERDOWN Link is down\r\n", { "r", "s" }, NULL, 1, true },
		{ "-LOADING Redis is\r\n", { "r", "s" }, NULL, 1, true },
		{ "-ERR Error running script: -READONLY x\r\n", { "r", "s" }, NULL, 1, true },
		{ "-READONLY You can't write\r\n", { "r", NULL }, "s", 2, true },
		{ "-OOM command not allowed\r\n", { "r", "s" }, NULL, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int old, young;
		Ctx ctx = { .arena = arena_open(MIB(1)) };

		say = rows[i].error;
		old = server_of(replica, say_so);
		young = server_of(listener, takes_writes);
		memcpy(found, rows[i].first, sizeof found);
		lookups = 0;
		ctx.cache = cache_open(&(CacheConfig){ "redis://redis.example.org:6379",
		                                       "test:", PATIENT_MS, board });
		if (rows[i].later != NULL)
			found[0] = rows[i].later;
		if (answer_to(&ctx, 5) != 0 || answer_to(&ctx, 6) != (rows[i].left ? 6 : 0) ||
		    lookups != rows[i].asked)
			fail_msg("row %zu: %d look-ups", i, lookups);
		ctx_close(&ctx);
		server_stop(old);
		server_stop(young);
	}
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
		CACHE_TEST(only_what_has_the_form_that_was_asked_for_is_an_answer),
		CACHE_TEST(a_command_takes_its_time_out_at_most_and_opens_the_breaker),
		CACHE_TEST(a_request_without_time_does_not_ask_and_blames_nobody),
		CACHE_TEST(only_one_that_is_let_in_and_has_written_closes_the_breaker),
		CACHE_TEST(one_that_reads_alone_does_not_pass_for_one_that_writes),
		CACHE_TEST(one_that_is_not_to_be_written_to_is_left_for_the_next_address),
	};

	const struct CMUnitTest without[] = { CACHE_TEST(no_url_is_no_cache) };

	return built ? cmocka_run_group_tests(tests, NULL, NULL)
	             : cmocka_run_group_tests(without, NULL, NULL);
}
