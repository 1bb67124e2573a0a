#include "schema/verify.h"

#include "queries.gen.h"

const Problem *
schema_verify(Ctx *ctx)
{
	StrList facts = { arena_new(ctx->arena, Str, queries_fact_count), queries_fact_count };
	SchemaState state = { 0 };

	for (size_t i = 0; i < queries_fact_count; i++)
		facts.v[i] = str_of(queries_facts[i]);
	TRY(q_schema_state(ctx, facts, &state));
	if (state.migration < queries_migration)
		return problem_inside(ctx, P_unavailable,
		                      "schema: at migration %lld, and %lld is needed",
		                      (long long)state.migration, (long long)queries_migration);
	if (state.missing.has)
		return problem_inside(ctx, P_unavailable, "schema: there is no \"%.*s\"",
		                      STR_ARG(state.missing.v));
	return NULL;
}
