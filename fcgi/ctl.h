#pragma once

/*
 * Commands of posternctl: one function each, in a file ctl_*.c, and one row each in ctl.def.
 *
 * argv[0] is the command's name; --config and --set have been taken out. Answers go to standard
 * output, errors to standard error, and what is returned is an exit status of sysexits.h.
 */

#include "common/settings.h"

#define CTL(name, function, arguments, about)                                                  \
	int function(int argc, char **argv, const Settings *settings) MUST_USE;
#include "fcgi/ctl.def"
#undef CTL

/*
 * Take one of a command's own flags out of its arguments.
 *
 * returns  whether it was there
 */
bool ctl_flag(int *argc, char **argv, const char *flag);

/* Nothing may be left of the arguments: false after saying so. */
bool ctl_no_more(int argc, char **argv) MUST_USE;

/* Write text to standard output; EX_IOERR when that fails. */
int ctl_print(Str text) MUST_USE;
