-- x() :many gives Named
SELECT id FROM item;
