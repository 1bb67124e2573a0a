#pragma once

/* What the service manager wants to know, by sd_notify(3); silent where nobody asked. */

#include "common/base.h"

/* Take NOTIFY_SOCKET and WATCHDOG_USEC out of the environment: no child answers for us. */
void notify_setup(void);

/* Lines "READY=1\nSTATUS=…". Never waits; what cannot be said is not said. */
void notify_say(const char *lines);

/* Half the time between two signs of life, in milliseconds; 0 when none are wanted. */
int notify_watchdog_ms(void);
