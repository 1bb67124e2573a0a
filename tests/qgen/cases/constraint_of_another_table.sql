-- x() :exec
-- as owner
-- unique item_name_key: conflict
UPDATE a SET n = 'x';
