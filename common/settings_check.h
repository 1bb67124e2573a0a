#pragma once

/* What a setting's value must be beyond its type: paths, networks, origins, mail. Pure. */

#include "common/settings.h"

#include <sys/socket.h>

typedef struct SocketAddress {
	struct sockaddr_storage storage;
	socklen_t n;
	bool tcp;
} SocketAddress;

/* listen.socket: an absolute path of at most 107 bytes, or address:port as in [::1]:9000. */
bool socket_address_read(Str text, SocketAddress *out) MUST_USE;

/*
 * redis.url: unix:///path[?database] or redis://[[user]:password@]host:port[/database]. Texts
 * borrow from the url, user and password as they stand there, for url_decode(); what is not
 * there is empty. A host that is a name has no address yet: n is 0.
 */
typedef struct RedisUrl {
	SocketAddress address;
	Str host, port, user, password, database;
} RedisUrl;
bool redis_url_read(Str url, RedisUrl *out) MUST_USE;

/* Text of a user or password of a URL that was read, which may have %XX; it is wiped. */
Str url_decode(Arena *arena, Str s);

/*
 * mail.smtp_url: smtp:// or smtps://, then [user:password@]host[:port], percent-encoded where a
 * part has other characters than a URL may have.
 */
typedef struct SmtpUrl {
	bool tls;   /* from the first byte */
	bool login; /* there are user and password */
} SmtpUrl;
bool smtp_url_read(Str url, SmtpUrl *out) MUST_USE;

/* mail.from: address, or Name <address>. Texts borrow; a name that is not there is empty. */
typedef struct MailFrom {
	Str name, address;
} MailFrom;
bool mail_from_read(Str text, MailFrom *out) MUST_USE;

/*
 * Look at one value, or at one element of a list, of a row.
 *
 * returns  NULL, or what it must be ("must be ..."), a constant
 */
const char *setting_check(const SettingRow *row, Str value) MUST_USE;
