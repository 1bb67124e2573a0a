-- x() :many gives Named
SELECT id,
	note AS name
FROM item;
