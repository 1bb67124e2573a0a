-- x() :many gives Named

-- y() :many gives Named
SELECT id, name FROM item;
