#include "common/password.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

enum {
	YESCRYPT_HASH = 43, /* characters after the salt */
	YESCRYPT_SALT_MAX = 86,
	BCRYPT_CHARS = 60, /* "$2b$10$", 22 of salt, 31 of hash */
	BCRYPT_HEAD = 7,
	BCRYPT_COST_MAX = 15, /* beyond 1.6 s a hash is an attack on us */
	BCRYPT_BYTES = 72,    /* it does not look at more of a password */
};

/* Every common password in lower case on a line of its own, in the order of bytes. */
static const char common_list[] =
#include "common/passwords.def"
    ;

static bool
is_alphabet(Str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_letter(c) && !is_digit(c) && c != '.' && c != '/')
			return false;
	}
	return true;
}

/* What stands before the salt of a yescrypt hash of this cost: "$y$j9T$" for 5. */
static Str
yescrypt_head(char setting[CRYPT_GENSALT_OUTPUT_SIZE], int cost)
{
	size_t n;

	CHECK(cost >= 1 && cost <= PASSWORD_COST_MAX);
	CHECK(crypt_gensalt_rn("$y$", (unsigned long)cost, NULL, 0, setting,
	                       CRYPT_GENSALT_OUTPUT_SIZE) != NULL);
	n = strlen(setting);
	while (n > 0 && setting[n - 1] != '$')
		n--;
	return (Str){ setting, n };
}

/*
 * The cost of a well-formed yescrypt hash with parameters that libxcrypt makes; 0 for all else.
 */
static int
yescrypt_cost(Str hash)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (!str_starts(hash, S("$y$")))
		return 0;
	for (int cost = 1; cost <= PASSWORD_COST_MAX; cost++) {
		Str head = yescrypt_head(setting, cost);
		Str rest = str_sub(hash, head.n, hash.n);
		size_t salt = str_find(rest, '$');

		if (str_starts(hash, head))
			return salt >= 1 && salt <= YESCRYPT_SALT_MAX &&
			               rest.n == salt + 1 + YESCRYPT_HASH &&
			               is_alphabet(str_sub(rest, 0, salt)) &&
			               is_alphabet(str_sub(rest, salt + 1, rest.n))
			           ? cost
			           : 0;
	}
	return 0;
}

static bool
is_bcrypt(Str hash)
{
	uint64_t cost = 0;

	return hash.n == BCRYPT_CHARS && str_starts(hash, S("$2")) &&
	       (hash.p[2] == 'a' || hash.p[2] == 'b' || hash.p[2] == 'y') && hash.p[3] == '$' &&
	       str_u64(str_sub(hash, 4, 6), &cost) && cost >= 4 && cost <= BCRYPT_COST_MAX &&
	       hash.p[6] == '$' && is_alphabet(str_sub(hash, BCRYPT_HEAD, hash.n));
}

static bool
fits(Str password)
{
	return password.n >= 1 && password.n <= PASSWORD_BYTES_MAX &&
	       memchr(password.p, '\0', password.n) == NULL;
}

/*
 * Run crypt(3) in memory of its own, 32 KiB, which is wiped.
 *
 * password  fits()
 * setting   C string
 * out       CRYPT_OUTPUT_SIZE bytes; the hash as a C string
 * returns   false when it failed
 */
static bool
crypt_run(Str password, const char *setting, char *out)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	const char *hash = NULL;

	CHECK(data != NULL);
	memcpy(data->input, password.p, password.n); /* zeroed: ends in NUL */
	hash = crypt_rn(data->input, setting, data, (int)sizeof *data);
	if (hash != NULL && hash[0] != '*')
		memcpy(out, hash, strlen(hash) + 1);
	else
		out[0] = '\0';
	explicit_bzero(data, sizeof *data);
	free(data);
	return out[0] != '\0';
}

bool
password_hash(Arena *arena, Str password, int cost, Str *hash)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], out[CRYPT_OUTPUT_SIZE];

	yescrypt_head(setting, cost); /* with a fresh salt from the system's generator */
	if (!fits(password) || !crypt_run(password, setting, out))
		return false;
	*hash = str_keep(arena, str_of(out));
	return true;
}

PasswordVerdict
password_verify(Str password, Str hash)
{
	char setting[CRYPT_OUTPUT_SIZE], out[CRYPT_OUTPUT_SIZE];
	bool bcrypt = is_bcrypt(hash), right;

	if (!bcrypt && yescrypt_cost(hash) == 0)
		return PASSWORD_UNREADABLE;
	CHECK(hash.n < sizeof setting);
	memcpy(setting, hash.p, hash.n);
	setting[hash.n] = '\0';
	right = fits(password) && !(bcrypt && password.n > BCRYPT_BYTES);
	if (!crypt_run(fits(password) ? password : S("x"), setting, out))
		return PASSWORD_UNREADABLE;
	right = str_eq_secret(str_of(out), hash) && right;
	explicit_bzero(out, sizeof out);
	return right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

bool
password_is_stale(Str hash, int cost)
{
	return yescrypt_cost(hash) < cost;
}

Str
password_decoy(Arena *arena, int cost)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	Str head = yescrypt_head(setting, cost);

	/* a salt as long as true ones, and 256 bits that no one has found a password for */
	return str_print(arena, "%.*sabcdefghijklmnopqrstu.$%.*s", STR_ARG(head), YESCRYPT_HASH,
	                 "...........................................");
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The password in lower case against a line that ends in '\n': negative, 0 or positive. */
static int
line_compare(Str password, const char *line)
{
	size_t i = 0;

	for (; i < password.n && line[i] != '\n'; i++) {
		int difference = (uint8_t)lower(password.p[i]) - (uint8_t)line[i];

		if (difference != 0)
			return difference;
	}
	return i < password.n ? 1 : line[i] != '\n' ? -1 : 0;
}

bool
password_is_common(Str password)
{
	size_t least = 0, most = sizeof common_list - 1;

	/* halve the bytes; from the middle go back to where its line begins */
	while (least < most) {
		size_t middle = least + (most - least) / 2;
		int order;

		while (middle > least && common_list[middle - 1] != '\n')
			middle--;
		order = line_compare(password, common_list + middle);
		if (order == 0)
			return true;
		if (order < 0) {
			most = middle;
			continue;
		}
		while (common_list[middle] != '\n')
			middle++;
		least = middle + 1;
	}
	return false;
}
