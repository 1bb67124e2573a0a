#pragma once

/* Cross-origin requests: the allow list of the configuration decides, never the request. */

#include "fcgi/req.h"

/* Origin headers for any answer; none for an origin that is not on the list. */
void cors_answer(Req *rq);

/* What a preflight wants to know besides, when this OPTIONS is one. */
void cors_preflight(Req *rq);
