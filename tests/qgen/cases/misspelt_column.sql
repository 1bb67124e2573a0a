-- x(id uuid) :one gives Named
SELECT id, nmae AS name
FROM item WHERE id = :id;
