-- x() :many gives Named
SELECT
	id AS name, name AS id
FROM item;
