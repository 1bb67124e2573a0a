-- Columns without a mark, and whether the generator sees that they may be NULL. The tables' columns are
-- NOT NULL but for a.n: what is nullable here is so by the join, or because the generator cannot know.

-- inner_join() :many gives Two
SELECT a.v AS l, b.v AS r FROM a JOIN b ON b.a_id = a.id;

-- left_join() :many gives Two
SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id AND b.id < 10;

-- The planner makes a right join of it, to hash the smaller table: the published counter-example to
-- reading "Left" alone from a plan.
-- left_join_turned_round() :many gives Two
SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id;

-- right_join() :many gives Two
SELECT a.v AS l, b.v AS r FROM a RIGHT JOIN b ON b.a_id = a.id;

-- right_join_turned_round() :many gives Two
SELECT a.v AS l, b.v AS r FROM b RIGHT JOIN a ON b.a_id = a.id;

-- full_join() :many gives Two
SELECT a.v AS l, b.v AS r FROM a FULL JOIN b ON b.a_id = a.id;

-- Strict in b, so the planner makes an inner join of it.
-- left_join_made_inner() :many gives Two
SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.v > 'b2';

-- An anti join: all of b is NULL.
-- left_join_without_partner() :many gives Two
SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.id IS NULL;

-- full_join_made_left() :many gives Two
SELECT a.v AS l, b.v AS r FROM a FULL JOIN b ON b.a_id = a.id WHERE a.v > 'a';

-- chain_left_left() :many gives Two
SELECT b.v AS l, c.v AS r FROM a LEFT JOIN b ON b.a_id = a.id LEFT JOIN c ON c.b_id = b.id;

-- The inner join throws away what the left one made.
-- chain_left_inner() :many gives Two
SELECT b.v AS l, c.v AS r FROM a LEFT JOIN b ON b.a_id = a.id JOIN c ON c.b_id = b.id;

-- left_join_of_inner() :many gives Two
SELECT b.v AS l, c.v AS r FROM a LEFT JOIN (b JOIN c ON c.b_id = b.id) ON b.a_id = a.id;

-- left_self_join() :many gives Two
SELECT a.v AS l, other.v AS r FROM a LEFT JOIN a AS other ON other.id = a.id + 1;

-- left_join_lateral() :many gives Two
SELECT a.v AS l, x.v AS r FROM a LEFT JOIN LATERAL (SELECT b.v FROM b WHERE b.a_id = a.id ORDER BY b.id LIMIT 1) AS x ON true;

-- left_join_in_sub_select() :many gives Two
SELECT s.l, s.r FROM (SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id) AS s;

-- A sub-select that stays one.
-- left_join_behind_limit() :many gives Two
SELECT s.l, s.r FROM (SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id LIMIT 100) AS s;

-- Read from a table of its own: the generator does not look through it, and both are taken as nullable.
-- left_join_in_with() :many gives Two
WITH s AS MATERIALIZED (SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id) SELECT l, r FROM s;

-- inner_join_in_with() :many gives Two
WITH s AS MATERIALIZED (SELECT a.v AS l, b.v AS r FROM a JOIN b ON b.a_id = a.id) SELECT l, r FROM s;

-- left_join_in_view() :many gives Two
SELECT a_v AS l, b_v AS r FROM a_with_b;

-- The planner removes the join: nothing of b is read.
-- left_join_removed() :many gives Two
SELECT a.v AS l, a.n AS r FROM a LEFT JOIN b ON b.id = a.id;

-- left_join_never() :many gives Two
SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON false;

-- Subtotals are NULL in columns that never are.
-- grouping_sets() :many gives Two
SELECT a.v AS l, b.v AS r FROM a JOIN b ON b.a_id = a.id GROUP BY ROLLUP (a.v, b.v);

-- grouping_sets_of_one() :many gives Two
SELECT v AS l, v AS r FROM a GROUP BY GROUPING SETS ((v), ());

-- all_of_both() :many gives Two
SELECT v AS l, v AS r FROM a UNION ALL SELECT v, NULL FROM b;

-- left_join_of_partitions() :many gives Two
SELECT a.v AS l, parted.v AS r FROM a LEFT JOIN parted ON parted.id = a.id;

-- partitions_left_join() :many gives Two
SELECT parted.v AS l, a.v AS r FROM parted LEFT JOIN a ON parted.id = a.id;

-- semi_join() :many gives Two
SELECT a.v AS l, a.n AS r FROM a WHERE EXISTS (SELECT FROM b WHERE b.a_id = a.id);

-- expressions() :many gives Two
SELECT coalesce(a.n, '') AS l, (SELECT b.v FROM b WHERE b.id = -a.id) AS r FROM a;

-- quoted_alias() :many gives Two
SELECT "A b".v AS l, "b.v".v AS r FROM a AS "A b" LEFT JOIN b AS "b.v" ON "b.v".a_id = "A b".id;

-- sorted_and_limited() :many gives Two
SELECT a.v AS l, b.v AS r FROM a LEFT JOIN b ON b.a_id = a.id ORDER BY b.id DESC, a.n LIMIT 50;

-- update_from_left_join() :many gives Two
UPDATE a SET n = a.n FROM b LEFT JOIN c ON c.b_id = b.id WHERE b.a_id = a.id RETURNING a.v AS l, c.v AS r;

-- marked() :many gives Two
SELECT a.v AS "l?", b.v AS "r!" FROM a JOIN b ON b.a_id = a.id;
