-- x() gives Named
SELECT id, name FROM item;
