#pragma once

/*
 * What an inference server says of a request it refuses, made fit for the client.
 */

#include "common/model.h"

#define INFER_WORDS_MAX 500 /* characters */

/*
 * The words of an error answer: `error`, `detail` or `message` of its JSON. Control characters
 * become spaces; what tells of the server's inside becomes an ellipsis: addresses with or
 * without a port, URLs, paths, lines of files, addresses in memory, and the hosts of its
 * endpoints.
 *
 * body       as it came, of any form
 * endpoints  URLs
 * returns    at most INFER_WORDS_MAX characters of UTF-8; STR_NONE when it says nothing
 * readable
 */
Str infer_words(Ctx *ctx, Str body, StrList endpoints);
