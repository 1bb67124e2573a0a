-- x() :many gives Named
SELECT id, code AS name,
	name
FROM item;
