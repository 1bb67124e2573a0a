-- x() :many gives Named
SELECT id, name FROM item;

-- x() :many gives Named
SELECT id, name FROM item;
