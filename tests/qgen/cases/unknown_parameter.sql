-- x(id uuid) :one gives Named
SELECT id, name FROM item
WHERE id = :idd AND id = :id;
