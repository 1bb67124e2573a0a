-- Takes the catalogue with it.

DROP TABLE products;
DROP FUNCTION json_merge_patch(jsonb, jsonb);
DROP TYPE product_status;
