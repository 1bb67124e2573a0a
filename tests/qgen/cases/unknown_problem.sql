-- x(id uuid) :exec
-- unique item_name_key: name_taken
UPDATE item SET name = 'x' WHERE id = :id;
