-- What the cases are about. a has rows without b, b without c, and b is large, so that the planner
-- turns outer joins round.

CREATE TYPE colour AS ENUM ('red', 'green', 'blue');

CREATE TABLE item (
	id uuid PRIMARY KEY,
	name text NOT NULL CONSTRAINT item_name_key UNIQUE,
	note text,
	colour colour NOT NULL,
	amount bigint NOT NULL CONSTRAINT item_amount_range CHECK (amount >= 0),
	currency text NOT NULL,
	tags text[] NOT NULL,
	numbers bigint[] NOT NULL,
	extra jsonb NOT NULL,
	weight float8 NOT NULL,
	sold bool NOT NULL,
	size int NOT NULL,
	rank smallint NOT NULL,
	made_at timestamptz NOT NULL,
	image bytea NOT NULL,
	code varchar(8) NOT NULL,
	exact numeric NOT NULL
);

CREATE TABLE a (id int PRIMARY KEY, v text NOT NULL, n text);
CREATE TABLE b (id int PRIMARY KEY, a_id int CONSTRAINT b_a_fkey REFERENCES a, v text NOT NULL);
CREATE TABLE c (id int PRIMARY KEY, b_id int REFERENCES b, v text NOT NULL);
CREATE TABLE parted (id int NOT NULL, v text NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (3);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (3) TO (1000);
CREATE VIEW a_with_b AS SELECT a.v AS a_v, b.v AS b_v FROM a LEFT JOIN b ON b.a_id = a.id;

INSERT INTO a SELECT i, 'a' || i, CASE WHEN i % 2 = 0 THEN 'n' END FROM generate_series(1, 20) AS i;
INSERT INTO b SELECT i, CASE WHEN i % 3 = 0 THEN i % 10 + 1 END, 'b' || i FROM generate_series(1, 5000) AS i;
INSERT INTO c SELECT i, CASE WHEN i % 2 = 0 THEN i END, 'c' || i FROM generate_series(1, 40) AS i;
INSERT INTO parted SELECT i, 'p' || i FROM generate_series(0, 5) AS i;
ANALYZE;

GRANT SELECT, INSERT, UPDATE, DELETE ON item TO postern_app;
GRANT SELECT, UPDATE ON a, b, c, parted, a_with_b TO postern_app;
