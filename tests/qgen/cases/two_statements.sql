-- x() :many gives Named
SELECT id, name FROM item;
DELETE FROM item;
