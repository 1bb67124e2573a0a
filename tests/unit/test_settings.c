#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings.h"

enum { PATH_BYTES = 128 };

static char dir[64], file[PATH_BYTES];
static Arena *arena;

static int
files_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_settings.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(file, sizeof file, "%s/c", dir);
	arena = arena_open(MIB(4));
	return 0;
}

static int
files_remove(void **state)
{
	char secret[PATH_BYTES];

	(void)state;
	arena_close(arena);
	snprintf(secret, sizeof secret, "%s/secret", dir);
	unlink(secret);
	unlink(file);
	return rmdir(dir);
}

static void
file_write(const char *path, const char *text, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/*
 * What is right; NULL, or what is wrong with `text` as a file, each line without the file's
 * name.
 */
static Settings *
read_text(const char *text, const char **wrong)
{
	Settings *settings;
	Str faults = STR_NONE, line;
	Buf out = { .arena = arena };

	file_write(file, text, strlen(text), 0600);
	settings = settings_read(file, NULL, 0, arena, &faults);
	if (settings == NULL)
		while (str_next(&faults, '\n', &line) && line.n > 0)
			buf_print(&out, "%.*s\n",
			          STR_ARG(str_sub(line, strlen(file) + 1, line.n)));
	*wrong = settings == NULL ? str_text(arena, buf_str(&out)) : NULL;
	return settings;
}

static void
a_file_gives_values_of_every_type(void **state)
{
	const char *wrong;
	Settings *settings = read_text("\xEF\xBB\xBF# comment\n"
	                               "; comment\n"
	                               "[pool]\r\n"
	                               "  workers=3  \r\n"
	                               "\n"
	                               "[ http ]\n"
	                               "base_path = \"/api\"\n"
	                               "secure = off\n"
	                               "trusted_proxies = 10.0.0.0/8,::1 192.0.2.1\n"
	                               "[auth]\n"
	                               "issuer = ' two words '\n"
	                               "registration = closed\n"
	                               "[pool]\n"
	                               "drain_ms = 100",
	                               &wrong);

	(void)state;
	assert_null(wrong);
	assert_int_equal(settings->pool_workers, 3);
	assert_int_equal(settings->pool_drain_ms, 100);
	assert_string_equal(settings->http_base_path, "/api");
	assert_false(settings->http_secure);
	assert_int_equal(settings->http_trusted_proxies.n, 3);
	assert_string_equal(settings->http_trusted_proxies.v[1], "::1");
	assert_null(settings->http_trusted_proxies.v[3]);
	assert_string_equal(settings->auth_issuer, " two words ");
	assert_string_equal(settings->auth_registration, "closed");
	assert_int_equal(settings->listen_backlog, 4096); /* a default */
	settings_free(settings);
}

static void
each_fault_is_named_with_its_line(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "[pool]\nworkers = 0\n", "2: pool.workers: 0 is less than 1\n" },
		{ "[pool]\nworkers = 513\n", "2: pool.workers: 513 is more than 512\n" },
		{ "[pool]\nworkers = 8 # many\n", "2: pool.workers: '8 # many' is not a whole number\n" },
		{ "[pool]\nworkers = 99999999999999999999\n", "2: pool.workers: '99999999999999999999' is not a whole number\n" },
		{ "[pool]\nworkers =\n", "2: pool.workers: '' is not a whole number\n" },
		{ "[pool]\nworkrs = 1\n", "2: pool.workrs: there is no such setting (did you mean pool.workers?)\n" },
		{ "[pool]\nelephants = 1\n", "2: pool.elephants: there is no such setting\n" },
		{ "[pol]\nworkers = 1\n", "1: [pol]: there is no such section (did you mean [pool]?)\n" },
		{ "[pool\nworkers = 1\n", "1: the bracket of the section is not closed\n" },
		{ "workers = 1\n", "1: no [section] stands before this line\n" },
		{ "[pool]\nworkers\n", "2: expected name = value, [section] or a comment\n" },
		{ "[pool]\n= 1\n", "2: expected name = value, [section] or a comment\n" },
		{ "[pool]\nworkers = 1\n\nworkers = 2\n", "4: pool.workers: given already in line 2\n" },
		{ "[http]\nsecure = maybe\n", "2: http.secure: 'maybe' is neither on nor off\n" },
		{ "[auth]\nregistration = opn\n", "2: auth.registration: 'opn' is none of open|closed (did you mean open?)\n" },
		{ "[auth]\nissuer = \"a\n", "2: auth.issuer: the quote is not closed\n" },
		{ "[auth]\nissuer = \xFF\n", "2: auth.issuer: is no UTF-8 text\n" },
		{ "[auth]\nsecret = short\n", "2: auth.secret: must have at least 32 characters\n" },
#ifdef HAVE_HIREDIS
		{ "[redis]\nurl = redis\n", "2: redis.url: must be unix:///path[?database], or redis://[[user]:password@]host:port[/database] with user and password percent-encoded\n" },
#else
		{ "[redis]\nurl = unix:///run/redis.sock\n", "2: redis.url: must be empty: this posternd was built without hiredis\n" },
#endif
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *wrong;

		assert_null(read_text(rows[i].text, &wrong));
		assert_string_equal(wrong, rows[i].want);
	}
}

static void
all_faults_are_found_at_once(void **state)
{
	const char *wrong;

	(void)state;
	assert_null(read_text("[pool]\nworkers = 0\nnothing = 1\n[log]\nform = xml\n", &wrong));
	assert_string_equal(wrong, "2: pool.workers: 0 is less than 1\n"
	                           "3: pool.nothing: there is no such setting\n"
	                           "5: log.form: 'xml' is none of json|text\n");
}

/* clang-format off */
static const struct {
	const char *set;
	bool good;
} values[] = {
	{ "http.base_path=", true },
	{ "database.dsn=host=/run/postgresql dbname=postern", true },
	{ "database.dsn=postgresql://worker@db.example.org,db2.example.org/postern", true },
	{ "database.dsn=garbage x", false },
	{ "database.dsn=postgresql://worker@/postern?host=/run&foo=bar", false },
	{ "database.owner_dsn=", true },
	{ "database.owner_dsn=a b", false },
	{ "database.listen_dsn=x=y", false },
	{ "listen.group=", true },
	{ "listen.group=no-such-group", false },
	{ "mail.smtp_url=", true },
	{ "mail.smtp_url=smtp://localhost", true },
	{ "mail.smtp_url=localhost", false },
	{ "mail.from=", true },
	{ "mail.from=Shop <no-reply@example.org>", true },
	{ "mail.from=Shop", false },
	{ "mail.starttls=demanded", true },
	{ "mail.starttls=on", false },
	{ "mail.ca_file=", true },
	{ "mail.ca_file=/etc/ssl/mail.pem", true },
	{ "mail.ca_file=mail.pem", false },
	{ "http.base_path=/api/v2.0", true },
	{ "http.base_path=api", false },
	{ "http.base_path=/api/", false },
	{ "http.base_path=//api", false },
	{ "http.base_path=/a/../b", false },
	{ "http.base_path=/a b", false },
	{ "listen.socket=/run/x.sock", true },
	{ "listen.socket=127.0.0.1:9000", true },
	{ "listen.socket=[::1]:9000", true },
	{ "listen.socket=::1:9000", false },
	{ "listen.socket=localhost:9000", false },
	{ "listen.socket=127.0.0.1:0", false },
	{ "listen.socket=127.0.0.1:65536", false },
	{ "listen.socket=:9000", false },
	{ "listen.socket=x.sock", false },
	{ "listen.socket=", false },
	{ "listen.mode=0660", true },
	{ "listen.mode=660", true },
	{ "listen.mode=0668", false },
	{ "listen.mode=4777", false },
	{ "listen.allow=127.0.0.1 ::1", true },
	{ "listen.allow=10.0.0.0/8", false },
	{ "http.trusted_proxies=10.0.0.0/8", true },
	{ "http.trusted_proxies=10.0.0.0/33", false },
	{ "http.trusted_proxies=::/129", false },
	{ "http.trusted_proxies=10.0.0/8", false },
	{ "cors.origins=https://www.example.org http://localhost:3000 http://[::1]:80", true },
	{ "cors.origins=*", false },
	{ "cors.origins=null", false },
	{ "cors.origins=https://www.example.org/", false },
	{ "cors.origins=https://WWW.example.org", false },
	{ "cors.methods=GET get", false },
	{ "cors.headers=X-One,X-Two", true },
	{ "cors.headers=X:One", false },
#ifdef HAVE_HIREDIS
	{ "redis.url=unix:///run/redis.sock", true },
	{ "redis.url=unix:///run/redis.sock?3", true },
	{ "redis.url=redis://127.0.0.1:6379", true },
	{ "redis.url=redis://:p@ss:w/rd@[::1]:6379/2", true },
	{ "redis.url=redis://user:password@127.0.0.1:6379", true },
	{ "redis.url=redis://us%65r:p%2Fss%25@127.0.0.1:6379", true },
	{ "redis.url=redis://:p%ss@127.0.0.1:6379", false },
	{ "redis.url=redis://:pass%@127.0.0.1:6379", false },
	{ "redis.url=redis://:pass%2@127.0.0.1:6379", false },
	{ "redis.url=redis://u%ser:pass@127.0.0.1:6379", false },
	{ "redis.url=redis://user@127.0.0.1:6379", false }, /* and no password */
	{ "redis.url=redis://redis-1.example.org:6379/1", true },
	{ "redis.url=redis://127.0.0.1", false },
	{ "redis.url=redis://127.0.0.256:6379", false },
	{ "redis.url=redis://a b:6379", false },
	{ "redis.url=redis://localhost:0", false },
	{ "redis.url=redis://127.0.0.1:6379/x", false },
	{ "redis.url=redis:///run/redis.sock", false },
	{ "redis.url=rediss://127.0.0.1:6379", false }, /* hiredis has no TLS here */
	{ "redis.url=127.0.0.1:6379", false },
#else
	{ "redis.url=redis://127.0.0.1:6379", false },
#endif
	{ "redis.url=", true },
	{ "redis.timeout_ms=0", false },
	{ "limits.user_per_minute=0", true },
	{ "limits.user_per_minute=10000001", false },
	{ "run.dir=run", false },
	{ "auth.issuer=", false },
	{ "auth.refresh_absolute_s=60", false }, /* less than the idle time */
	{ "pool.workers", false },
	{ "workers=1", false },
	{ "pool.workrs=1", false },
};
/* clang-format on */

static void
values_must_be_what_they_are_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		Str faults = STR_NONE;
		Settings *settings = settings_read(NULL, &values[i].set, 1, arena, &faults);

		if ((settings != NULL) != values[i].good)
			fail_msg("%s: %.*s", values[i].set, STR_ARG(faults));
		settings_free(settings);
	}
}

static void
a_path_of_107_bytes_is_a_socket_and_one_of_108_is_none(void **state)
{
	char path[128] = "listen.socket=/";
	const char *set = path;
	Settings *settings;
	Str faults;

	(void)state;
	memset(path + 15, 'x', 106);
	settings = settings_read(NULL, &set, 1, arena, &faults);
	assert_non_null(settings);
	settings_free(settings);
	path[15 + 106] = 'x';
	assert_null(settings_read(NULL, &set, 1, arena, &faults));
}

static void
the_command_line_overrules_the_environment_and_that_the_file(void **state)
{
	const char *set = "pool.workers=5", *wrong;
	Settings *settings;
	Str faults;

	(void)state;
	setenv("POSTERN_POOL_WORKERS", "4", 1);
	setenv("POSTERN_ENV", "production", 1); /* not ours, and no fault */
	settings = read_text("[pool]\nworkers = 3\n", &wrong);
	assert_int_equal(settings->pool_workers, 4);
	settings_free(settings);
	settings = settings_read(file, &set, 1, arena, &faults);
	assert_int_equal(settings->pool_workers, 5);
	settings_free(settings);
	setenv("POSTERN_POOL_WORKRS", "4", 1);
	setenv("POSTERN_POOL_WORKERS", "x", 1);
	assert_null(settings_read(NULL, NULL, 0, arena, &faults));
	assert_non_null(
	    strstr(str_text(arena, faults), "POSTERN_POOL_WORKRS: there is no such setting"));
	assert_non_null(strstr(str_text(arena, faults),
	                       "environment POSTERN_POOL_WORKERS: pool.workers: 'x' is not"));
	unsetenv("POSTERN_POOL_WORKRS");
	unsetenv("POSTERN_POOL_WORKERS");
	unsetenv("POSTERN_ENV");
}

static void
a_secret_comes_from_a_file_that_only_its_owner_may_read(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		mode_t mode;
		bool good;
	} rows[] = {
		{ "dbname=x password=y\n", 0600, true }, { "dbname=x", 0400, true },
		{ "dbname=x", 0640, false },             { "dbname=x", 0604, false },
		{ "dbname=x", 0620, false },             { "", 0600, false },
		{ "\n", 0600, false },
	};
	/* clang-format on */
	char path[PATH_BYTES], set[PATH_BYTES + 32];
	const char *sets = set;

	(void)state;
	snprintf(path, sizeof path, "%s/secret", dir);
	snprintf(set, sizeof set, "database.dsn=file:%s", path);
	for (size_t i = 0; i < COUNT(rows); i++) {
		Settings *settings;
		Str faults;

		file_write(path, rows[i].text, strlen(rows[i].text), rows[i].mode);
		settings = settings_read(NULL, &sets, 1, arena, &faults);
		assert_int_equal(settings != NULL, rows[i].good);
		if (settings != NULL)
			assert_int_equal(strlen(settings->database_dsn),
			                 strcspn(rows[i].text, "\n"));
		settings_free(settings);
	}
	unlink(path);
	assert_null(settings_read(NULL, &sets, 1, arena, &(Str){ 0 }));
}

static void
a_credential_of_the_service_manager_may_be_named_by_its_name_alone(void **state)
{
	const char *set = "database.dsn=file:secret";
	char path[PATH_BYTES];
	Settings *settings;
	Str faults;

	(void)state;
	snprintf(path, sizeof path, "%s/secret", dir);
	file_write(path, "dbname=z", 8, 0440);
	assert_null(settings_read(NULL, &set, 1, arena, &faults));
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	settings = settings_read(NULL, &set, 1, arena, &faults);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_non_null(settings);
	assert_string_equal(settings->database_dsn, "dbname=z");
	settings_free(settings);
}

static void
a_secret_is_never_shown(void **state)
{
	const char *set = "auth.secret=0123456789012345678901234567890123456789";
	const SettingRow *row = setting_find(S("auth"), S("secret"));
	Settings *settings;
	Str faults;

	(void)state;
	settings = settings_read(NULL, &set, 1, arena, &faults);
	assert_true(str_eq(setting_value(arena, settings, row), S("***")));
	settings_free(settings);
	settings = settings_read(NULL, NULL, 0, arena, &faults);
	assert_int_equal(setting_value(arena, settings, row).n, 0);
	settings_free(settings);
}

static void
a_reload_keeps_what_needs_a_restart(void **state)
{
	const char *old_sets[] = { "listen.socket=/old", "run.user=olduser", "pool.workers=2" };
	const char *new_sets[] = { "listen.socket=/new", "run.user=olduser", "pool.workers=3" };
	Settings *old, *fresh;
	Str faults, names;

	(void)state;
	old = settings_read(NULL, old_sets, COUNT(old_sets), arena, &faults);
	fresh = settings_read(NULL, new_sets, COUNT(new_sets), arena, &faults);
	names = settings_carry(fresh, old, arena);
	settings_free(old);
	assert_true(str_eq(names, S("listen.socket")));
	assert_string_equal(fresh->listen_socket, "/old");
	assert_int_equal(fresh->pool_workers, 3);
	settings_free(fresh);
}

static void
a_file_that_is_not_there_is_a_fault(void **state)
{
	Str faults;

	(void)state;
	assert_null(settings_read("/nonexistent/postern.conf", NULL, 0, arena, &faults));
	assert_true(
	    str_eq(faults, S("/nonexistent/postern.conf: No such file or directory\n")));
}

static void
a_line_may_be_as_long_as_it_likes(void **state)
{
	char *text = malloc(100100), *end = text;
	const char *wrong;
	Settings *settings;

	(void)state;
	end += sprintf(end, "[auth]\nissuer = ");
	memset(end, 'x', 100000);
	strcpy(end + 100000, "\naudience = y\n");
	settings = read_text(text, &wrong);
	assert_null(wrong);
	assert_int_equal(strlen(settings->auth_issuer), 100000);
	assert_string_equal(settings->auth_audience, "y");
	settings_free(settings);
	free(text);
}

static void
the_file_is_the_one_named_first(void **state)
{
	(void)state;
	setenv("POSTERN_CONFIG", "/from/environment", 1);
	assert_string_equal(settings_file("/given"), "/given");
	assert_string_equal(settings_file(NULL), "/from/environment");
	unsetenv("POSTERN_CONFIG");
}

static void
every_default_is_within_its_own_bounds(void **state)
{
	Str faults = STR_NONE;
	Settings *settings = settings_read(NULL, NULL, 0, arena, &faults);

	(void)state;
	assert_non_null(settings);
	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];

		if (!row->secret)
			assert_true(
			    str_eq(setting_value(arena, settings, row), str_of(row->initial)));
		assert_true(row->type != SETTING_INT || row->least <= row->most);
		assert_true(strlen(row->about) > 0);
	}
	settings_free(settings);
}

#define SETTINGS_TEST(name) cmocka_unit_test_setup_teardown(name, files_make, files_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETTINGS_TEST(a_file_gives_values_of_every_type),
		SETTINGS_TEST(each_fault_is_named_with_its_line),
		SETTINGS_TEST(all_faults_are_found_at_once),
		SETTINGS_TEST(values_must_be_what_they_are_for),
		SETTINGS_TEST(a_path_of_107_bytes_is_a_socket_and_one_of_108_is_none),
		SETTINGS_TEST(the_command_line_overrules_the_environment_and_that_the_file),
		SETTINGS_TEST(a_secret_comes_from_a_file_that_only_its_owner_may_read),
		SETTINGS_TEST(
		    a_credential_of_the_service_manager_may_be_named_by_its_name_alone),
		SETTINGS_TEST(a_secret_is_never_shown),
		SETTINGS_TEST(a_reload_keeps_what_needs_a_restart),
		SETTINGS_TEST(a_file_that_is_not_there_is_a_fault),
		SETTINGS_TEST(a_line_may_be_as_long_as_it_likes),
		SETTINGS_TEST(the_file_is_the_one_named_first),
		SETTINGS_TEST(every_default_is_within_its_own_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
