-- x() :many gives text
SELECT exact FROM item;
