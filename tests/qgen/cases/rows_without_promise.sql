-- x(id uuid) :exec
DELETE FROM item WHERE id = :id RETURNING id;
