-- x(x bigint, tag text?) :many takes Filter gives Named
SELECT id, name FROM item WHERE
/*! order name: amount = :x | -name: name = :x | amount: amount = :x */ /*? tag */ AND :tag = ANY (tags) /*?*/;
