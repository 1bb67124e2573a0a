-- x(id int) :exec
DELETE FROM c WHERE id = :id;
