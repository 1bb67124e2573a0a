#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fcgi/accept.h"
#include "fcgi/net.h"
#include "fcgi/path.h"

static void
check_str(Str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p == NULL ? "" : got.p, want, got.n);
}

static void
a_path_is_decoded_once_or_refused(void **state)
{
	static const struct {
		const char *uri, *base;
		bool good, found;
		const char *path, *query;
	} rows[] = {
		{ "/v1/products", "", true, true, "/v1/products", "" },
		{ "/v1/products?a=%2F&b", "", true, true, "/v1/products", "a=%2F&b" },
		{ "/v1/%70roducts", "", true, true, "/v1/products", "" },
		{ "/v1/%2570", "", true, true, "/v1/%70", "" },
		{ "/v1/a+b%20c", "", true, true, "/v1/a+b c", "" },
		{ "/v1/%E0%B9%84", "", true, true, "/v1/ไ", "" },
		{ "/v1/products/", "", true, true, "/v1/products/", "" },
		{ "/", "", true, true, "/", "" },
		{ "http://host:80/v1/me?x", "", true, true, "/v1/me", "x" },
		{ "/api/v1/me", "/api", true, true, "/v1/me", "" },
		{ "/api", "/api", true, false, NULL, "" },
		{ "/apix/v1", "/api", true, false, NULL, "" },
		{ "/v1/me", "/api", true, false, NULL, "" },
		{ "", "", false, false, NULL, NULL },
		{ "?x", "", false, false, NULL, NULL },
		{ "v1", "", false, false, NULL, NULL },
		{ "*", "", false, false, NULL, NULL },
		{ "//v1", "", false, false, NULL, NULL },
		{ "/v1//me", "", false, false, NULL, NULL },
		{ "/v1/./me", "", false, false, NULL, NULL },
		{ "/v1/../me", "", false, false, NULL, NULL },
		{ "/v1/%2e%2E/me", "", false, false, NULL, NULL },
		{ "/v1/..", "", false, false, NULL, NULL },
		{ "/v1%2Fme", "", false, false, NULL, NULL },
		{ "/v1/%00", "", false, false, NULL, NULL },
		{ "/v1/%0a", "", false, false, NULL, NULL },
		{ "/v1/%7f", "", false, false, NULL, NULL },
		{ "/v1/%zz", "", false, false, NULL, NULL },
		{ "/v1/%4", "", false, false, NULL, NULL },
		{ "/v1/%ff", "", false, false, NULL, NULL },
		{ "/v1/%c0%af", "", false, false, NULL, NULL },
	};
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str path, query;
		bool found = false;

		assert_int_equal(path_read(arena, str_of(rows[i].uri), str_of(rows[i].base),
		                           &path, &query, &found),
		                 rows[i].good);
		assert_int_equal(found, rows[i].found);
		if (rows[i].found)
			check_str(path, rows[i].path);
		if (rows[i].good)
			check_str(query, rows[i].query);
	}
	arena_close(arena);
}

static void
a_template_fits_whole_paths_and_gives_its_values(void **state)
{
	static const struct {
		const char *path, *template;
		bool fits;
		const char *first, *second;
	} rows[] = {
		{ "/v1/products", "/v1/products", true, NULL, NULL },
		{ "/v1/products/", "/v1/products", false, NULL, NULL },
		{ "/v1/product", "/v1/products", false, NULL, NULL },
		{ "/v1/products/7", "/v1/products/{id}", true, "7", NULL },
		{ "/v1/products/", "/v1/products/{id}", false, NULL, NULL },
		{ "/v1/products/7/8", "/v1/products/{id}", false, NULL, NULL },
		{ "/v1/models/m/infer", "/v1/models/{name}/infer", true, "m", NULL },
		{ "/a/1/b/2", "/a/{x}/b/{y}", true, "1", "2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str values[2] = { STR_NONE, STR_NONE };

		assert_int_equal(path_fits(str_of(rows[i].path), rows[i].template, values, 2),
		                 rows[i].fits);
		if (rows[i].first != NULL)
			check_str(values[0], rows[i].first);
		if (rows[i].second != NULL)
			check_str(values[1], rows[i].second);
	}
}

static void
the_client_is_the_last_hop_nobody_trusted_has_named(void **state)
{
	static const char *const trusted[] = { "10.0.0.0/8", "127.0.0.1", "2001:db8::/32",
		                               NULL };
	static const struct {
		const char *peer, *forwarded, *want;
	} rows[] = {
		{ "192.0.2.1", "198.51.100.7", "192.0.2.1" }, /* nobody trusts this peer */
		{ "127.0.0.1", "198.51.100.7", "198.51.100.7" },
		{ "127.0.0.1", "6.6.6.6, 198.51.100.7, 10.1.2.3", "198.51.100.7" },
		{ "127.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7" },
		{ "127.0.0.1", "10.1.1.1", "10.1.1.1" },
		{ "127.0.0.1", "", "127.0.0.1" },
		{ "127.0.0.1", "unknown, 10.2.2.2", "10.2.2.2" },
		{ "2001:db8::1", "[2001:db9::5]:4711", "2001:db9::5" },
		{ "::ffff:127.0.0.1", "198.51.100.7:80", "198.51.100.7" },
	};
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Address peer;

		assert_true(address_read(str_of(rows[i].peer), &peer));
		check_str(address_text(arena, address_client(peer, str_of(rows[i].forwarded),
		                                             (SettingList){ trusted, 3 })),
		          rows[i].want);
	}
	arena_close(arena);
}

static void
where_clients_are_counted_an_ipv6_network_is_one_of_them(void **state)
{
	static const struct {
		const char *address, *want;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
		{ "::1", "::" },
	};
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Address address;

		assert_true(address_read(str_of(rows[i].address), &address));
		check_str(address_text(arena, address_network(address)), rows[i].want);
	}
	arena_close(arena);
}

static void
a_network_holds_its_addresses_and_no_others(void **state)
{
	static const struct {
		const char *network, *address;
		bool holds;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/0", "203.0.113.5", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::1", "::1", true },
		{ "::/0", "2001:db8::1", true },
		{ "192.0.2.128/25", "192.0.2.129", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.1/33", "192.0.2.1", false },
		{ "nonsense", "192.0.2.1", false },
		{ "192.0.2.1/", "192.0.2.1", false },
		{ "", "192.0.2.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const networks[] = { rows[i].network, NULL };
		Address address;

		assert_true(address_read(str_of(rows[i].address), &address));
		assert_int_equal(address_in(address, (SettingList){ networks, 1 }),
		                 rows[i].holds);
	}
}

static void
the_best_acceptable_form_is_chosen(void **state)
{
	static const struct {
		const char *accept, *offered, *want;
	} rows[] = {
		{ "", "application/json text/plain", "application/json" },
		{ "*/*", "application/json text/plain", "application/json" },
		{ "text/plain", "application/json text/plain", "text/plain" },
		{ "text/*;q=0.5, application/json;q=0.4", "application/json text/plain",
		  "text/plain" },
		{ "application/json;q=0, */*", "application/json text/plain", "text/plain" },
		{ "Application/JSON ; charset=utf-8", "application/json", "application/json" },
		{ "text/html, */*;q=0.1", "application/json", "application/json" },
		{ "text/html", "application/json", "" },
		{ "application/json;q=0", "application/json", "" },
		{ "application/json;q=0.000", "application/json", "" },
		{ "garbage", "application/json", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_str(media_choose(str_of(rows[i].accept), str_of(rows[i].offered)),
		          rows[i].want);
	assert_true(
	    media_is_one_of(S("application/json; charset=utf-8"), S("a/b application/json")));
	assert_false(media_is_one_of(S("application/jsonx"), S("application/json")));
	assert_false(media_is_one_of(S(""), S("application/json")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_decoded_once_or_refused),
		cmocka_unit_test(a_template_fits_whole_paths_and_gives_its_values),
		cmocka_unit_test(the_client_is_the_last_hop_nobody_trusted_has_named),
		cmocka_unit_test(where_clients_are_counted_an_ipv6_network_is_one_of_them),
		cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
		cmocka_unit_test(the_best_acceptable_form_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
