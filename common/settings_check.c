#include "common/settings_check.h"

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "common/db_dsn.h"
#include "common/encode.h"

enum {
	SECRET_LEAST = 32,
	PORT_MOST = 65535,
	ADDRESS_TEXT_MOST = 64,
	HOST_MOST = 253,
	MAILBOX_MOST = 254,
	NAME_POINTS_MOST = 64,
};

static const char digits[] = "0123456789";
static const char word_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

/* Is every byte of s one of these? */
static bool
only(Str s, const char *characters)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(characters, s.p[i]) == NULL)
			return false;
	return true;
}

static bool
number_within(Str s, uint64_t most)
{
	uint64_t number;

	return s.n > 0 && only(s, digits) && str_u64(s, &number) && number <= most;
}

/* A numeric address; *family says which. bytes: room for 16. */
static bool
numeric_read(Str s, int *family, void *bytes)
{
	char text[ADDRESS_TEXT_MOST];

	if (s.n == 0 || s.n >= sizeof text || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*family = memchr(text, ':', s.n) != NULL ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, bytes) == 1;
}

static bool
address_good(Str s)
{
	int family;
	uint8_t bytes[16];

	return numeric_read(s, &family, bytes);
}

static bool
network_good(Str s)
{
	int family;
	uint8_t bytes[16];
	size_t slash = str_find(s, '/');

	if (!numeric_read(str_sub(s, 0, slash), &family, bytes))
		return false;
	return slash == s.n ||
	       number_within(str_sub(s, slash + 1, s.n), family == AF_INET ? 32 : 128);
}

static bool
unix_address_read(Str text, SocketAddress *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (text.n >= sizeof address.sun_path || memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(address.sun_path, text.p, text.n);
	*out = (SocketAddress){ .n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		                                 text.n + 1) };
	memcpy(&out->storage, &address, sizeof address);
	return true;
}

static bool
tcp_address_read(Str host, Str port, SocketAddress *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool bracketed = str_starts(host, S("[")) && str_ends(host, S("]"));
	uint64_t number;
	uint8_t bytes[16];
	int family;

	if (!number_within(port, PORT_MOST) || !str_u64(port, &number) || number == 0)
		return false;
	if (!numeric_read(bracketed ? str_sub(host, 1, host.n - 1) : host, &family, bytes) ||
	    bracketed != (family == AF_INET6))
		return false;
	*out = (SocketAddress){ .tcp = true, .n = family == AF_INET ? sizeof v4 : sizeof v6 };
	memcpy(&v4.sin_addr, bytes, sizeof v4.sin_addr);
	v4.sin_port = htons((uint16_t)number);
	memcpy(&v6.sin6_addr, bytes, sizeof v6.sin6_addr);
	v6.sin6_port = v4.sin_port;
	memcpy(&out->storage, family == AF_INET ? (const void *)&v4 : (const void *)&v6,
	       out->n);
	return true;
}

bool
socket_address_read(Str text, SocketAddress *out)
{
	size_t colon = text.n;

	if (str_starts(text, S("/")))
		return unix_address_read(text, out);
	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	return colon > 0 &&
	       tcp_address_read(str_sub(text, 0, colon - 1), str_sub(text, colon, text.n), out);
}

/* What is before the last c, what follows it in *rest; all of s and nothing without one. */
static Str
cut_last(Str s, char c, Str *rest)
{
	size_t at = s.n;

	while (at > 0 && s.p[at - 1] != c)
		at--;
	*rest = at == 0 ? STR_NONE : str_sub(s, at, s.n);
	return at == 0 ? s : str_sub(s, 0, at - 1);
}

/* A name for the resolver, with a port. */
static bool
named_good(Str host, Str port)
{
	uint64_t number;

	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] != '.' && !only(str_sub(host, i, i + 1), word_characters))
			return false;
	return host.n > 0 && host.n <= HOST_MOST && host.p[0] != '-' && host.p[0] != '.' &&
	       !only(str_sub(host, host.n - 1, host.n), digits) &&
	       number_within(port, PORT_MOST) && str_u64(port, &number) && number > 0;
}

/* Is every % the begin of a %XX? */
static bool
escapes_good(Str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' &&
		    (s.n - i < 3 || hex_digit(s.p[i + 1]) < 0 || hex_digit(s.p[i + 2]) < 0))
			return false;
	return true;
}

Str
url_decode(Arena *arena, Str s)
{
	char *text = arena_secret(arena, s.n + 1);
	size_t n = 0;

	CHECK(escapes_good(s));
	for (size_t i = 0; i < s.n; i++) {
		text[n] = s.p[i];
		if (s.p[i] == '%') {
			text[n] = (char)(hex_digit(s.p[i + 1]) << 4 | hex_digit(s.p[i + 2]));
			i += 2;
		}
		n++;
	}
	return (Str){ text, n };
}

bool
redis_url_read(Str url, RedisUrl *out)
{
	RedisUrl read = { 0 };
	Str rest, login, place = str_sub(url, 8, url.n);

	if (str_starts(url, S("unix:///"))) {
		place = cut_last(str_sub(url, 7, url.n), '?', &read.database);
		if (!unix_address_read(place, &read.address))
			return false;
	} else if (str_starts(url, S("redis://"))) {
		login = cut_last(place, '@', &rest);
		if (rest.p != NULL) {
			read.user = str_sub(login, 0, str_find(login, ':'));
			read.password = str_sub(login, read.user.n + 1, login.n);
			if (read.password.n == 0 || !escapes_good(login))
				return false;
			place = rest;
		}
		place = cut_last(place, '/', &read.database);
		read.host = cut_last(place, ':', &read.port);
		if (!tcp_address_read(read.host, read.port, &read.address) &&
		    !named_good(read.host, read.port))
			return false;
	} else {
		return false;
	}
	if (!only(read.database, digits))
		return false;
	*out = read;
	return true;
}

static bool
redis_good(Str s)
{
#ifdef HAVE_HIREDIS
	RedisUrl url;

	return s.n == 0 || redis_url_read(s, &url);
#else
	return s.n == 0;
#endif
}

#ifdef HAVE_HIREDIS
#define REDIS_MUST                                                                             \
	"must be unix:///path[?database], or redis://[[user]:password@]host:port[/database] "  \
	"with user and password percent-encoded"
#else
#define REDIS_MUST "must be empty: this posternd was built without hiredis"
#endif

/* user:password, neither empty, of visible characters that need no encoding there, and %XX. */
static bool
login_good(Str login)
{
	size_t colon = str_find(login, ':');

	for (size_t i = 0; i < login.n; i++)
		if (login.p[i] <= ' ' || login.p[i] >= 0x7f ||
		    strchr("/?#[]@\\\"<>", login.p[i]) != NULL)
			return false;
	return colon > 0 && colon + 1 < login.n && escapes_good(login);
}

bool
smtp_url_read(Str url, SmtpUrl *out)
{
	SmtpUrl read = { .tls = str_starts(url, S("smtps://")) };
	Str place = str_sub(url, read.tls ? 8 : 7, url.n), host, login, port = S("25"), rest;
	SocketAddress address;

	if (!read.tls && !str_starts(url, S("smtp://")))
		return false;
	login = cut_last(place, '@', &rest);
	if (rest.p != NULL) {
		if (!login_good(login))
			return false;
		read.login = true;
		place = rest;
	}
	host = place;
	if (!str_ends(place, S("]")) && str_find(place, ':') < place.n)
		host = cut_last(place, ':', &port);
	if (!tcp_address_read(host, port, &address) && !named_good(host, port))
		return false;
	*out = read;
	return true;
}

static bool
smtp_good(Str s)
{
	SmtpUrl url;

	return s.n == 0 || smtp_url_read(s, &url);
}

/* What an envelope and a header take without quotes. Source: RFC 5321 4.1.2, Dot-string. */
static bool
mailbox_good(Str s)
{
	size_t at = str_find(s, '@');
	Str local = str_sub(s, 0, at), domain = str_sub(s, at + 1, s.n);

	for (size_t i = 0; i < local.n; i++)
		if (!only(str_sub(local, i, i + 1), word_characters) &&
		    !only(str_sub(local, i, i + 1), "!#$%&'*+/=?^_`{|}~."))
			return false;
	for (size_t i = 0; i < domain.n; i++)
		if (domain.p[i] != '.' && !only(str_sub(domain, i, i + 1), word_characters))
			return false;
	return local.n > 0 && local.p[0] != '.' && domain.n > 0 && domain.p[0] != '.' &&
	       domain.p[0] != '-' && s.n <= MAILBOX_MOST;
}

bool
mail_from_read(Str text, MailFrom *out)
{
	size_t open = str_find(text, '<');
	MailFrom read = { .name = STR_NONE, .address = text };

	if (open < text.n && str_ends(text, S(">"))) {
		read.name = str_trim(str_sub(text, 0, open));
		read.address = str_sub(text, open + 1, text.n - 1);
	}
	for (size_t i = 0; i < read.name.n; i++)
		if ((unsigned char)read.name.p[i] < ' ' || read.name.p[i] == 0x7f)
			return false;
	if (!str_is_utf8(read.name) || str_points(read.name) > NAME_POINTS_MOST ||
	    !mailbox_good(read.address))
		return false;
	*out = read;
	return true;
}

static bool
from_good(Str s)
{
	MailFrom from;

	return s.n == 0 || mail_from_read(s, &from);
}

static bool
socket_good(Str s)
{
	SocketAddress address;

	return socket_address_read(s, &address);
}

static bool
socket_good_or_none(Str s)
{
	return s.n == 0 || socket_good(s);
}

/* Empty, or segments that need no decoding and are never dots alone. */
static bool
base_path_good(Str s)
{
	Str rest = s, part;

	if (s.n == 0)
		return true;
	if (s.p[0] != '/' || !str_next(&rest, '/', &part))
		return false;
	while (str_next(&rest, '/', &part)) {
		if (part.n == 0 || str_eq(part, S(".")) || str_eq(part, S("..")))
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (strchr(word_characters, part.p[i]) == NULL &&
			    strchr("._~", part.p[i]) == NULL)
				return false;
	}
	return true;
}

static bool
absolute_good(Str s)
{
	return str_starts(s, S("/"));
}

static bool
absolute_good_or_none(Str s)
{
	return s.n == 0 || absolute_good(s);
}

static bool
mode_good(Str s)
{
	return s.n >= 3 && s.n <= 4 && only(s, "01234567") && (s.n == 3 || s.p[0] == '0');
}

/* scheme://host or scheme://host:port, in lower case as browsers send it. */
static bool
origin_good(Str s)
{
	bool tls = str_starts(s, S("https://")), plain = str_starts(s, S("http://"));
	Str host = str_sub(s, tls ? 8 : 7, s.n);
	size_t port;

	if ((!tls && !plain) || host.n == 0)
		return false;
	if (host.p[0] == '[')
		port = str_find(host, ']') + 1;
	else
		port = str_find(host, ':');
	if (port < host.n &&
	    (host.p[port] != ':' || !number_within(str_sub(host, port + 1, host.n), PORT_MOST)))
		return false;
	host = str_sub(host, 0, port);
	if (host.n > 1 && host.p[0] == '[')
		return address_good(str_sub(host, 1, host.n - 1));
	return host.n > 0 && only(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
}

static bool
method_good(Str s)
{
	return s.n > 0 && only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool
header_name_good(Str s)
{
	return s.n > 0 && only(s, word_characters);
}

static bool
secret_good(Str s)
{
	return s.n == 0 || s.n >= SECRET_LEAST;
}

#define DSN_MUST                                                                               \
	"must be a connection string of libpq, such as host=/run/postgresql dbname=postern"

static bool
group_good_or_none(Str s)
{
	CLEANUP(freep) char *name = strndup(s.p, s.n);

	CHECK(name != NULL);
	return s.n == 0 || getgrnam(name) != NULL;
}

static bool
filled_good(Str s)
{
	return s.n > 0;
}

const char *
setting_check(const SettingRow *row, Str value)
{
	/* clang-format off */
	static const struct {
		const char *section, *name;
		bool (*good)(Str);
		const char *must;
	} rows[] = {
		{ "http", "base_path", base_path_good, "must be empty, or a path such as /api without a slash at its end" },
		{ "http", "trusted_proxies", network_good, "must be an address or a network such as 10.0.0.0/8" },
		{ "listen", "socket", socket_good, "must be an absolute path of at most 107 bytes, or a numeric address:port" },
		{ "listen", "status_socket", socket_good_or_none, "must be an absolute path of at most 107 bytes, or a numeric address:port" },
		{ "listen", "group", group_good_or_none, "must be empty, or the name of a group that there is" },
		{ "listen", "mode", mode_good, "must be octal permissions such as 0660" },
		{ "listen", "allow", address_good, "must be a numeric address" },
		{ "run", "dir", absolute_good, "must be an absolute path" },
		{ "database", "dsn", db_dsn_good, DSN_MUST },
		{ "database", "owner_dsn", db_dsn_good, DSN_MUST },
		{ "database", "listen_dsn", db_dsn_good, DSN_MUST },
		{ "auth", "issuer", filled_good, "must not be empty" },
		{ "auth", "audience", filled_good, "must not be empty" },
		{ "auth", "secret", secret_good, "must have at least 32 characters" },
		{ "cors", "origins", origin_good, "must be an origin such as https://www.example.org, without a path" },
		{ "cors", "methods", method_good, "must be a method such as GET" },
		{ "cors", "headers", header_name_good, "must be the name of a header" },
		{ "redis", "url", redis_good, REDIS_MUST },
		{ "mail", "smtp_url", smtp_good, "must be empty, or smtp://[user:password@]host[:port], or the same with smtps://" },
		{ "mail", "from", from_good, "must be empty, an address, or Name <address>" },
		{ "mail", "ca_file", absolute_good_or_none, "must be empty, or an absolute path" },
		{ "ops", "networks", network_good, "must be an address or a network such as 10.0.0.0/8" },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcmp(rows[i].section, row->section) == 0 &&
		    strcmp(rows[i].name, row->name) == 0)
			return rows[i].good(value) ? NULL : rows[i].must;
	return NULL;
}
