-- x(id uuid) :one gives Named
DELETE FROM item WHERE id = :id;
