-- x() :one takes Itme gives Named
SELECT id, name FROM item WHERE id = :id;
