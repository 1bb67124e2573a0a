#include "common/backoff.h"

uint32_t
backoff_ms(uint32_t tries, uint32_t base_ms, uint32_t cap_ms, uint32_t random)
{
	uint64_t ceiling_ms = cap_ms;

	CHECK(tries > 0);
	if (tries <= 32)
		ceiling_ms = MIN((uint64_t)base_ms << (tries - 1), ceiling_ms);
	return (uint32_t)(ceiling_ms * random / UINT32_MAX);
}
