#pragma once

/* What the files of upstream share: how libcurl is set up. */

#include <curl/curl.h>

#include "common/base.h"

#define OPTION(easy, option, value)                                                            \
	CHECK(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/*
 * What holds for everything that is sent: no signal, no wait for a resolver that hangs, and no
 * way that the environment could name.
 *
 * protocols  that may be spoken, as libcurl lists them
 */
void easy_seclude(CURL *easy, const char *protocols);
