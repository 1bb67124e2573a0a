#include "fcgi/handlers.h"
#include "queries.gen.h"

/* The account of the caller. */
const Problem *
me_get(Req *rq, const Nothing *in, User *out)
{
	(void)in;
	return q_user_get(rq->ctx, rq->caller.user_id, out);
}
