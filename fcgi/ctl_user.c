/* posternctl user: the first administrator, and emergencies. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "common/db.h"
#include "common/password.h"
#include "fcgi/ctl.h"
#include "fcgi/ctl_db.h"
#include "fcgi/revoke.h"
#include "queries.gen.h"
#include "schema/models/auth.h"

enum { ROLES_MAX = 16, FILE_BYTES = 4096 };

static const char usage[] =
    "usage: posternctl user add --email E --role R [--role R]... [--password-file F|-]\n"
    "       posternctl user list\n"
    "       posternctl user disable --email E\n"
    "  --password-file  the password is the first line of this file; -: of standard input;\n"
    "                   without it the terminal is asked\n";

typedef struct Options {
	const char *verb, *email, *password_file;
	Str roles[ROLES_MAX];
	size_t n_roles;
} Options;

/* False when the command line is not understood. */
static bool
options_read(int argc, char **argv, Options *options)
{
	static const struct option known[] = {
		{ "email", required_argument, NULL, 'e' },
		{ "role", required_argument, NULL, 'r' },
		{ "password-file", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0; /* glibc: read from the beginning, whoever read before */
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'e':
			options->email = optarg;
			break;
		case 'p':
			options->password_file = optarg;
			break;
		case 'r':
			if (options->n_roles == ROLES_MAX)
				return false;
			options->roles[options->n_roles++] = str_of(optarg);
			break;
		default:
			return false;
		}
	}
	options->verb = optind < argc ? argv[optind] : "";
	return optind + 1 == argc;
}

/* ------------------------------------------------------------------ the password */

/* The first line of what is left in fd; false with errno when it cannot be read. */
static bool
line_read(Arena *arena, int fd, Str *line)
{
	char *p = arena_secret(arena, FILE_BYTES);
	size_t n = 0;

	while (n < FILE_BYTES && memchr(p, '\n', n) == NULL) {
		ssize_t more = read(fd, p + n, FILE_BYTES - n);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return false;
		if (more == 0)
			break;
		n += (size_t)more;
	}
	*line = (Str){ p, str_find((Str){ p, n }, '\n') };
	return true;
}

/* One line from the terminal, which does not show it. */
static bool
terminal_ask(Arena *arena, int fd, const char *question, Str *line)
{
	struct termios shown, hidden;
	bool good;

	if (tcgetattr(fd, &shown) != 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &hidden);
	fputs(question, stderr);
	good = line_read(arena, fd, line);
	tcsetattr(fd, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return good;
}

static int
terminal_read(Arena *arena, Str *password)
{
	CLEANUP(closep) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	Str again;

	if (fd < 0 || !terminal_ask(arena, fd, "Password: ", password) ||
	    !terminal_ask(arena, fd, "The same again: ", &again)) {
		fputs("posternctl: no terminal to ask for the password: give --password-file\n",
		      stderr);
		return EX_USAGE;
	}
	if (!str_eq_secret(*password, again)) {
		fputs("posternctl: the two are not the same\n", stderr);
		return EX_DATAERR;
	}
	return EX_OK;
}

static int
password_read(Arena *arena, const char *path, Str *password)
{
	CLEANUP(closep) int fd = -1;

	if (path == NULL)
		return terminal_read(arena, password);
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && line_read(arena, fd, password))
		return EX_OK;
	fprintf(stderr, "posternctl: %s: %s\n", path, strerror(errno));
	return EX_NOINPUT;
}

/* ------------------------------------------------------------------ the commands */

/* What a client who registers would be told, too. */
static const Problem *
account_check(Ctx *ctx, const RegisterIn *in)
{
	FieldErrors *errors = arena_new(ctx->arena, FieldErrors, 1);

	field_check(model_field(&RegisterIn_model, S("email")), &in->email, S("/email"),
	            errors);
	field_check(model_field(&RegisterIn_model, S("password")), &in->password,
	            S("/password"), errors);
	if (errors->n == 0 && password_is_common(in->password))
		field_errors_add(errors, S("/password"), F_breached, 0);
	if (errors->n == 0 && str_eq_nocase(in->password, in->email))
		field_errors_add(errors, S("/password"), F_not_allowed, 0);
	return problem_fields(ctx, P_validation_failed, errors);
}

/* For the trail: nobody that the database knows did it. */
static const Problem *
trail(Ctx *ctx, const char *action, Uuid user)
{
	AuditNew row = {
		.action = str_of(action),
		.target = { .given = true, .has = true, .v = uuid_str(ctx->arena, user) },
		.detail = { .given = true, .has = true, .v = { S("{\"by\":\"posternctl\"}") } },
	};

	return q_audit_insert(ctx, uuid7_make(), &row);
}

static const Problem *
add_write(Ctx *ctx, const RegisterIn *in, const Options *options, int cost)
{
	UserNew new = {
		.id = uuid7_make(),
		.email = in->email,
		.password_hash = { .given = true, .has = true },
		.status = USER_ACTIVE,
	};
	User user;

	new.roles = (StrList){ arena_new(ctx->arena, Str, ROLES_MAX), options->n_roles };
	for (size_t i = 0; i < options->n_roles; i++)
		new.roles.v[i] = options->roles[i];
	TRY(account_check(ctx, in));
	if (!password_hash(ctx->arena, in->password, cost, &new.password_hash.v))
		return problem_inside(ctx, P_internal, "libxcrypt made no hash");
	TRY(db_begin(ctx));
	TRY(q_user_insert(ctx, &new, &user));
	db_last(ctx);
	return trail(ctx, "user.add", new.id);
}

static int
user_add(Ctx *ctx, const Options *options, const Settings *settings)
{
	RegisterIn in = { .email = str_of(options->email) };
	int status = password_read(ctx->arena, options->password_file, &in.password);
	const Problem *p;

	if (status != EX_OK)
		return status;
	p = add_write(ctx, &in, options, (int)settings->auth_hash_cost);
	if (p == NULL)
		return EX_OK;
	db_rollback(ctx);
	return ctl_problem(ctx, p);
}

static const Problem *
user_print(Ctx *ctx, const User *user, void *to)
{
	Str made = instant_text(ctx->arena, user->created_at);
	Buf *out = to;

	buf_print(out, "%.*s\t%s\t", STR_ARG(user->email), user_status_names[user->status]);
	for (size_t i = 0; i < user->roles.n; i++)
		buf_print(out, "%s%.*s", i > 0 ? "," : "", STR_ARG(user->roles.v[i]));
	buf_print(out, "\t%.*s\n", STR_ARG(made));
	if (fwrite(out->p, 1, out->n, stdout) != out->n)
		return problem_inside(ctx, P_internal, "standard output: %s", strerror(errno));
	out->n = 0;
	return NULL;
}

static int
user_list(Ctx *ctx)
{
	Buf line = { .arena = arena_open(MIB(1)) };
	const Problem *p = q_user_list(ctx, user_print, &line);

	arena_close(line.arena);
	return p == NULL ? ctl_print(S("")) : ctl_problem(ctx, p);
}

/* Every session ends with the account. */
static const Problem *
disable_write(Ctx *ctx, Str email)
{
	int64_t sessions;
	Uuid user;

	TRY(db_begin(ctx));
	TRY(q_user_disable(ctx, email, &user));
	TRY(q_session_revoke_all(ctx, user, (OptUuid){ 0 }, S("disabled"), &sessions));
	TRY(revoke_user(ctx, user));
	db_last(ctx);
	return trail(ctx, "user.disable", user);
}

static int
user_disable(Ctx *ctx, Str email)
{
	const Problem *p = disable_write(ctx, email);

	if (p == NULL)
		return EX_OK;
	db_rollback(ctx);
	if (p->code != P_not_found)
		return ctl_problem(ctx, p);
	fprintf(stderr, "posternctl: no user has the address %.*s\n", STR_ARG(email));
	return EX_NOUSER;
}

/* Is there nothing that the verb would pass over? */
static bool
options_fit(const Options *options)
{
	bool address = options->email != NULL;
	bool rest = options->n_roles > 0 || options->password_file != NULL;

	if (strcmp(options->verb, "add") == 0)
		return address && options->n_roles > 0;
	if (strcmp(options->verb, "disable") == 0)
		return address && !rest;
	return strcmp(options->verb, "list") == 0 && !address && !rest;
}

int
ctl_user(int argc, char **argv, const Settings *settings)
{
	Options options = { 0 };
	int status;
	Ctx *ctx;

	if (!options_read(argc, argv, &options) || !options_fit(&options)) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	ctx = ctl_db_open(settings);
	if (strcmp(options.verb, "add") == 0)
		status = user_add(ctx, &options, settings);
	else if (strcmp(options.verb, "list") == 0)
		status = user_list(ctx);
	else
		status = user_disable(ctx, str_of(options.email));
	ctl_db_close(ctx, settings);
	return status;
}
