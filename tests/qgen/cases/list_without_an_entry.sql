-- x() :many takes Filter gives Named
SELECT id, name FROM item
/*! order name: ORDER BY name | -name: ORDER BY name DESC */;
