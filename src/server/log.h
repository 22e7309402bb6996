/* The server's log: one JSON object per line on a descriptor, written by a thread of its own from a bounded
 * ring, so that a reader who has stopped reading can't hold up the server. What does not fit is dropped and
 * counted. Texts of requests never get here. */
#ifndef RESCOLDO_SERVER_LOG_H
#define RESCOLDO_SERVER_LOG_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/json_writer.h"
#include "base/status.h"

struct log;

MUST_CHECK enum status log_start(int descriptor, struct log **log, struct error *error);

/* Begins an event: an object with "time" (RFC 3339, UTC), "level" and "event", to which the caller adds
 * members. */
void log_event_begin(struct json_writer *writer, const char *level, const char *event);
/* Ends it and hands it over. Never waits. Any thread. */
void log_event_end(struct log *log, struct json_writer *writer);

/* An event with one member, "message". */
void log_message(struct log *log, const char *level, const char *event, const char *message);

uint64_t log_dropped_lines(struct log *log);

/* Writes what is left, for at most a second, and ends the thread. */
void log_stop(struct log *log);

#endif
