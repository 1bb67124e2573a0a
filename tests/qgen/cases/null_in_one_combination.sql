-- x(strict text?) :many gives text
SELECT b.v FROM a
LEFT JOIN b ON b.a_id = a.id /*? strict */ WHERE b.v = :strict /*?*/;
