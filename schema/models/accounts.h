#pragma once

/* Users and roles: as clients see them, and as rows. */

#include "common/model.h"

typedef enum UserStatus { USER_ACTIVE, USER_DISABLED, USER_UNVERIFIED } UserStatus;
extern const char *const user_status_names[];

/* An account as its owner and administrators see it. */
typedef struct User {
	Uuid id;
	Str email;
	OptStr display_name, locale;
	UserStatus status;
	StrList roles;
	int64_t version;
	Instant created_at, updated_at;
} User;
MODEL_OF(User);

/* A row to insert, with its roles. */
typedef struct UserNew {
	Uuid id;
	Str email;
	OptStr password_hash, display_name, locale;
	UserStatus status;
	StrList roles;
} UserNew;
MODEL_OF(UserNew);

/* What a login is decided by. */
typedef struct Credentials {
	Uuid id;
	OptStr password_hash;
	UserStatus status;
} Credentials;
MODEL_OF(Credentials);
