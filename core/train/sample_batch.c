#include "core/train/sample_batch.h"

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/status.h"

#include <string.h>

void kfi_sample_batch_free(kfi_sample_batch *batch) {
    for (int32_t i = 0; i < batch->ports.n; i++)
        kfi_free_buffer(batch->data[i], (size_t)batch->rows * batch->row_bytes[i]);
}

/* Numbers in [0, 1), labels below the number of classes; integer inputs stay 0, which every
 * vocabulary has. */
static void fill_random(const kf_model *model, const kfi_port *port, int32_t at, int64_t count,
                        void *data) {
    const kfi_random random = kfi_random_fold(kfi_graph_random(model->graph), (uint64_t)at);
    if (port->dtype == KF_FLOAT32) {
        kfi_random_uniform(random, 0, 1, data, count);
        return;
    }
    memset(data, 0, (size_t)count * sizeof(int32_t));
    if (!port->is_target) return;
    const kf_shape *shape = &model->outputs[port->index]->shape;
    const int64_t classes = shape->dims[shape->rank - 1];
    for (int64_t i = 0; i < count && classes > 0; i++)
        ((int32_t *)data)[i] =
            (int32_t)(kfi_random_block(random, (uint64_t)i).word[0] % (uint64_t)classes);
}

static kf_status fill(const kf_model *model, const kfi_feed *feed, kfi_sample_batch *batch) {
    for (int32_t i = 0; i < batch->ports.n; i++) {
        const kfi_port *port = &batch->ports.items[i];
        const int64_t count = kfi_shape_count(&port->shape);
        if (count < 0)
            return kfi_fail(KF_USAGE, "%s has shape %s: give data, its size depends on it",
                            port->name, kfi_shape_string(&port->shape));
        batch->row_bytes[i] = (size_t)count * kf_dtype_size(port->dtype);
        batch->data[i] = kfi_alloc_buffer((size_t)batch->rows * batch->row_bytes[i]);
        if (!batch->data[i]) return KF_MEMORY;
        if (!feed) fill_random(model, port, i, batch->rows * count, batch->data[i]);
    }
    return feed ? kfi_feed_read(feed, &(kfi_rows){0}, batch->rows, batch->data) : KF_OK;
}

kf_status kfi_sample_batch_make(const kfi_training *training, const kfi_mode *mode,
                                kf_dataset *data, int64_t rows, kfi_sample_batch *batch) {
    kfi_feed feed;
    *batch = (kfi_sample_batch){.rows = rows ? rows : 32};
    if (data && data->samples < batch->rows) batch->rows = data->samples;
    if (batch->rows < 1) return kfi_fail(KF_USAGE, "there are no samples to measure with");
    kf_status status = kfi_ports_of(training, mode->targets, &batch->ports);
    if (status == KF_OK && data) status = kfi_feed_match(&batch->ports, data, &feed);
    if (status == KF_OK && data) batch->ports = feed.ports;
    return status == KF_OK ? fill(training->model, data ? &feed : NULL, batch) : status;
}
