#pragma once

/* What registering, logging in and logging out take and give. */

#include "schema/models/accounts.h"

typedef struct RegisterIn {
	Str email, password;
	OptStr display_name;
} RegisterIn;
MODEL_OF(RegisterIn);

typedef struct LoginIn {
	Str email, password;
} LoginIn;
MODEL_OF(LoginIn);

/* The tokens of a new session. */
typedef struct LoginOut {
	User user;
	Str access_token, token_type;
	int64_t expires_in; /* seconds */
	Str refresh_token;
	int64_t refresh_expires_in; /* seconds, when it is not used before */
} LoginOut;
MODEL_OF(LoginOut);

typedef struct LogoutIn {
	OptStr refresh_token;
} LogoutIn;
MODEL_OF(LogoutIn);
