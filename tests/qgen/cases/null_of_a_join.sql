-- x() :many gives text
SELECT b.v FROM a
LEFT JOIN b ON b.a_id = a.id;
