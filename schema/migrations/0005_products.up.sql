-- The catalogue. Each order of the list has an index that ends in id, so that a page starts where the
-- last one ended. Names compare by code point (COLLATE "C"): a cursor must mean the same place after
-- an upgrade of the system's locales.

CREATE TYPE product_status AS ENUM ('draft', 'active', 'archived');

CREATE TABLE products (
	id          uuid PRIMARY KEY,
	sku         text NOT NULL CONSTRAINT products_sku_key UNIQUE,
	name        text COLLATE "C" NOT NULL,
	description text NOT NULL DEFAULT '',
	amount      bigint NOT NULL CONSTRAINT products_amount_range CHECK (amount BETWEEN 0 AND 9007199254740991),
	currency    text NOT NULL CONSTRAINT products_currency_form CHECK (currency ~ '^[A-Z]{3}$'),
	stock       bigint NOT NULL DEFAULT 0 CONSTRAINT products_stock_range CHECK (stock BETWEEN 0 AND 2147483647),
	status      product_status NOT NULL DEFAULT 'draft',
	tags        text[] NOT NULL DEFAULT '{}' CONSTRAINT products_tags_nulls CHECK (array_position(tags, NULL) IS NULL),
	attributes  jsonb NOT NULL DEFAULT '{}'
		CONSTRAINT products_attributes_object CHECK (jsonb_typeof(attributes) = 'object')
		CONSTRAINT products_attributes_length CHECK (octet_length(attributes::text) <= 262144),
	version     bigint NOT NULL DEFAULT 1,
	created_at  timestamptz NOT NULL DEFAULT now(),
	updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX products_created_idx ON products (created_at, id);
CREATE INDEX products_name_idx ON products (name, id);
CREATE INDEX products_amount_idx ON products (amount, id);
CREATE INDEX products_status_idx ON products (status, created_at, id);
CREATE INDEX products_currency_idx ON products (currency, amount, id);
CREATE INDEX products_tags_idx ON products USING gin (tags);

-- RFC 7396: what PATCH makes of a JSON object.
CREATE FUNCTION json_merge_patch(target jsonb, patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF jsonb_typeof(patch) IS DISTINCT FROM 'object' THEN
		RETURN patch;
	END IF;
	IF jsonb_typeof(target) IS DISTINCT FROM 'object' THEN
		target := '{}';
	END IF;
	RETURN coalesce((
		SELECT jsonb_object_agg(key, CASE WHEN p.value IS NULL THEN t.value
			ELSE json_merge_patch(t.value, p.value) END)
		FROM jsonb_each(target) AS t
		FULL JOIN jsonb_each(patch) AS p USING (key)
		WHERE p.value IS DISTINCT FROM 'null'
	), '{}');
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON products TO postern_app;
