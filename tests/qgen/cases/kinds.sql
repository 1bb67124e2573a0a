-- Each kind of member, in and out.

-- item_insert(image bytea) :one takes Item gives Item
-- unique item_name_key: conflict
-- check item_amount_range: validation_failed /price/amount too_small
INSERT INTO item (id, name, note, colour, amount, currency, tags, numbers, extra, weight, sold, size, rank,
	made_at, image, code, exact)
VALUES (:id, :name, :note, :colour, :price.amount, :price.currency, :tags, :numbers, :extra, :weight, :sold,
	:size, :rank, :made_at, :image, :code, 1.5)
RETURNING id, name, note, colour, amount AS "price.amount", currency AS "price.currency", tags, numbers,
	extra, weight, sold, size, rank, made_at, image, code;

-- Members of an Opt model, whether something was given, and an optional part.
-- item_patch(rank smallint?) :maybe takes ItemPatch gives Named
UPDATE item SET name = coalesce(:name, name),
	note = CASE WHEN :note.given THEN :note ELSE note END,
	amount = coalesce(:price.amount, amount),
	currency = CASE WHEN :price.given THEN :price.currency ELSE currency END,
	colour = coalesce(:colour, colour),
	tags = coalesce(:tags, tags)
WHERE id = :id /*? rank */ AND rank = :rank /*?*/
RETURNING id, name;

-- item_find(count int) :many takes Filter gives Named
-- plan anew: tag, colour
SELECT id, name FROM item
WHERE true /*? tag */ AND :tag = ANY (tags) /*? least */ AND amount >= :least /*?*/ /*?*/
	/*? colour */ AND colour = :colour /*?*/
/*! order name: ORDER BY name, id | -name: ORDER BY name || ' | ' DESC, id | amount: ORDER BY amount, id */
LIMIT :count;

-- item_each() :each gives Named
SELECT id, name FROM item;

-- item_name(id uuid) :one else not_found gives text
SELECT name FROM item WHERE id = :id;

-- item_note(id uuid) :one gives text?
SELECT note FROM item WHERE id = :id;

-- item_count() :one gives bigint
SELECT count(*) AS "count!" FROM item;

-- item_names() :many gives text
SELECT name FROM item;

-- item_sell(id uuid) :exec gives rows
UPDATE item SET sold = true WHERE id = :id;

-- item_delete(id uuid) :exec
DELETE FROM item WHERE id = :id;

-- a_delete(id int) :exec
-- as owner
-- foreign b_a_fkey: conflict
DELETE FROM a WHERE id = :id;

-- item_lock() :exec
-- as owner
LOCK TABLE item IN SHARE MODE;

-- item_wait() :exec
SELECT pg_advisory_xact_lock(1);

-- What is quoted, dollar-quoted or a cast is no parameter, and comments go.
-- quoting(x text) :one gives Two
SELECT 'it''s :no' || $tag$:no ;$tag$ || E'\':no' AS l, /* :no /* nested */ ; */ (:x)::text AS "r?" -- :no ;
FROM a WHERE "a".id = 1 AND 'a;b' <> 'c';
