-- x() :exec takes Item
UPDATE item SET amount = :price WHERE id = :id;
