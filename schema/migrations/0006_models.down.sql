-- Takes the registered models with it; the servers behind them are not touched.

DROP TABLE models;
DROP TYPE model_status;
DROP TYPE model_kind;
