-- x(id uuid) :exec
-- uniqe item_name_key: conflict
UPDATE item SET name = 'x' WHERE id = :id;
