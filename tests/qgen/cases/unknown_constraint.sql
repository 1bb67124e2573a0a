-- x(id uuid) :exec
-- unique item_name_kye: conflict
UPDATE item SET name = 'x' WHERE id = :id;
