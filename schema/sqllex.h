#pragma once

/*
 * SQL cut into tokens: enough to find parameters, comments and the end of a statement, and to
 * leave alone what is quoted. It knows standard_conforming_strings = on and nothing of the
 * grammar.
 */

#include "common/str.h"

typedef enum SqlKind {
	SQL_END,
	SQL_SPACE,
	SQL_LINE,     /* -- to the end of the line, which is left out */
	SQL_BLOCK,    /* a comment between slashes and stars, nested ones inside */
	SQL_QUOTED,   /* '…', E'…', "…", $tag$…$tag$ */
	SQL_WORD,     /* names, keywords, numbers */
	SQL_PARAM,    /* :name or :name.member, with the colon */
	SQL_NUMBERED, /* $1 */
	SQL_SEMICOLON,
	SQL_BAR, /* one | by itself */
	SQL_OTHER,
	SQL_BROKEN, /* a quote or comment that never ends */
} SqlKind;

typedef struct SqlToken {
	SqlKind kind;
	Str text;
	size_t at; /* byte of the source */
} SqlToken;

/* The token that begins at this byte; SQL_END behind the last one. */
SqlToken sql_token(Str source, size_t at);

/* The line of a byte, from 1. */
int sql_line(Str source, size_t at);
