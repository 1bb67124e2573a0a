#include "fcgi/handlers.h"

#include <string.h>

#include "common/db.h"
#include "common/params.h"
#include "fcgi/cursor.h"
#include "queries.gen.h"

/* What a page's filter is made of, besides the page. */
static const char *const page_fields[] = { "cursor", "limit", NULL };

/* Drafts and archived products are nobody's but the writers'. */
static bool
is_visible(const Req *rq, const Product *product)
{
	return product->status == PRODUCT_ACTIVE || caller_may(rq, products_write);
}

const Problem *
product_get(Req *rq, const ProductKey *in, Product *out)
{
	TRY(q_product_get(rq->ctx, in->id, out));
	if (!is_visible(rq, out))
		return problem(P_not_found);
	answer_etag(rq, out->version);
	return NULL;
}

const Problem *
product_create(Req *rq, const ProductNew *in, Product *out)
{
	db_last(rq->ctx);
	TRY(q_product_insert(rq->ctx, uuid7_make(), in, out));
	answer_location(rq, "/v1/products/%.*s", STR_ARG(uuid_str(rq->ctx->arena, out->id)));
	answer_etag(rq, out->version);
	return NULL;
}

/* Change a product, if it is still the one that the client saw. */
const Problem *
product_patch(Req *rq, const ProductPatch *in, Product *out)
{
	Product now = { 0 };
	bool found = false;

	TRY(q_product_lock(rq->ctx, in->id, &now));
	TRY(match_check(rq, now.version, true));
	db_last(rq->ctx);
	TRY(q_product_update(rq->ctx, (OptInt){ 0 }, in, out, &found));
	CHECK(found); /* the row is locked */
	answer_etag(rq, out->version);
	return NULL;
}

const Problem *
product_delete(Req *rq, const ProductKey *in, Nothing *out)
{
	Product now = { 0 };
	bool found = false;

	(void)out;
	TRY(q_product_lock(rq->ctx, in->id, &now));
	TRY(match_check(rq, now.version, false));
	db_last(rq->ctx);
	TRY(q_product_delete(rq->ctx, in->id, (OptInt){ 0 }, &now, &found));
	CHECK(found); /* the row is locked */
	return NULL;
}

/* The key of the list's order that a row has, behind the row's id. */
static Str
place_make(Arena *arena, unsigned sort, const Product *row)
{
	Buf place = { .arena = arena };
	Str id = { (const char *)row->id.b, sizeof row->id.b };

	buf_put(&place, id);
	switch ((ProductSort)sort) {
	case PRODUCTS_BY_CREATED:
	case PRODUCTS_BY_CREATED_DOWN:
		buf_put(&place,
		        (Str){ (const char *)&row->created_at, sizeof row->created_at });
		break;
	case PRODUCTS_BY_NAME:
	case PRODUCTS_BY_NAME_DOWN:
		buf_put(&place, row->name);
		break;
	case PRODUCTS_BY_PRICE:
	case PRODUCTS_BY_PRICE_DOWN:
		buf_put(&place,
		        (Str){ (const char *)&row->price.amount, sizeof row->price.amount });
		break;
	}
	return buf_str(&place);
}

typedef struct Place {
	OptUuid id;
	OptTime time;
	OptStr name;
	OptInt amount;
} Place;

/* The signature has shown that the bytes are what place_make() wrote for this order. */
static void
place_read(unsigned sort, Str bytes, Place *place)
{
	Str key = str_sub(bytes, sizeof place->id.v.b, bytes.n);

	place->id.has = true;
	memcpy(place->id.v.b, bytes.p, sizeof place->id.v.b);
	switch ((ProductSort)sort) {
	case PRODUCTS_BY_CREATED:
	case PRODUCTS_BY_CREATED_DOWN:
		place->time.has = true;
		memcpy(&place->time.v, key.p, sizeof place->time.v);
		break;
	case PRODUCTS_BY_NAME:
	case PRODUCTS_BY_NAME_DOWN:
		place->name = (OptStr){ .has = true, .v = key };
		break;
	case PRODUCTS_BY_PRICE:
	case PRODUCTS_BY_PRICE_DOWN:
		place->amount.has = true;
		memcpy(&place->amount.v, key.p, sizeof place->amount.v);
		break;
	}
}

/* The cursor behind the last row shown, in the body and as a Link. */
static const Problem *
page_end(Req *rq, const ProductFilter *filter, Str binding, ProductPage *page)
{
	const Product *rows = page->items.v;
	Str cursor, query;

	page->items.n = (size_t)filter->limit;
	TRY(cursor_make(rq, binding,
	                place_make(rq->ctx->arena, filter->sort, &rows[page->items.n - 1]),
	                &cursor));
	page->next_cursor = (OptStr){ .given = true, .has = true, .v = cursor };
	query = str_print(rq->ctx->arena, "%.*s%slimit=%lld&cursor=%.*s", STR_ARG(binding),
	                  binding.n > 0 ? "&" : "", (long long)filter->limit, STR_ARG(cursor));
	answer_link_next(rq, query);
	return NULL;
}

const Problem *
product_list(Req *rq, const ProductFilter *in, ProductPage *out)
{
	ProductFilter filter = *in;
	Place after = { 0 };
	Str binding = params_text(rq->ctx->arena, &ProductFilter_model, in, page_fields);
	Str place;

	if (in->cursor.has) {
		TRY(cursor_read(rq, binding, in->cursor.v, &place));
		place_read(in->sort, place, &after);
	}
	if (!caller_may(rq, products_write)) {
		if (in->status.has && in->status.v != PRODUCT_ACTIVE)
			return NULL; /* there are none for this caller */
		filter.status = (OptEnum){ .given = true, .has = true, .v = PRODUCT_ACTIVE };
	}
	TRY(q_product_list(rq->ctx, after.id, after.time, after.name, after.amount,
	                   filter.limit + 1, &filter, &out->items));
	if (out->items.n > (size_t)filter.limit)
		TRY(page_end(rq, in, binding, out));
	return NULL;
}
