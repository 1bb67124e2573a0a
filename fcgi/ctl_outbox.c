/* posternctl mail, posternctl outbox: what the running servers deliver, and whether they do. */

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "common/db.h"
#include "fcgi/ctl.h"
#include "fcgi/ctl_db.h"
#include "fcgi/mailing.h"
#include "queries.gen.h"

enum { GLANCE_NS = 50000000, STATEMENT_MS = 5000, WAIT_MOST_S = 86400, SLACK_S = 5 };

static const char usage[] =
    "usage: posternctl mail --to ADDRESS [--wait SECONDS]\n"
    "  --wait SECONDS  time that a server may take to deliver it (mail.deadline_ms and 5 s)\n";

typedef struct Options {
	const char *to;
	uint64_t wait_s;
} Options;

/* False when the command line is not understood. */
static bool
options_read(int argc, char **argv, Options *options)
{
	static const struct option known[] = {
		{ "to", required_argument, NULL, 't' },
		{ "wait", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0; /* glibc: read from the beginning, whoever read before */
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 't')
			options->to = optarg;
		else if (option != 'w' || !str_u64(str_of(optarg), &options->wait_s) ||
		         options->wait_s > WAIT_MOST_S)
			return false;
	}
	return optind == argc && options->to != NULL;
}

static const Problem *
mail_put(Ctx *ctx, const char *to, Uuid *id)
{
	Mail mail = {
		.to = str_of(to),
		.subject = S("A test of Postern's mail"),
		.text = S("This mail was asked for with `posternctl mail`.\n\n"
		          "That it has come shows that the running server can send mails.\n"),
	};

	TRY(db_begin(ctx));
	TRY(mailing_put(ctx, &mail, id));
	return db_commit(ctx);
}

/* Has it come to an end, or to a first failure? */
static bool
is_told(const OutboxState *state)
{
	return state->done_at.has || state->gave_up_at.has || state->last_error.has;
}

/* Look at the row until it tells something, or the time is over. */
static const Problem *
state_wait(Ctx *ctx, Uuid id, Deadline by, OutboxState *state)
{
	ArenaMark mark = arena_mark(ctx->arena);

	for (;;) {
		bool found = false;

		arena_back(ctx->arena, mark);
		ctx->deadline = deadline_in_ms(STATEMENT_MS);
		TRY(q_outbox_state(ctx, id, state, &found));
		if (!found)
			return problem_inside(ctx, P_not_found, "the row is gone");
		if (is_told(state) || deadline_passed(by))
			return NULL;
		nanosleep(&(struct timespec){ .tv_nsec = GLANCE_NS }, NULL);
	}
}

static int
state_say(const OutboxState *state)
{
	if (state->done_at.has)
		return ctl_print(S("delivered\n"));
	if (state->gave_up_at.has) {
		fprintf(stderr, "posternctl: given up: %.*s\n", STR_ARG(state->last_error.v));
		return EX_UNAVAILABLE;
	}
	if (state->last_error.has)
		fprintf(stderr, "posternctl: waiting to be tried again: %.*s\n",
		        STR_ARG(state->last_error.v));
	else if (state->attempts > 0)
		fputs("posternctl: waiting: an attempt is under way\n", stderr);
	else
		fputs("posternctl: waiting: no server has taken it up yet\n", stderr);
	return EX_TEMPFAIL;
}

static int
mail_test(Ctx *ctx, const Options *options)
{
	Deadline by = deadline_in_ms((int64_t)options->wait_s * 1000);
	OutboxState state;
	Uuid id;
	const Problem *p = mail_put(ctx, options->to, &id);

	if (p != NULL) {
		db_rollback(ctx);
		return ctl_problem(ctx, p);
	}
	if (mailing_lacks() != NULL) {
		fprintf(stderr, "posternctl: waiting: %s\n", mailing_lacks());
		return EX_TEMPFAIL;
	}
	p = state_wait(ctx, id, by, &state);
	return p == NULL ? state_say(&state) : ctl_problem(ctx, p);
}

int
ctl_mail(int argc, char **argv, const Settings *settings)
{
	Options options = { .wait_s = (uint64_t)settings->mail_deadline_ms / 1000 + SLACK_S };
	Ctx *ctx;
	int status;

	if (!options_read(argc, argv, &options)) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	ctx = ctl_db_open(settings);
	status = mail_test(ctx, &options);
	ctl_db_close(ctx, settings);
	return status;
}

static void
count_put(Buf *out, const OutboxCount *row)
{
	buf_print(out, "%.*s\twaiting %lld", STR_ARG(row->kind), (long long)row->waiting);
	if (row->oldest_at.has) {
		buf_puts(out, " since ");
		instant_put(out, row->oldest_at.v);
	}
	buf_print(out, "\tdone %lld\tgiven up %lld", (long long)row->done,
	          (long long)row->gave_up);
	if (row->last_error.has)
		buf_print(out, "\t%.*s", STR_ARG(row->last_error.v));
	buf_byte(out, '\n');
}

int
ctl_outbox(int argc, char **argv, const Settings *settings)
{
	const Problem *p;
	int status;
	List list;
	Ctx *ctx;
	Buf out;

	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	ctx = ctl_db_open(settings);
	out = (Buf){ .arena = ctx->arena };
	p = q_outbox_count(ctx, &list);
	if (p == NULL) {
		for (size_t i = 0; i < list.n; i++)
			count_put(&out, (const OutboxCount *)list.v + i);
		status = ctl_print(buf_str(&out));
	} else {
		status = ctl_problem(ctx, p);
	}
	ctl_db_close(ctx, settings);
	return status;
}
