-- x() :many gives Shaded
SELECT colour FROM item;
