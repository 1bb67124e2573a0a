#pragma once

/* posternctl migrate up | down [N] | status. */

#include "common/settings.h"

/* argv[0] is "migrate". Returns an exit code of sysexits.h. */
int ctl_migrate(int argc, char **argv, const Settings *settings);
