#pragma once

/*
 * The keeper: the process beside the workers that does what is the host's and nobody's request.
 *
 * It hears what other hosts change (LISTEN) and raises the board's epochs, it takes away what
 * has expired, has the outbox delivered, and serves the status socket: /healthz, /status and
 * /metrics, also while every worker is busy. It waits for nothing longer than a second; when it
 * is told to stop, half of pool.drain_ms for a delivery.
 *
 * Started and replaced by the parent as a worker is; start->listen_fd is looked at, not served.
 *
 * returns  exit status: 0, or one of sysexits.h
 */

#include "fcgi/worker.h"

int keeper_main(const WorkerStart *start, int status_fd, bool status_tcp) MUST_USE;
