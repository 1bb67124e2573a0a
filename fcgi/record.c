#include "fcgi/record.h"

#include <string.h>

enum {
	VERSION = 1,
	RESPONDER = 1,
	KEEP_CONN = 1,
	CANT_MPX_CONN = 1,
	UNKNOWN_ROLE = 3,
	HEADER_BYTES = 8,
	BEGIN_BYTES = 8,
	FRONT_BYTES = HEADER_BYTES + BEGIN_BYTES +
	              HEADER_BYTES, /* of the canonical copy, before PARAMS */
	PARAMS_FIRST_ROOM = 2048,
};

typedef enum Type {
	TYPE_BEGIN = 1,
	TYPE_ABORT = 2,
	TYPE_END_REQUEST = 3,
	TYPE_PARAMS = 4,
	TYPE_STDIN = 5,
	TYPE_GET_VALUES = 9,
	TYPE_GET_VALUES_RESULT = 10,
	TYPE_UNKNOWN = 11,
} Type;

typedef enum Phase { PHASE_OPEN, PHASE_PARAMS, PHASE_BODY, PHASE_DONE } Phase;

/* What becomes of the content of the present record. */
typedef enum Use { USE_NOTHING, USE_BEGIN, USE_VALUES, USE_PARAMS, USE_BODY } Use;

typedef struct Pair {
	Str name, value;
} Pair;

struct RecordReader {
	Arena *arena;
	Phase phase;
	RecordEvent last; /* RECORD_REFUSE and RECORD_CLOSE stay */
	unsigned id;      /* of the request; 0 before its BEGIN */
	int status;
	const char *reason;

	uint8_t header[HEADER_BYTES];
	size_t header_n;
	size_t content_left, padding_left; /* of the present record */
	Use use;
	uint8_t small[RECORD_VALUES_MAX]; /* content of BEGIN or GET_VALUES */
	size_t small_n;
	size_t stray_bytes;

	Buf head; /* FRONT_BYTES, filled in last, and PARAMS behind them */
	Pair *pairs;
	size_t n_pairs;
	uint8_t reply[96];
};

/*
 * They come once: the meta-variables of RFC 3875 that mean something here, and their
 * companions.
 */
static const char *const once[] = {
	"AUTH_TYPE",      "CONTENT_LENGTH", "CONTENT_TYPE",    "GATEWAY_INTERFACE",
	"HTTPS",          "QUERY_STRING",   "REMOTE_ADDR",     "REMOTE_HOST",
	"REMOTE_IDENT",   "REMOTE_PORT",    "REMOTE_USER",     "REQUEST_METHOD",
	"REQUEST_SCHEME", "REQUEST_URI",    "SERVER_PROTOCOL",
};

/* What libfcgi would say of itself, too. */
static const struct {
	Str name;
	char value;
} values[] = {
	{ { "FCGI_MAX_CONNS", 14 }, '1' },
	{ { "FCGI_MAX_REQS", 13 }, '1' },
	{ { "FCGI_MPXS_CONNS", 15 }, '0' },
};

RecordReader *
record_open(Arena *arena)
{
	RecordReader *reader = arena_new(arena, RecordReader, 1);

	reader->arena = arena;
	reader->head.arena = arena;
	return reader;
}

static RecordEvent
fail(RecordReader *reader, RecordEvent event, int status, const char *reason)
{
	reader->last = event;
	reader->status = status;
	reader->reason = reason;
	return event;
}

/* Before BEGIN there is no one to answer. */
static RecordEvent
refuse(RecordReader *reader, const char *reason)
{
	if (reader->phase == PHASE_OPEN)
		return fail(reader, RECORD_CLOSE, 0, reason);
	return fail(reader, RECORD_REFUSE, 400, reason);
}

static void
header_write(uint8_t *to, Type type, unsigned id, size_t content)
{
	const uint8_t header[HEADER_BYTES] = {
		VERSION,
		(uint8_t)type,
		(uint8_t)(id >> 8),
		(uint8_t)id,
		(uint8_t)(content >> 8),
		(uint8_t)content,
		0,
		0,
	};

	memcpy(to, header, sizeof header);
}

/* A record of eight bytes of content, the first ones given. */
static Str
reply_make(RecordReader *reader, Type type, unsigned id, size_t at, int value)
{
	memset(reader->reply, 0, sizeof reader->reply);
	header_write(reader->reply, type, id, 8);
	reader->reply[HEADER_BYTES + at] = (uint8_t)value;
	return (Str){ (const char *)reader->reply, HEADER_BYTES + 8 };
}

static Str
reply_end(RecordReader *reader, unsigned id, int protocol_status)
{
	return reply_make(reader, TYPE_END_REQUEST, id, 4, protocol_status);
}

/* --- name-value pairs */

/* Take a length of one or four bytes off *rest. */
static bool
length_next(Str *rest, size_t *length)
{
	const uint8_t *p = (const uint8_t *)rest->p;
	size_t bytes = rest->n > 0 && p[0] >= 0x80 ? 4 : 1;

	if (rest->n < bytes)
		return false;
	*length = bytes == 1 ? p[0]
	                     : (size_t)(p[0] & 0x7F) << 24 | (size_t)p[1] << 16 |
	                           (size_t)p[2] << 8 | p[3];
	*rest = str_sub(*rest, bytes, rest->n);
	return true;
}

/* Take a pair off *rest; false when its lengths reach beyond the end. */
static bool
pair_next(Str *rest, Pair *pair)
{
	size_t name_n, value_n;

	if (!length_next(rest, &name_n) || !length_next(rest, &value_n) || name_n > rest->n ||
	    value_n > rest->n - name_n)
		return false;
	pair->name = (Str){ rest->p, name_n };
	pair->value = (Str){ rest->p + name_n, value_n };
	*rest = str_sub(*rest, name_n + value_n, rest->n);
	return true;
}

static bool
name_ok(Str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '=')
			return false;
	return name.n >= 1 && name.n <= RECORD_NAME_MAX && !str_eq(name, S("FCGI_ROLE"));
}

static bool
value_ok(Str value)
{
	return str_find(value, '\0') == value.n && str_find(value, '\r') == value.n &&
	       str_find(value, '\n') == value.n;
}

/*
 * May pair i stand there, after those before it? Headers repeat (nginx, HAProxy). So do, saying
 * the same, parameters that a web server's configuration has twice, as long as nobody here acts
 * on them.
 */
static bool
repeat_ok(const RecordReader *reader, size_t i)
{
	const Pair *pair = &reader->pairs[i];

	if (str_starts(pair->name, S("HTTP_")))
		return true;
	for (size_t k = 0; k < i; k++) {
		if (!str_eq(reader->pairs[k].name, pair->name))
			continue;
		if (!str_eq(reader->pairs[k].value, pair->value))
			return false;
		for (size_t o = 0; o < COUNT(once); o++)
			if (str_eq(pair->name, str_of(once[o])))
				return false;
		return true;
	}
	return true;
}

/*
 * A number, or what web servers send when they do not know: nothing, "" (nginx) or -1 (Caddy).
 */
static bool
content_length_ok(Str value)
{
	uint64_t bytes;

	return value.n == 0 || str_eq(value, S("-1")) || str_u64(value, &bytes);
}

/* Read PARAMS into pairs. NULL, or why they are refused. */
static const char *
pairs_read(RecordReader *reader)
{
	Str all = { reader->head.p + FRONT_BYTES, reader->head.n - FRONT_BYTES }, rest = all;
	size_t n = 0;
	Pair pair;

	for (; rest.n > 0; n++) {
		if (!pair_next(&rest, &pair))
			return "pair_length";
		if (n == RECORD_PAIRS_MAX)
			return "pairs";
	}
	reader->pairs = arena_new(reader->arena, Pair, n);
	rest = all;
	for (size_t i = 0; i < n && pair_next(&rest, &reader->pairs[i]); i++) {
		if (!name_ok(reader->pairs[i].name))
			return "name";
		if (!value_ok(reader->pairs[i].value))
			return "value";
		if (!repeat_ok(reader, i))
			return "repeated";
	}
	reader->n_pairs = n;
	if (record_param(reader, "REQUEST_METHOD").n == 0)
		return "no_method";
	if (record_param(reader, "REQUEST_URI").n == 0)
		return "no_uri";
	if (!content_length_ok(record_param(reader, "CONTENT_LENGTH")))
		return "content_length";
	return NULL;
}

/* --- records that are whole */

static RecordEvent
begin_read(RecordReader *reader, Str *piece)
{
	unsigned id = (unsigned)reader->header[2] << 8 | reader->header[3];
	unsigned role = (unsigned)reader->small[0] << 8 | reader->small[1];

	if (role != RESPONDER) {
		*piece = reply_end(reader, id, UNKNOWN_ROLE);
		return fail(reader, RECORD_CLOSE, 0, "role");
	}
	reader->id = id;
	reader->phase = PHASE_PARAMS;
	buf_room(&reader->head, PARAMS_FIRST_ROOM);
	reader->head.n = FRONT_BYTES;
	return RECORD_MORE;
}

/* Answer GET_VALUES, each name once, however often it is asked for. */
static RecordEvent
values_read(RecordReader *reader, Str *piece)
{
	Str rest = { (const char *)reader->small, reader->small_n };
	uint8_t *to = reader->reply + HEADER_BYTES;
	bool said[COUNT(values)] = { false };
	size_t content;
	Pair pair;

	while (rest.n > 0) {
		if (!pair_next(&rest, &pair))
			return refuse(reader, "values");
		for (size_t i = 0; i < COUNT(values); i++) {
			if (said[i] || !str_eq(pair.name, values[i].name))
				continue;
			said[i] = true;
			*to++ = (uint8_t)values[i].name.n;
			*to++ = 1;
			memcpy(to, values[i].name.p, values[i].name.n);
			to += values[i].name.n;
			*to++ = (uint8_t)values[i].value;
		}
	}
	content = (size_t)(to - reader->reply) - HEADER_BYTES;
	header_write(reader->reply, TYPE_GET_VALUES_RESULT, 0, content);
	*piece = (Str){ (const char *)reader->reply, HEADER_BYTES + content };
	return RECORD_REPLY;
}

static RecordEvent
params_end(RecordReader *reader)
{
	const char *why = pairs_read(reader);

	if (why != NULL)
		return refuse(reader, why);
	reader->phase = PHASE_BODY;
	return RECORD_HEAD;
}

/* --- headers, which say what the content is for */

/* Before BEGIN: management records, and strays. */
static RecordEvent
header_open(RecordReader *reader, unsigned type, unsigned id, Str *piece)
{
	if (type == TYPE_BEGIN) {
		if (id == 0 || reader->content_left != BEGIN_BYTES)
			return refuse(reader, "begin");
		reader->use = USE_BEGIN;
		return RECORD_MORE;
	}
	if (id != 0)
		return RECORD_MORE;
	if (type != TYPE_GET_VALUES) {
		*piece = reply_make(reader, TYPE_UNKNOWN, 0, 0, (int)type);
		return RECORD_REPLY;
	}
	if (reader->content_left > RECORD_VALUES_MAX)
		return refuse(reader, "values");
	reader->use = USE_VALUES;
	return reader->content_left == 0 ? values_read(reader, piece) : RECORD_MORE;
}

static RecordEvent
header_params(RecordReader *reader, unsigned type)
{
	if (type != TYPE_PARAMS)
		return refuse(reader, type == TYPE_ABORT ? "aborted" : "order");
	if (reader->content_left == 0)
		return params_end(reader);
	if (reader->head.n - FRONT_BYTES + reader->content_left > RECORD_PARAMS_MAX)
		return fail(reader, RECORD_REFUSE, 431, "params");
	reader->use = USE_PARAMS;
	return RECORD_MORE;
}

static RecordEvent
header_body(RecordReader *reader, unsigned type)
{
	if (type != TYPE_STDIN)
		return refuse(reader, type == TYPE_ABORT ? "aborted" : "order");
	if (reader->content_left == 0) {
		reader->phase = PHASE_DONE;
		return RECORD_END;
	}
	reader->use = USE_BODY;
	return RECORD_MORE;
}

/* Between BEGIN and the end of the body. */
static RecordEvent
header_inside(RecordReader *reader, unsigned type, unsigned id, Str *piece)
{
	if (id == 0)
		return refuse(reader, "management");
	if (id != reader->id) {
		if (type != TYPE_BEGIN)
			return RECORD_MORE;
		*piece = reply_end(reader, id, CANT_MPX_CONN);
		return RECORD_REPLY;
	}
	if (type == TYPE_BEGIN)
		return fail(reader, RECORD_CLOSE, 0, "begun_twice");
	return reader->phase == PHASE_PARAMS ? header_params(reader, type)
	                                     : header_body(reader, type);
}

static RecordEvent
header_read(RecordReader *reader, Str *piece)
{
	const uint8_t *h = reader->header;
	unsigned type = h[1], id = (unsigned)h[2] << 8 | h[3];
	bool own = reader->id != 0 ? id == reader->id : type == TYPE_BEGIN;

	reader->header_n = reader->small_n = 0;
	reader->use = USE_NOTHING;
	reader->content_left = (size_t)h[4] << 8 | h[5];
	reader->padding_left = h[6];
	if (h[0] != VERSION)
		return refuse(reader, "version");
	if (!own) {
		reader->stray_bytes +=
		    HEADER_BYTES + reader->content_left + reader->padding_left;
		if (reader->stray_bytes > RECORD_STRAY_MAX)
			return refuse(reader, "strays");
	}
	return reader->phase == PHASE_OPEN ? header_open(reader, type, id, piece)
	                                   : header_inside(reader, type, id, piece);
}

/* --- bytes */

/* Cut at most *left bytes off the front of *in, and count them. */
static Str
cut(Str *in, size_t *left)
{
	Str part = str_sub(*in, 0, MIN(in->n, *left));

	*left -= part.n;
	*in = str_sub(*in, part.n, in->n);
	return part;
}

static RecordEvent
content_take(RecordReader *reader, Str *in, Str *piece)
{
	Str part = cut(in, &reader->content_left);

	switch (reader->use) {
	case USE_NOTHING:
		break;
	case USE_BODY:
		*piece = part;
		return RECORD_BODY;
	case USE_PARAMS:
		buf_put(&reader->head, part);
		break;
	case USE_BEGIN:
	case USE_VALUES:
		memcpy(reader->small + reader->small_n, part.p, part.n);
		reader->small_n += part.n;
		if (reader->content_left > 0)
			break;
		return reader->use == USE_BEGIN ? begin_read(reader, piece)
		                                : values_read(reader, piece);
	}
	return RECORD_MORE;
}

static RecordEvent
header_take(RecordReader *reader, Str *in, Str *piece)
{
	size_t left = HEADER_BYTES - reader->header_n;
	Str part = cut(in, &left);

	memcpy(reader->header + reader->header_n, part.p, part.n);
	reader->header_n += part.n;
	return left > 0 ? RECORD_MORE : header_read(reader, piece);
}

RecordEvent
record_next(RecordReader *reader, Str *in, Str *piece)
{
	*piece = STR_NONE;
	if (reader->phase == PHASE_DONE)
		return RECORD_END;
	if (reader->last == RECORD_REFUSE || reader->last == RECORD_CLOSE)
		return reader->last;
	while (in->n > 0) {
		RecordEvent event = RECORD_MORE;

		if (reader->content_left > 0)
			event = content_take(reader, in, piece);
		else if (reader->padding_left > 0)
			cut(in, &reader->padding_left);
		else
			event = header_take(reader, in, piece);
		if (event != RECORD_MORE)
			return event;
	}
	return RECORD_MORE;
}

/* --- what was read */

Str
record_param(const RecordReader *reader, const char *name)
{
	Str wanted = str_of(name);

	for (size_t i = 0; i < reader->n_pairs; i++)
		if (str_eq(reader->pairs[i].name, wanted))
			return reader->pairs[i].value;
	return STR_NONE;
}

bool
record_pair(const RecordReader *reader, size_t i, Str *name, Str *value)
{
	if (i >= reader->n_pairs)
		return false;
	*name = reader->pairs[i].name;
	*value = reader->pairs[i].value;
	return true;
}

Str
record_canonical(RecordReader *reader)
{
	static const uint8_t begin[BEGIN_BYTES] = { 0, RESPONDER, KEEP_CONN };
	bool refused = reader->last == RECORD_REFUSE;
	size_t n = refused ? FRONT_BYTES - HEADER_BYTES : reader->head.n;
	uint8_t *head;

	CHECK(refused || reader->phase >= PHASE_BODY);
	buf_room(&reader->head, HEADER_BYTES);
	head = (uint8_t *)reader->head.p;
	header_write(head, TYPE_BEGIN, reader->id, BEGIN_BYTES);
	memcpy(head + HEADER_BYTES, begin, sizeof begin);
	if (!refused)
		header_write(head + FRONT_BYTES - HEADER_BYTES, TYPE_PARAMS, reader->id,
		             n - FRONT_BYTES);
	header_write(head + n, TYPE_PARAMS, reader->id, 0);
	return (Str){ reader->head.p, n + HEADER_BYTES };
}

int
record_status(const RecordReader *reader)
{
	return reader->status;
}

const char *
record_reason(const RecordReader *reader)
{
	return reader->reason;
}

bool
record_inside(const RecordReader *reader)
{
	return reader->phase == PHASE_PARAMS || reader->phase == PHASE_BODY ||
	       reader->header_n + reader->content_left + reader->padding_left > 0;
}

unsigned
record_id(const RecordReader *reader)
{
	return reader->id;
}
