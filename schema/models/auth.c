#include "schema/models/auth.h"

/* clang-format off */
MODEL(RegisterIn,
	FIELD(RegisterIn, email,        .required = true, .max = 254, .format = FORMAT_EMAIL),
	FIELD(RegisterIn, password,     .required = true, .format = FORMAT_PASSWORD, .secret = true, .about = "12 to 256 characters, at most 511 bytes, none of the common ones"),
	FIELD(RegisterIn, display_name, .nullable = true, .min = 1, .max = 100));

/* A password is looked at whatever its length, so that a wrong one is nothing but wrong. */
MODEL(LoginIn,
	FIELD(LoginIn, email,    .required = true, .max = 254),
	FIELD(LoginIn, password, .required = true, .secret = true));

MODEL(LoginOut,
	FIELD_OF(LoginOut, user, User,         .required = true),
	FIELD(LoginOut, access_token,          .required = true, .about = "JSON Web Token, for the header Authorization: Bearer"),
	FIELD(LoginOut, token_type,            .required = true, .about = "Bearer"),
	FIELD(LoginOut, expires_in,            .required = true, .about = "life of the access token, s"),
	FIELD(LoginOut, refresh_token,         .required = true, .about = "opaque; keeps the session when the access token is over"),
	FIELD(LoginOut, refresh_expires_in,    .required = true, .about = "life of an unused refresh token, s"));

MODEL(LogoutIn,
	FIELD(LogoutIn, refresh_token, .nullable = true, .max = 256, .secret = true, .about = "where there is no access token"));
/* clang-format on */
