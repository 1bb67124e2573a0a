-- x() :one gives bigint
SELECT count(*) AS n FROM item;
