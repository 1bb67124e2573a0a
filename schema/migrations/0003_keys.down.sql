-- All tokens handed out become invalid.

DROP TABLE secrets, signing_keys;
