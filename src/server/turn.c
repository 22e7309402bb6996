#include "server/turn.h"

#include "base/clock.h"

static void begin(struct turn *turn) {
    turn->began = clock_thread_nanoseconds();
    turn->read_bytes_left = TURN_READ_BYTES;
}

static void on_before_wait(uv_prepare_t *handle) {
    struct turn *turn = handle->data;
    uint64_t began = turn->began;
    begin(turn);
    histogram_add_turn(turn->durations, turn->began - began);
}

void turn_begin_first(struct turn *turn, uv_loop_t *loop, struct histogram *durations) {
    turn->durations = durations;
    turn->before_wait.data = turn;
    begin(turn);
    /* Neither can fail (libuv's documentation of uv_prepare_t). */
    uv_prepare_init(loop, &turn->before_wait);
    uv_prepare_start(&turn->before_wait, on_before_wait);
}

void turn_close(struct turn *turn) {
    uv_close((uv_handle_t *)&turn->before_wait, NULL);
}
