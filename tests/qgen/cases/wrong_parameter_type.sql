-- x(id text) :many gives Named
SELECT id, name
FROM item
WHERE id = :id;
