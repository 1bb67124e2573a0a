#include "tests/qgen/models.h"

static const char *const colour_names[] = { "red", "green", "blue", NULL };
static const char *const shade_names[] = { "red", "green", NULL };
static const char *const order_names[] = { "name", "-name", "amount", NULL };

/* clang-format off */
MODEL(Item,
	FIELD(Item, id),
	FIELD(Item, name),
	FIELD(Item, note),
	FIELD(Item, colour, .names = colour_names),
	FIELD_OF(Item, price, Money),
	FIELD(Item, tags),
	FIELD(Item, numbers),
	FIELD(Item, extra),
	FIELD(Item, weight),
	FIELD(Item, sold),
	FIELD(Item, size),
	FIELD(Item, rank),
	FIELD(Item, made_at),
	FIELD(Item, image),
	FIELD(Item, code));

MODEL(ItemPatch,
	FIELD(ItemPatch, id),
	FIELD(ItemPatch, name),
	FIELD(ItemPatch, note),
	FIELD_OF(ItemPatch, price, Money),
	FIELD(ItemPatch, colour, .names = colour_names),
	FIELD(ItemPatch, tags));

MODEL(Filter,
	FIELD(Filter, order, .names = order_names),
	FIELD(Filter, tag),
	FIELD(Filter, least),
	FIELD(Filter, colour, .names = colour_names));

MODEL(Named,
	FIELD(Named, id),
	FIELD(Named, name));

MODEL(Two,
	FIELD(Two, l),
	FIELD(Two, r));

MODEL(Shaded,
	FIELD(Shaded, colour, .names = shade_names));
/* clang-format on */
