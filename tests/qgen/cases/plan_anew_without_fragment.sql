-- x(tag text) :many gives Named
-- plan anew: tag
SELECT id, name FROM item WHERE :tag = ANY (tags);
