#pragma once

/*
 * A request on its way through the rooms, and the table that says where it goes.
 */

#include "common/board.h"
#include "common/model.h"
#include "fcgi/net.h"
#include "fcgi/wire.h"

typedef enum Method {
	GET = 1,
	HEAD = 2,
	POST = 4,
	PUT = 8,
	PATCH = 16,
	DELETE = 32,
	OPTIONS = 64,
} Method;

/* Who may come in: anyone, whoever has a session, or holders of one permission. */
typedef enum Who {
	anyone,
	bearer,
	ops, /* the configured networks, or ops:read */
#define PERMISSION(name, text) name,
#include "schema/permissions.def"
#undef PERMISSION
	WHOS
} Who;

/*
 * READS: read only, each statement by itself. WRITES: one transaction, committed when the
 * handler returns NULL, run anew after a serialization failure. NO_TX: handler says when (work
 * that waits on an upstream). NO_DB: never touches the database.
 */
typedef enum Tx { READS, WRITES, NO_TX, NO_DB } Tx;

typedef struct Req Req;
typedef const Problem *(*Handler)(Req *rq, const void *in, void *out);

typedef struct Route {
	const char *id; /* handler's name: operationId, and label of metrics */
	Method method;
	const char *path; /* "/v1/products/{id}" */
	Who who;
	Tx tx;
	Handler handler;
	const Model *takes, *gives;
	int status;
	Lane lane;
	const Model *reads;     /* the body's shape, where the handler reads rq->body itself */
	const char *body_types; /* separated by spaces; NULL: application/json */
	const char *media;      /* of the answer, the same, best first */
	const ProblemCode *problems; /* its own, for the documents; P_internal ends them */
	const char *about;           /* one sentence */
	bool fresh;      /* administration, credentials: the database is asked who calls */
	bool unlimited;  /* not counted by the rate limits: probes and scrapes */
	bool versioned;  /* an answer may have an ETag */
	bool empty_body; /* no body at all is an object without members */
	bool own_token;  /* the handler reads Authorization itself, of an ended session too */
} Route;

extern const Route routes[];
extern const size_t route_count;

/* As roles have them; NULL for the first three. */
extern const char *const permission_names[WHOS];

/* Who is calling, as the database and his token both say. */
typedef struct Caller {
	bool known;
	Uuid user_id, session_id;
	StrList roles; /* that the token names, where the database was asked */
	StrList permissions;
	uint64_t rights; /* bits 1 << Who, of the permissions that routes ask for */
} Caller;

struct Req {
	Ctx *ctx;
	Wire *wire;
	Board *board;
	const char *room;   /* where it is, for the log */
	const Route *route; /* NULL until found */
	Method method;      /* HEAD is served as GET; 0: one we do not know */
	bool head;
	bool done; /* the answer is decided, though nothing is wrong */

	Str path;           /* decoded once, below the base path */
	Str path_values[4]; /* in the order of the template's braces */
	Str query;          /* raw, without '?' */
	Str body;
	void *in;        /* the route's struct, read */
	Uuid id;         /* ours; the problem's instance */
	Str request_id;  /* the client's, or the text of id */
	Address address; /* the client's */
	Lang lang;
	Caller caller;
	int64_t start_us; /* its first byte, monotonic */
	int slot;         /* on the board */
	int listen_fd;
	bool keeper; /* the keeper serves it: routes of operation that need no database */
	bool lane_held;

	int status;        /* of the answer; 0 until decided */
	Buf headers;       /* lines of the answer, each with CRLF */
	Buf out;           /* its body */
	Str media;         /* its type */
	const char *cache; /* Cache-Control; NULL: the path's default */
	bool localised;    /* text in it depends on the language */
	bool raw;          /* the handler wrote the body itself */
	Str etag;          /* STR_NONE: none */
	unsigned allow;    /* methods of the path, for 405 and OPTIONS */
};

/*
 * A request header by its CGI name ("HTTP_IF_MATCH"); repeated ones are joined by ", ";
 * STR_NONE when absent.
 */
Str req_header(const Req *rq, const char *name);

/* "GET, HEAD" for a set of methods. */
Str methods_text(Arena *arena, unsigned methods);

/* Largest body that the route takes, in bytes. */
size_t body_limit(const Req *rq);

bool caller_may(const Req *rq, Who permission);
bool caller_holds(const Req *rq, Str permission);

/* --- what a handler says of its answer */
void answer_header(Req *rq, const char *name, Str value);
void answer_location(Req *rq, const char *format, ...) PRINTF(2, 3); /* below the base path */
void answer_etag(Req *rq, int64_t version);
void answer_raw(Req *rq, Str body); /* of type rq->media */
void answer_status(Req *rq, int status);
void answer_link_next(Req *rq, Str query); /* Link: <…?query>; rel="next" */

/*
 * If-Match and If-None-Match of a request that changes something, against the present version
 * or its tag (none: there is nothing yet): NULL, precondition_failed, or precondition_required
 * when an If-Match must be there.
 */
const Problem *match_check(Req *rq, int64_t version, bool must) MUST_USE;
const Problem *match_check_tag(Req *rq, Str etag, bool must) MUST_USE;
