/* What each mode writes behind the model: losses and metrics, gradients, updates, or nothing. */
#include "core/train/writing.h"

#include "core/base/memory.h"

static void add_result(kfi_writing *writing, kfi_value value) {
    writing->results[writing->n_results++] = value;
}

static void write_outputs(kfi_writing *writing) {
    for (int32_t i = 0; i < writing->training->model->n_outputs; i++)
        add_result(writing, writing->out[i]);
}

/* The training phase without its lasting effects: moving averages stay as they are. */
static void write_forward(kfi_writing *writing) {
    kfi_drop_assignments(writing->formula);
    write_outputs(writing);
}

/* --- losses and metrics ----------------------------------------------------------------------- */

static kfi_value mean_measure(kfi_writing *writing, const kfi_measure *measure, int32_t output,
                              kfi_value weights) {
    const kfi_target *target = &writing->training->compiled->targets[output];
    const kfi_value score = kfi_measure_score(writing->formula, measure, writing->y_true[output],
                                              target->loss->labels, writing->out[output]);
    return kfi_measure_mean(writing->formula, score, writing->out_mask[output], weights);
}

static kfi_value plus(kfi_formula *formula, kfi_value sum, kfi_value term) {
    return kfi_is_none(sum) ? term : kfi_emit(formula, "add", NULL, sum, term);
}

static kfi_value weighted(kfi_formula *formula, kfi_value loss, float weight) {
    if (weight == 1) return loss;
    return kfi_emit(formula, "affine", &(kfi_affine){.scale = weight}, loss);
}

/* The scope of what the next result is computed by: its name in the logs. */
static void enter_scope(kfi_writing *writing) {
    const char *name = writing->training->compiled->names[writing->n_results];
    kfi_formula_scope(writing->formula, (kfi_scope){name, 0, KFI_FORWARD});
}

/* Total = sum of loss_weight * loss over the outputs + the penalties of the layers; the losses of
 * single outputs are results only if there are several. */
static kfi_value write_losses(kfi_writing *writing) {
    const kfi_compiled *compiled = writing->training->compiled;
    kfi_formula *formula = writing->formula;
    kfi_value total = KFI_NONE;
    add_result(writing, KFI_NONE); /* the total's place */
    for (int32_t i = 0; i < compiled->n_outputs; i++) {
        const kfi_target *target = &compiled->targets[i];
        if (!target->loss) continue;
        const bool single = compiled->n_outputs == 1;
        if (single) kfi_formula_scope(formula, (kfi_scope){compiled->names[0], 0, KFI_FORWARD});
        if (!single) enter_scope(writing);
        const kfi_value loss = mean_measure(writing, target->loss, i, writing->weights[i]);
        if (!single) add_result(writing, loss);
        total = plus(formula, total, weighted(formula, loss, target->loss_weight));
    }
    kfi_formula_scope(formula, (kfi_scope){compiled->names[0], 0, KFI_FORWARD});
    const kfi_value *penalties;
    const int32_t n_penalties = kfi_added_losses(formula, &penalties);
    for (int32_t i = 0; i < n_penalties; i++) total = plus(formula, total, penalties[i]);
    if (kfi_is_none(total))
        kfi_formula_fail(formula,
                         kfi_fail(KF_USAGE, "The model cannot be compiled because it has no loss "
                                            "to optimize."));
    writing->results[0] = total;
    return total;
}

static kfi_value write_measures(kfi_writing *writing) {
    const kfi_compiled *compiled = writing->training->compiled;
    const kfi_value total = write_losses(writing);
    for (int32_t i = 0; i < compiled->n_outputs; i++) {
        const kfi_target *target = &compiled->targets[i];
        for (int32_t m = 0; target->loss && m < target->n_metrics; m++) {
            const bool is_weighted = m >= target->n_metrics - target->n_weighted;
            enter_scope(writing);
            add_result(writing, mean_measure(writing, target->metrics[m], i,
                                             is_weighted ? writing->weights[i] : KFI_NONE));
        }
    }
    return total;
}

static void write_test(kfi_writing *writing) { write_measures(writing); }

/* --- gradients and updates -------------------------------------------------------------------- */

/* Gradients of the total with respect to the trained weights and, further on, the inputs that can
 * have one; `wrt` has room for both lists. */
static kfi_value *differentiate(kfi_writing *writing, kfi_value total, bool inputs, int32_t *n) {
    const kfi_compiled *compiled = writing->training->compiled;
    kfi_formula *formula = writing->formula;
    const int32_t n_inputs = inputs ? writing->ports->n_inputs : 0;
    kfi_value *wrt = kfi_alloc(2 * (size_t)(compiled->n_weights + n_inputs), sizeof *wrt);
    if (!wrt) {
        kfi_formula_fail(formula, KF_MEMORY);
        return NULL;
    }
    for (*n = 0; *n < compiled->n_weights; ++*n)
        wrt[*n] = kfi_weight_value(formula, compiled->weights[*n]);
    for (int32_t i = 0; i < n_inputs; i++)
        if (writing->ports->items[i].dtype == KF_FLOAT32) wrt[(*n)++] = writing->sources[i];
    kfi_value *gradients = wrt + compiled->n_weights + n_inputs;
    if (kfi_differentiate(formula, total, wrt, *n, gradients) == KF_OK) {
        for (int32_t i = 0; i < *n; i++) wrt[i] = gradients[i];
        return wrt;
    }
    kfi_free(wrt);
    return NULL;
}

/* A weight that the loss does not depend on has no gradient and stays as it is. */
static void write_train(kfi_writing *writing) {
    const kfi_compiled *compiled = writing->training->compiled;
    const kfi_value total = write_measures(writing);
    if (kfi_formula_status(writing->formula) != KF_OK) return;
    int32_t n = 0;
    kfi_value *gradients = differentiate(writing, total, false, &n);
    if (!gradients) return;
    kfi_optimizer_clip(compiled->optimizer, writing->formula, gradients, n);
    writing->hyper = kfi_source(writing->formula, "hyper", KF_FLOAT32, &KFI_SHAPE(KFI_HYPER_COUNT));
    for (int32_t i = 0; i < n; i++) {
        kf_weight *weight = compiled->weights[i];
        const char *name = weight->layer ? weight->layer->name : weight->name;
        kfi_formula_scope(writing->formula, (kfi_scope){name, 0, KFI_UPDATE});
        if (!kfi_is_none(gradients[i]))
            kfi_optimizer_write(compiled->optimizer, writing->formula, weight, i, gradients[i],
                                writing->hyper);
    }
    kfi_free(gradients);
}

/* The results are the gradients there are, and places tells which is whose. */
static void write_gradients(kfi_writing *writing) {
    const int32_t n_weights = writing->training->compiled->n_weights;
    const kfi_value total = write_measures(writing);
    kfi_drop_assignments(writing->formula);
    if (kfi_formula_status(writing->formula) != KF_OK) return;
    int32_t n = 0;
    kfi_value *gradients = differentiate(writing, total, true, &n);
    if (!gradients) return;
    writing->n_results = 0;
    for (int32_t i = 0, next = 0; i < n_weights + writing->ports->n_inputs; i++) {
        writing->places[i] = -1;
        if (i >= n_weights && writing->ports->items[i - n_weights].dtype != KF_FLOAT32) continue;
        const kfi_value gradient = gradients[next++];
        if (kfi_is_none(gradient)) continue;
        writing->places[i] = writing->n_results;
        add_result(writing, gradient);
    }
    kfi_free(gradients);
}

const kfi_mode kfi_mode_train = {"train", true, true, true, write_train};
const kfi_mode kfi_mode_test = {"test", false, true, false, write_test};
const kfi_mode kfi_mode_predict = {"predict", false, false, false, write_outputs};
const kfi_mode kfi_mode_forward = {"forward", true, false, false, write_forward};
const kfi_mode kfi_mode_gradients = {"gradients", true, true, false, write_gradients};
