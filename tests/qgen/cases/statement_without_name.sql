-- all items
SELECT id, name FROM item;
