-- x(id uuid, other text) :one gives Named
SELECT id, name FROM item WHERE id = :id;
