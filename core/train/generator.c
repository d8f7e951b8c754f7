/* kf_fit_generator, kf_evaluate_generator, kf_predict_generator. */
#include "core/train/evaluate.h"
#include "core/train/fitting.h"
#include "core/train/generator_supply.h"

#include "core/base/status.h"

/* Marks the random streams of shuffling passes among those of the seed. */
enum { PASS_STREAM = 0x9a55 };

static int32_t threads_of(int32_t workers) { return workers == 0 ? 1 : workers < 0 ? 0 : workers; }

/* --- fit -------------------------------------------------------------------------------------- */

typedef struct generator_fit {
    kfi_training *training;
    kf_fit_generator_options options; /* with defaults filled in */
    kfi_class_weights classes;
    kfi_generator_supply train, validation;
    kfi_reader_feed held_out;
    kfi_supply *validates; /* NULL: nothing */
} generator_fit;

static kf_status check_options(kf_fit_generator_options *options) {
    if (options->epochs < 0 || options->initial_epoch < 0)
        return kfi_fail(KF_USAGE, "epochs and initial_epoch must not be negative, got %d and %d",
                        options->epochs, options->initial_epoch);
    if (options->validation && options->validation_data)
        return kfi_fail(KF_USAGE, "give validation or validation_data, not both");
    if (options->checkpoint_batches < 0)
        return kfi_fail(KF_USAGE, "checkpoint_batches must be positive");
    if (options->epochs == 0) options->epochs = 1;
    return KF_OK;
}

static void share(const generator_fit *fit, kfi_generator_supply *supply) {
    supply->initial_epoch = fit->options.initial_epoch;
    supply->epochs = fit->options.epochs;
    supply->workers = threads_of(fit->options.workers);
    supply->max_queue_size = fit->options.max_queue_size;
}

static kf_status open_training(generator_fit *fit, const kf_generator *generator) {
    kfi_generator_supply *train = &fit->train;
    kf_status status =
        kfi_generator_open(train, generator, fit->options.steps_per_epoch, "steps_per_epoch");
    if (status == KF_OK) status = kfi_ports_of(fit->training, true, &train->ports);
    if (status == KF_OK)
        status = kfi_class_weights_resolve(fit->training, fit->options.class_weight, &fit->classes);
    if (status != KF_OK) return status;
    share(fit, train);
    train->classes = fit->options.class_weight ? &fit->classes : NULL;
    train->graph = fit->training->model->graph;
    train->random = kfi_training_random(fit->training);
    if (fit->options.seed) train->random.key = fit->options.seed;
    train->random = kfi_random_fold(train->random, PASS_STREAM);
    train->shuffle = !fit->options.no_shuffle;
    return KF_OK;
}

/* Keras takes the size of the last batch that was trained on. */
static kf_status open_held_out(generator_fit *fit) {
    kfi_feed feed;
    kf_dataset *data = fit->options.validation_data;
    kf_status status = kfi_feed_match(&fit->train.ports, data, &feed);
    if (status == KF_OK && data->samples == 0) status = kfi_fail(KF_INVALID, "it has no samples");
    if (status == KF_OK)
        status = kfi_reader_open(&fit->held_out.reader, &feed, 0, data->samples, 0,
                                 fit->options.workers, fit->options.max_queue_size);
    kfi_reader_supply(&fit->held_out);
    fit->held_out.follow = &fit->train.last_rows;
    fit->validates = &fit->held_out.supply;
    return kfi_within(status, "validation data: ");
}

static kf_status open_validation(generator_fit *fit) {
    if (fit->options.validation_data) return open_held_out(fit);
    if (!fit->options.validation) return KF_OK;
    const kf_status status = kfi_generator_open(&fit->validation, fit->options.validation,
                                                fit->options.validation_steps, "validation_steps");
    if (status != KF_OK) return status;
    share(fit, &fit->validation);
    fit->validation.ports = fit->train.ports;
    fit->validates = &fit->validation.supply;
    return KF_OK;
}

static kf_status run_fit(generator_fit *fit, kf_model *model) {
    const kf_fit_generator_options *options = &fit->options;
    fit->training->progress = (kfi_progress_state){
        .samples = fit->train.supply.steps, .epochs = options->epochs, .counts_steps = true};
    return kfi_fitting_run(&(kfi_fitting){
        .training = fit->training,
        .callbacks = {model, options->callbacks},
        .run = {.workers = options->threads},
        .train = &fit->train.supply,
        .validation = fit->validates,
        .counts_steps = true,
        .initial_epoch = options->initial_epoch,
        .epochs = options->epochs,
        .history = options->history,
        .resume = options->resume,
        .checkpoint = options->checkpoint,
        .checkpoint_batches = options->checkpoint_batches,
    });
}

kf_status kf_fit_generator_with(kf_model *model, const kf_generator *generator,
                                const kf_fit_generator_options *options) {
    generator_fit fit = {0};
    kfi_options_copy(&fit.options, sizeof fit.options, options);
    kf_status status = kfi_training_compiled(model, &fit.training);
    if (status == KF_OK) status = check_options(&fit.options);
    if (status == KF_OK) status = open_training(&fit, generator);
    if (status == KF_OK) status = open_validation(&fit);
    if (status == KF_OK) status = run_fit(&fit, model);
    kfi_generator_close(&fit.train);
    kfi_generator_close(&fit.validation);
    kfi_reader_close(&fit.held_out.reader);
    kfi_class_weights_free(&fit.classes);
    return status;
}

/* --- evaluate and predict --------------------------------------------------------------------- */

static kf_status open_run(kfi_training *training, const kfi_mode *mode,
                          const kf_generator *generator, const kf_run_generator_options *options,
                          kfi_generator_supply *supply) {
    kf_status status = kfi_generator_open(supply, generator, options->steps, "steps");
    if (status == KF_OK) status = kfi_ports_of(training, mode->targets, &supply->ports);
    if (status != KF_OK) return status;
    supply->workers = threads_of(options->workers);
    supply->max_queue_size = options->max_queue_size;
    atomic_store(&training->stop, KFI_GO);
    training->progress =
        (kfi_progress_state){.samples = supply->supply.steps, .counts_steps = true};
    return KF_OK;
}

kf_status kf_evaluate_generator_with(kf_model *model, const kf_generator *generator, double *values,
                                     const kf_run_generator_options *options) {
    kf_run_generator_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kfi_training *training = NULL;
    kfi_generator_supply supply = {0};
    kf_status status = kfi_training_compiled(model, &training);
    if (status == KF_OK) status = open_run(training, &kfi_mode_test, generator, &given, &supply);
    const kfi_callbacks callbacks = {model, given.callbacks};
    if (status == KF_OK)
        status = kfi_evaluate(training, &supply.supply, 0,
                              &(kfi_run_options){.workers = given.threads}, &callbacks, values);
    kfi_generator_close(&supply);
    return status;
}

kf_status kf_predict_generator_with(kf_model *model, const kf_generator *generator, kf_sink sink,
                                    void *context, const kf_run_generator_options *options) {
    kf_run_generator_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kfi_training *training = NULL;
    kfi_generator_supply supply = {0};
    kf_status status = kfi_training_of(model, &training);
    if (status == KF_OK) status = open_run(training, &kfi_mode_predict, generator, &given, &supply);
    kf_run_options run = {.threads = given.threads};
    for (int i = 0; i < KF_MAX_CALLBACKS; i++) run.callbacks[i] = given.callbacks[i];
    if (status == KF_OK) status = kfi_predict_supply(training, &supply.supply, &run, sink, context);
    kfi_generator_close(&supply);
    return status;
}
