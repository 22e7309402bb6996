#include "bake/bake.h"

#include "api/api.h"
#include "base/clock.h"

/* The caller's three ways to end a bake, brought together in the one flag that bake_run looks at. */
struct watch {
    const struct rescoldo_bake_options *options;
    atomic_bool stop;
    bool late;
};

static void on_progress(void *user_data, const char *step, uint64_t done, uint64_t total) {
    struct watch *watch = user_data;
    const struct rescoldo_bake_options *options = watch->options;
    const atomic_bool *cancel = api_cancel(options->cancel);
    bool stop = cancel != NULL && atomic_load_explicit(cancel, memory_order_relaxed);
    if (options->progress != NULL && !stop && !watch->late)
        stop = options->progress(options->user_data, step, done, total) != 0;
    if (options->deadline_nanoseconds != 0 && !stop && clock_nanoseconds() > options->deadline_nanoseconds)
        watch->late = true;
    if (stop || watch->late)
        atomic_store_explicit(&watch->stop, true, memory_order_relaxed);
}

/* The model at source and those of the options, in that order. */
static enum status take_models(const char *source, const struct rescoldo_bake_options *options,
                               struct bake_model models[BAKE_MAX_MODELS], struct error *error) {
    if (options->more_models == NULL && options->more_model_count != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "rescoldo_bake: more_models is NULL and more_model_count is %zu",
                         options->more_model_count);
    if (options->more_model_count >= BAKE_MAX_MODELS)
        return error_set(error, STATUS_LIMIT_EXCEEDED,
                         "more_model_count is %zu, expected at most %u: an ember holds %u models",
                         options->more_model_count, BAKE_MAX_MODELS - 1, BAKE_MAX_MODELS);
    models[0] = (struct bake_model){.path = source, .name = options->name};
    for (size_t i = 0; i < options->more_model_count; i++) {
        const struct rescoldo_bake_model *more = &options->more_models[i];
        if (more->source == NULL)
            return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_bake: more_models[%zu].source is NULL",
                             i);
        if (more->reserved[0] != 0 || more->reserved[1] != 0)
            return error_set(error, STATUS_UNSUPPORTED, "reserved of more_models[%zu] is not 0", i);
        models[i + 1] = (struct bake_model){.path = more->source, .name = more->name};
    }
    return STATUS_OK;
}

static enum status run(const char *source, const char *output, const struct rescoldo_bake_options *options,
                       struct error *error) {
    struct watch watch = {.options = options};
    struct bake_options bake_options = {
        .output = output,
        .query_prompt = options->query_prompt,
        .passage_prompt = options->passage_prompt,
        .precision = options->precision == RESCOLDO_PRECISION_F32 ? PRECISION_F32 : PRECISION_INT8,
        .progress = {on_progress, &watch, &watch.stop},
    };
    enum status status = take_models(source, options, bake_options.models, error);
    if (status != STATUS_OK)
        return status;
    struct bake_report report = {0};
    status = bake_run(&bake_options, &report, error);
    bake_report_free(&report);
    if (status == STATUS_CANCELLED && watch.late)
        return error_set(error, STATUS_DEADLINE_EXCEEDED,
                         "the deadline passed before the bake was done; nothing was written");
    return status;
}

static enum status bake(const char *source, const char *output, const struct rescoldo_bake_options *given,
                        struct error *error) {
    if (source == NULL || output == NULL)
        return error_set(error, STATUS_INVALID_ARGUMENT, "rescoldo_bake: source or output is NULL");
    struct rescoldo_bake_options options;
    enum status status = api_copy_options(given, "struct rescoldo_bake_options",
                                          offsetof(struct rescoldo_bake_options, more_models), sizeof options,
                                          &options, error);
    if (status == STATUS_OK)
        status = api_check_value(options.precision, RESCOLDO_PRECISION_F32, "precision", error);
    if (status == STATUS_OK && options.reserved != 0)
        status = error_set(error, STATUS_UNSUPPORTED, "reserved of struct rescoldo_bake_options is not 0");
    return status == STATUS_OK ? run(source, output, &options, error) : status;
}

enum rescoldo_status rescoldo_bake(const char *source, const char *output,
                                   const struct rescoldo_bake_options *options,
                                   struct rescoldo_error *reported) {
    struct error error;
    return api_report(bake(source, output, options, &error), &error, reported);
}
