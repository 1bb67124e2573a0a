-- x(tag text) :many gives Named
SELECT id, name FROM item
WHERE :tag = ANY (tags) /*?*/;
