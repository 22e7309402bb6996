#include "server/log.h"

#include "base/calendar.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RING_SIZE     ((size_t)131072)
#define WRITE_AT_ONCE ((size_t)4096)
#define STOP_SECONDS  1
/* Between attempts, where writing does not wait for the reader (O_NONBLOCK, which a log inherits). */
#define RETRY_NANOSECONDS 10000000L

struct log {
    int descriptor;
    pthread_t writer;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    size_t start, used; /* of the ring */
    uint64_t dropped;
    bool stopping, stopped;
    char ring[RING_SIZE];
};

static struct timespec after(time_t seconds, long nanoseconds) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += seconds;
    time.tv_nsec += nanoseconds;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

static void wait_for_reader(struct log *log) {
    struct timespec limit = after(0, RETRY_NANOSECONDS);
    pthread_mutex_lock(&log->mutex);
    (void)pthread_cond_timedwait(&log->changed, &log->mutex, &limit);
    pthread_mutex_unlock(&log->mutex);
}

static void write_whole(struct log *log, const char *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(log->descriptor, data, size);
        if (written < 0 && errno == EAGAIN)
            wait_for_reader(log);
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (written <= 0)
            return; /* nobody to tell */
        data += written;
        size -= (size_t)written;
    }
}

static size_t take(struct log *log, char *target, size_t room) {
    size_t size = log->used < room ? log->used : room;
    for (size_t i = 0; i < size; i++)
        target[i] = log->ring[(log->start + i) % RING_SIZE];
    log->start = (log->start + size) % RING_SIZE;
    log->used -= size;
    return size;
}

static void *write_lines(void *argument) {
    struct log *log = argument;
    char piece[WRITE_AT_ONCE];
    pthread_mutex_lock(&log->mutex);
    while (log->used > 0 || !log->stopping) {
        if (log->used == 0) {
            pthread_cond_wait(&log->changed, &log->mutex);
            continue;
        }
        size_t size = take(log, piece, sizeof piece);
        pthread_mutex_unlock(&log->mutex);
        write_whole(log, piece, size);
        pthread_mutex_lock(&log->mutex);
    }
    log->stopped = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    return NULL;
}

enum status log_start(int descriptor, struct log **log, struct error *error) {
    struct log *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the log");
    made->descriptor = descriptor;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    int failure = pthread_create(&made->writer, NULL, write_lines, made);
    if (failure != 0) {
        free(made);
        return error_set_errno(error, failure, "cannot start the log's thread");
    }
    *log = made;
    return STATUS_OK;
}

void log_event_begin(struct json_writer *writer, const char *level, const char *event) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct calendar date = calendar_of((uint64_t)now.tv_sec);
    char time[64];
    snprintf(time, sizeof time, "%04" PRIu64 "-%02u-%02uT%02u:%02u:%02u.%03dZ", date.year, date.month,
             date.day, date.hour, date.minute, date.second, (int)(now.tv_nsec / 1000000));
    json_begin_object(writer);
    json_key(writer, "time");
    json_text_of_string(writer, time);
    json_key(writer, "level");
    json_text_of_string(writer, level);
    json_key(writer, "event");
    json_text_of_string(writer, event);
}

static void put(struct log *log, struct bytes line) {
    pthread_mutex_lock(&log->mutex);
    if (line.size > RING_SIZE - log->used) {
        log->dropped++;
    } else {
        for (size_t i = 0; i < line.size; i++)
            log->ring[(log->start + log->used + i) % RING_SIZE] = (char)line.data[i];
        log->used += line.size;
        pthread_cond_broadcast(&log->changed);
    }
    pthread_mutex_unlock(&log->mutex);
}

void log_event_end(struct log *log, struct json_writer *writer) {
    json_end_object(writer);
    if (json_writer_finish(writer, NULL) == STATUS_OK &&
        buffer_append(writer->buffer, "\n", 1, NULL) == STATUS_OK)
        put(log, buffer_bytes(writer->buffer));
}

void log_message(struct log *log, const char *level, const char *event, const char *message) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    log_event_begin(&writer, level, event);
    json_key(&writer, "message");
    json_text_of_string(&writer, message);
    log_event_end(log, &writer);
    buffer_free(&line);
}

uint64_t log_dropped_lines(struct log *log) {
    pthread_mutex_lock(&log->mutex);
    uint64_t dropped = log->dropped;
    pthread_mutex_unlock(&log->mutex);
    return dropped;
}

void log_stop(struct log *log) {
    if (log == NULL)
        return;
    struct timespec limit = after(STOP_SECONDS, 0);
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    pthread_cond_broadcast(&log->changed);
    while (!log->stopped && pthread_cond_timedwait(&log->changed, &log->mutex, &limit) == 0)
        continue;
    bool stopped = log->stopped;
    pthread_mutex_unlock(&log->mutex);
    if (!stopped)
        return; /* the thread is stuck in write(2) and still uses the memory */
    pthread_join(log->writer, NULL);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}
