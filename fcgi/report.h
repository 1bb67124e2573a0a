#pragma once

/* The board for people and for Prometheus. */

#include "common/board.h"
#include "schema/models/health.h"

/* Text exposition format 0.0.4: one scrape answers for all processes of the host. */
void report_metrics(Buf *out, const Board *board);

/* /status as plain text: one line a worker. */
void report_status(Buf *out, const Status *status);
