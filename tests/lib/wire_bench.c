#include "tests/lib/wire_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

char directory[32] = "/tmp/test_wire.XXXXXX";
struct sockaddr_un address = { .sun_family = AF_UNIX };
int listener = -1;
Wire *wire;
Arena *arena;
Ctx ctx;
int clients[CLIENTS];
volatile sig_atomic_t signals;

void
on_signal(int number)
{
	(void)number;
	signals++;
}

int
wire_bench_begin(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
	sigaction(SIGALRM, &action, NULL);
	return 0;
}

int
wire_bench_end(void **state)
{
	(void)state;
	return rmdir(directory);
}

int
wire_bench_open(void **state)
{
	WireConfig config = { .head_ms = HEAD_MS };

	(void)state;
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 4096), 0);
	config.listen_fd = listener;
	wire = wire_open(&config);
	assert_non_null(wire);
	arena = arena_open(MIB(64));
	ctx = (Ctx){ .arena = arena, .deadline = deadline_in_ms(5000) };
	memset(clients, -1, sizeof clients);
	signals = 0;
	return 0;
}

int
wire_bench_close(void **state)
{
	(void)state;
	for (size_t i = 0; i < CLIENTS; i++)
		closep(&clients[i]);
	arena_close(arena);
	wire_close(wire);
	close(listener);
	return unlink(address.sun_path);
}

/* --- clients */

int
client(size_t i)
{
	clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(clients[i] >= 0);
	assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
	return clients[i];
}

void
put_record(Buf *to, int type, Str content)
{
	const char header[8] = {
		1, (char)type, 0, 1, (char)(content.n >> 8), (char)content.n, 0, 0,
	};

	buf_put(to, (Str){ header, sizeof header });
	buf_put(to, content);
}

static void
put_pair(Buf *to, const char *name, Str value)
{
	buf_byte(to, (char)strlen(name));
	buf_byte(to, (char)(0x80 | value.n >> 24));
	buf_byte(to, (char)(value.n >> 16));
	buf_byte(to, (char)(value.n >> 8));
	buf_byte(to, (char)value.n);
	buf_puts(to, name);
	buf_put(to, value);
}

/* BEGIN and PARAMS of a request; length: CONTENT_LENGTH, or NULL. */
Buf
head_of(Str uri, const char *length)
{
	static const char begin[8] = { 0, 1 };
	Buf head = { .arena = arena }, pairs = { .arena = arena };

	put_pair(&pairs, "REQUEST_METHOD", S("POST"));
	put_pair(&pairs, "REQUEST_URI", uri);
	put_pair(&pairs, "HTTP_A", S("1"));
	put_pair(&pairs, "HTTP_A", S("2"));
	if (length != NULL)
		put_pair(&pairs, "CONTENT_LENGTH", str_of(length));
	put_record(&head, BEGIN, (Str){ begin, sizeof begin });
	put_record(&head, PARAMS, buf_str(&pairs));
	put_record(&head, PARAMS, S(""));
	return head;
}

/* The same with a body and its end. */
Str
request(Str uri, const char *length, Str body)
{
	Buf whole = head_of(uri, length);

	for (size_t i = 0; i < body.n; i += 65535)
		put_record(&whole, STDIN, str_sub(body, i, i + 65535));
	put_record(&whole, STDIN, S(""));
	return buf_str(&whole);
}

void
say(int fd, Str bytes)
{
	assert_int_equal(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

/* All that comes until the other side closes. */
Str
hear(int fd)
{
	Buf heard = { .arena = arena };
	ssize_t n;

	while ((n = recv(fd, buf_room(&heard, 4096), 4096, 0)) > 0)
		heard.n += (size_t)n;
	assert_int_equal(n, 0);
	return buf_str(&heard);
}

bool
holds(Str text, const char *part)
{
	return text.n > 0 && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* Is it closed, without a byte? */
bool
is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* A signal after this time, so that wire_next comes back. */
void
signal_in_ms(int ms)
{
	struct itimerval timer = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

bool
answer_ok(void)
{
	return wire_answer(wire, S("Status: 200\r\n\r\n"), S("hello"), ctx.deadline);
}
