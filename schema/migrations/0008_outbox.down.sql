-- Takes with it what was not sent yet.

DROP TABLE outbox;
