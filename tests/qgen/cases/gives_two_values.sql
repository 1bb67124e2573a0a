-- x() :many gives text
SELECT name, code FROM item;
