-- Takes all accounts with it.

DROP TABLE sessions, user_roles, roles, users;
DROP TYPE user_status;
