-- x() :many takes Filter gives Named
SELECT id, name FROM item
/*! tag name: ORDER BY name */;
