-- x() :many gives Named
SELECT id,
	name AS title
FROM item;
