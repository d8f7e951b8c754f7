/* Keras's preprocess_weights_for_loading: what files of other versions, backends and of cuDNN's
 * layers call by the same name but write in another order.
 *
 *     Keras 1    an LSTM has 12 arrays, a GRU 9, one for each gate; kernels of channels_first
 *                convolutions have the channels first, those of Conv1D a fourth axis
 *     Theano     convolutions flip their kernels, so every spatial axis is reversed
 *     cuDNN      kernels are transposed within each gate, and there are two biases */
#include "core/model/weight_source.h"

#include "core/base/memory.h"

#include <string.h>

static const char *class_of(const kf_weight *weight) {
    return weight->layer ? weight->layer->class->name : "";
}

static bool is_class(const kf_weight *weight, const char *name) {
    return strcmp(class_of(weight), name) == 0;
}

static bool is_convolution(const kf_weight *weight) {
    static const char *const names[] = {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose",
                                        "ConvLSTM2D"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_class(weight, names[i])) return true;
    return false;
}

/* Files of Keras 1 say so only at the root, and weights alone say nothing at all. */
static bool is_keras1(const kfi_keras_file *file) {
    const char *version = file->keras_version;
    return !version || version[0] == '0' || version[0] == '1';
}

static bool is_channels_first(const kf_layer *layer) {
    const char *format = NULL;
    for (const kfi_field *field = layer->class->fields; field && field->name; field++)
        if (strcmp(field->name, "data_format") == 0)
            format = *(char *const *)((const char *)layer->options + field->offset);
    return format && strcmp(format, "channels_first") == 0;
}

/* --- swapping axes ---------------------------------------------------------------------------- */

static void swap_axes(const kfi_weight_source *source, const kf_shape *stored, const float *from,
                      float *to) {
    const int rank = stored->rank;
    int64_t stride[KF_MAX_RANK], index[KF_MAX_RANK] = {0}, dims[KF_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        dims[i] = stored->dims[source->axes[i]];
        stride[i] = kfi_shape_product(stored, source->axes[i] + 1, rank);
    }
    const int64_t count = kfi_shape_product(stored, 0, rank);
    for (int64_t i = 0, at = 0; i < count; i++) {
        to[i] = from[at];
        for (int axis = rank - 1; axis >= 0; axis--) {
            at += stride[axis];
            if (++index[axis] < dims[axis]) break;
            at -= stride[axis] * dims[axis];
            index[axis] = 0;
        }
    }
}

static void set_axes(kfi_weight_source *source, const int32_t *axes) {
    const kf_shape stored = source->parts[0]->shape;
    source->arrange = swap_axes;
    for (int i = 0; i < stored.rank; i++) {
        source->axes[i] = axes[i];
        source->shape.dims[i] = stored.dims[axes[i]];
    }
}

/* (steps, 1, in, filters), or before that (filters, in, steps, 1), is (steps, in, filters). */
static void convert_conv1d(kfi_weight_source *source) {
    static const int32_t oldest[] = {2, 3, 1, 0};
    const kf_shape *wanted = &source->weight->shape;
    const int64_t *dims = source->shape.dims;
    if (wanted->rank != 3 || source->shape.rank != 4) return;
    if (dims[0] != wanted->dims[0] || dims[1] != 1 || dims[3] != wanted->dims[2])
        set_axes(source, oldest);
    source->shape = KFI_SHAPE(dims[0], dims[2], dims[3]);
}

static void convert_keras1_kernel(kfi_weight_source *source) {
    static const struct {
        const char *class_name;
        bool channels_first;
        int32_t axes[5];
    } orders[] = {
        {"Conv2D", true, {2, 3, 1, 0}},          {"ConvLSTM2D", true, {2, 3, 1, 0}},
        {"Conv2DTranspose", true, {2, 3, 0, 1}}, {"Conv2DTranspose", false, {0, 1, 3, 2}},
        {"Conv3D", true, {2, 3, 4, 1, 0}},
    };
    const kf_weight *weight = source->weight;
    if (is_class(weight, "Conv1D")) convert_conv1d(source);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (is_class(weight, orders[i].class_name) && weight->shape.rank >= 4 &&
            source->shape.rank == weight->shape.rank &&
            is_channels_first(weight->layer) == orders[i].channels_first)
            set_axes(source, orders[i].axes);
}

/* Keras's last resort for a kernel of another shape. */
static void convert_theano_order(kfi_weight_source *source) {
    static const int32_t axes[] = {3, 2, 0, 1};
    if (source->arrange || source->n_parts != 1) return;
    if (source->shape.rank == 4 && source->weight->shape.rank == 4 &&
        !kfi_shape_equal(&source->shape, &source->weight->shape))
        set_axes(source, axes);
}

/* Together the spatial axes are the order of all positions, each (in, out) matrix staying as it is.
 */
static void flip(const kf_shape *shape, float *values) {
    const int rank = shape->rank;
    const int64_t matrix = kfi_shape_product(shape, rank - 2, rank);
    const int64_t positions = kfi_shape_product(shape, 0, rank - 2);
    for (int64_t i = 0; i < positions / 2; i++) {
        float *a = values + i * matrix, *b = values + (positions - 1 - i) * matrix;
        for (int64_t k = 0; k < matrix; k++) {
            const float kept = a[k];
            a[k] = b[k];
            b[k] = kept;
        }
    }
}

/* --- cuDNN ------------------------------------------------------------------------------------ */

/* Within each gate the numbers of (in, units) are those of (units, in) read along. */
static void arrange_cudnn_kernel(const kfi_weight_source *source, const kf_shape *stored,
                                 const float *from, float *to) {
    (void)source;
    const int64_t rows = stored->dims[0], all = stored->dims[1];
    const int64_t units = source->axes[0];
    for (int64_t gate = 0; gate < all; gate += units)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < units; j++) {
                const int64_t k = i + j * rows; /* place in the gate's matrix, row by row */
                to[i * all + gate + j] = from[k / units * all + gate + k % units];
            }
}

/* What an LSTM adds together; a GRU with reset_after keeps the two apart. */
static void arrange_cudnn_bias(const kfi_weight_source *source, const kf_shape *stored,
                               const float *from, float *to) {
    const int64_t all = stored->dims[0];
    const bool together = source->weight->shape.rank == 1;
    const int64_t half = all / 2;
    for (int64_t i = 0; i < (together ? half : all); i++)
        to[i] = together ? from[i] + from[half + i] : from[i];
}

/* cuDNN's layers show by the size of their bias, twice that of Keras's own. */
static void convert_cudnn(kfi_weight_source *sources, int64_t count) {
    const bool lstm = is_class(sources[0].weight, "LSTM");
    if (count != 3 || (!lstm && !is_class(sources[0].weight, "GRU"))) return;
    const kf_shape *bias = &sources[2].weight->shape, *stored = &sources[2].shape;
    const int64_t units = sources[1].weight->shape.dims[0], n_gates = lstm ? 4 : 3;
    if (stored->rank != 1 || stored->dims[0] != 2 * n_gates * units) return;
    if (!lstm && bias->rank != 2) return; /* without reset_after it cannot be told apart */
    for (int i = 0; i < 2; i++) {
        if (!kfi_shape_equal(&sources[i].shape, &sources[i].weight->shape)) return;
        sources[i].arrange = arrange_cudnn_kernel;
        sources[i].axes[0] = (int32_t)units;
    }
    sources[2].arrange = arrange_cudnn_bias;
    sources[2].shape = *bias;
}

/* --- sources ---------------------------------------------------------------------------------- */

/* Keras 1 has arrays by gate: W, U and b of each, an LSTM's in the order i, c, f, o. NULL: not so.
 */
static const int32_t *gate_order(const kf_weight *weight, int64_t count, int32_t *n_gates) {
    static const int32_t lstm[] = {0, 2, 1, 3}, gru[] = {0, 1, 2};
    if (count != 3) return NULL;
    *n_gates = is_class(weight, "GRU") ? 3 : 4;
    if (is_class(weight, "GRU")) return gru;
    return is_class(weight, "LSTM") || is_class(weight, "ConvLSTM2D") ? lstm : NULL;
}

static void join_gates(const kfi_keras_weight *saved, const int32_t *order, int32_t n_gates,
                       kfi_weight_source *sources) {
    for (int32_t which = 0; which < 3; which++) { /* kernel, recurrent kernel, bias */
        kfi_weight_source *source = &sources[which];
        source->n_parts = n_gates;
        for (int32_t gate = 0; gate < n_gates; gate++)
            source->parts[gate] = &saved[3 * order[gate] + which];
        source->shape = source->parts[0]->shape;
    }
}

static void widen(kfi_weight_source *source) {
    const int last = source->shape.rank - 1;
    for (int32_t i = 1; i < source->n_parts; i++) {
        const kf_shape *part = &source->parts[i]->shape;
        if (last < 0 || part->rank != source->parts[0]->shape.rank ||
            !kfi_shape_equal(part, &source->parts[0]->shape))
            source->shape = KFI_SCALAR; /* it fits no weight that has gates */
    }
    if (source->n_parts > 1 && source->shape.rank > 0) source->shape.dims[last] *= source->n_parts;
}

static void convert(const kfi_keras_file *file, kfi_weight_source *sources, int64_t count) {
    const bool theano = file->backend && strcmp(file->backend, "theano") == 0;
    for (int64_t i = 0; i < count; i++) {
        kfi_weight_source *source = &sources[i];
        const bool kernel = is_convolution(source->weight) && source->weight->shape.rank >= 3;
        if (kernel && is_keras1(file)) convert_keras1_kernel(source);
        widen(source);
        if (kernel) convert_theano_order(source);
        source->flipped = kernel && theano;
    }
    convert_cudnn(sources, count);
}

/* How many weights from `first` on belong to the same layer. */
static int64_t count_own(kf_weight *const *weights, int64_t first, int64_t n_weights) {
    int64_t end = first + 1;
    while (end < n_weights && weights[end]->layer == weights[first]->layer) end++;
    return end - first;
}

kf_status kfi_weight_sources(const kfi_keras_file *file, const kfi_keras_layer *saved,
                             kf_weight *const *weights, int64_t n_weights,
                             kfi_weight_source *sources, int64_t *n_sources) {
    *n_sources = 0;
    const bool by_gates = is_keras1(file) && saved->n_weights > n_weights;
    int64_t next = 0;
    for (int64_t first = 0, own; first < n_weights; first += own) {
        own = count_own(weights, first, n_weights);
        int32_t n_gates = 0;
        const int32_t *order = by_gates ? gate_order(weights[first], own, &n_gates) : NULL;
        const int64_t taken = order ? 3 * n_gates : own;
        if (next + taken > saved->n_weights) return KF_OK;
        for (int64_t i = 0; i < own; i++) {
            sources[first + i] = (kfi_weight_source){.weight = weights[first + i], .n_parts = 1};
            sources[first + i].parts[0] = &saved->weights[next + i];
            sources[first + i].shape = saved->weights[next + i].shape;
        }
        if (order) join_gates(&saved->weights[next], order, n_gates, &sources[first]);
        convert(file, &sources[first], own);
        next += taken;
    }
    if (next == saved->n_weights) *n_sources = n_weights;
    return KF_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Part i of n, arranged, between the others. */
static void put_part(const kfi_weight_source *source, int32_t i, const float *part, float *values) {
    const int64_t width = source->shape.dims[source->shape.rank - 1] / source->n_parts;
    const int64_t rows = kfi_shape_product(&source->shape, 0, source->shape.rank - 1);
    for (int64_t row = 0; row < rows; row++)
        memcpy(values + (row * source->n_parts + i) * width, part + row * width,
               (size_t)width * sizeof *part);
}

static kf_status read_parts(kfi_keras_file *file, const kfi_weight_source *source, float *values) {
    const kf_shape *stored = &source->parts[0]->shape;
    const int64_t count = kfi_shape_count(stored);
    float *room = kfi_alloc((size_t)count, 2 * sizeof *room);
    if (!room) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < source->n_parts && status == KF_OK; i++) {
        float *part = room, *arranged = source->n_parts == 1 ? values : room + count;
        status = kfi_keras_read_weight(file, source->parts[i], KF_FLOAT32, part);
        if (status != KF_OK) break;
        if (source->arrange)
            source->arrange(source, stored, part, arranged);
        else
            arranged = part;
        if (source->n_parts > 1) put_part(source, i, arranged, values);
    }
    kfi_free(room);
    return status;
}

kf_status kfi_weight_source_read(kfi_keras_file *file, const kfi_weight_source *source,
                                 float *values) {
    const bool plain = source->n_parts == 1 && !source->arrange;
    const kf_status status = plain
                                 ? kfi_keras_read_weight(file, source->parts[0], KF_FLOAT32, values)
                                 : read_parts(file, source, values);
    if (status == KF_OK && source->flipped) flip(&source->weight->shape, values);
    return status;
}
