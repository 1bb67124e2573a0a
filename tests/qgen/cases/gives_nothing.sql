-- x() :many
SELECT id FROM item;
