-- x(id uuid) :exec
-- check item_name_key: conflict
UPDATE item SET name = 'x' WHERE id = :id;
