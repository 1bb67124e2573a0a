-- Takes the trail with it: dump the table first.

DROP TABLE audit;
