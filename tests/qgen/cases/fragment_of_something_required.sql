-- x(tag text) :many gives Named
SELECT id, name FROM item
WHERE true /*? tag */ AND :tag = ANY (tags) /*?*/;
