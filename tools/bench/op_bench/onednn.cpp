/* oneDNN with the memory layouts that it chooses itself: putting data into them is not timed. */
#include "peer.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>

using dnnl::memory;
using tag = memory::format_tag;
using arguments = std::unordered_map<int, memory>;

namespace {

constexpr auto f32 = memory::data_type::f32;

dnnl::engine &engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

double now() {
    using clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

memory filled(const memory::desc &description) {
    memory made(description, engine());
    const size_t count = description.get_size() / sizeof(float);
    auto *values = static_cast<float *>(made.get_data_handle());
    for (size_t i = 0; i < count; i++) values[i] = 0.1f * (static_cast<float>(i % 19) - 9) / 9;
    return made;
}

double best_ms(const dnnl::primitive &primitive, const arguments &given, double seconds) {
    dnnl::stream stream(engine());
    double best = INFINITY;
    const double begin = now();
    do {
        const double start = now();
        primitive.execute(stream, given);
        stream.wait();
        best = std::fmin(best, 1e3 * (now() - start));
    } while (now() - begin < seconds);
    return best;
}

struct convolution {
    memory::desc x, w, y;
    memory::dims stride{1, 1}, before;

    explicit convolution(const bench_peer_conv_shape &s) : before{s.before, s.before} {
        const long seen = s.side + 2 * s.before - s.window + 1;
        x = {{s.batch, s.in, s.side, s.side}, f32, tag::any};
        w = {{s.out, s.in, s.window, s.window}, f32, tag::any};
        y = {{s.batch, s.out, seen, seen}, f32, tag::any};
    }

    dnnl::convolution_forward::primitive_desc forward() const {
        return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, x, w, y,
                 stride, before, before},
                engine()};
    }
};

double time_forward(const convolution &c, double seconds) {
    const auto how = c.forward();
    return best_ms(dnnl::convolution_forward(how),
                   {{DNNL_ARG_SRC, filled(how.src_desc())},
                    {DNNL_ARG_WEIGHTS, filled(how.weights_desc())},
                    {DNNL_ARG_DST, filled(how.dst_desc())}},
                   seconds);
}

double time_data_gradient(const convolution &c, double seconds) {
    const dnnl::convolution_backward_data::primitive_desc how(
        {dnnl::algorithm::convolution_direct, c.x, c.w, c.y, c.stride, c.before, c.before},
        engine(), c.forward());
    return best_ms(dnnl::convolution_backward_data(how),
                   {{DNNL_ARG_DIFF_SRC, filled(how.diff_src_desc())},
                    {DNNL_ARG_WEIGHTS, filled(how.weights_desc())},
                    {DNNL_ARG_DIFF_DST, filled(how.diff_dst_desc())}},
                   seconds);
}

double time_weight_gradient(const convolution &c, double seconds) {
    const dnnl::convolution_backward_weights::primitive_desc how(
        {dnnl::algorithm::convolution_direct, c.x, c.w, c.y, c.stride, c.before, c.before},
        engine(), c.forward());
    return best_ms(dnnl::convolution_backward_weights(how),
                   {{DNNL_ARG_SRC, filled(how.src_desc())},
                    {DNNL_ARG_DIFF_WEIGHTS, filled(how.diff_weights_desc())},
                    {DNNL_ARG_DIFF_DST, filled(how.diff_dst_desc())}},
                   seconds);
}

struct lstm {
    memory::desc x, state, w, u, bias, y;
    static constexpr auto direction = dnnl::rnn_direction::unidirectional_left2right;

    explicit lstm(const bench_peer_lstm_shape &s) {
        x = {{s.steps, s.batch, s.in}, f32, tag::tnc};
        state = {{1, 1, s.batch, s.units}, f32, tag::ldnc};
        w = {{1, 1, s.in, 4, s.units}, f32, tag::any};
        u = {{1, 1, s.units, 4, s.units}, f32, tag::any};
        bias = {{1, 1, 4, s.units}, f32, tag::ldgo};
        y = {{s.steps, s.batch, s.units}, f32, tag::tnc};
    }

    dnnl::lstm_forward::primitive_desc forward() const {
        return {{dnnl::prop_kind::forward_training, direction, x, state, state, w, u, bias, y,
                 state, state},
                engine()};
    }

    arguments operands(const dnnl::lstm_forward::primitive_desc &how) const {
        return {{DNNL_ARG_SRC_LAYER, filled(x)},
                {DNNL_ARG_SRC_ITER, filled(state)},
                {DNNL_ARG_SRC_ITER_C, filled(state)},
                {DNNL_ARG_WEIGHTS_LAYER, filled(how.weights_layer_desc())},
                {DNNL_ARG_WEIGHTS_ITER, filled(how.weights_iter_desc())},
                {DNNL_ARG_BIAS, filled(bias)},
                {DNNL_ARG_DST_LAYER, filled(y)},
                {DNNL_ARG_DST_ITER, filled(state)},
                {DNNL_ARG_DST_ITER_C, filled(state)},
                {DNNL_ARG_WORKSPACE, memory(how.workspace_desc(), engine())}};
    }
};

/* The way forward is run once before, to fill the workspace. */
double time_lstm_backward(const lstm &l, double seconds) {
    const auto forward = l.forward();
    const dnnl::lstm_backward::primitive_desc how({dnnl::prop_kind::backward,
                                                   lstm::direction,
                                                   l.x,
                                                   l.state,
                                                   l.state,
                                                   l.w,
                                                   l.u,
                                                   l.bias,
                                                   l.y,
                                                   l.state,
                                                   l.state,
                                                   l.x,
                                                   l.state,
                                                   l.state,
                                                   l.w,
                                                   l.u,
                                                   l.bias,
                                                   l.y,
                                                   l.state,
                                                   l.state},
                                                  engine(), forward);
    arguments given = l.operands(forward);
    best_ms(dnnl::lstm_forward(forward), given, 0);
    given[DNNL_ARG_WEIGHTS_LAYER] = filled(how.weights_layer_desc());
    given[DNNL_ARG_WEIGHTS_ITER] = filled(how.weights_iter_desc());
    given[DNNL_ARG_DIFF_SRC_LAYER] = filled(l.x);
    given[DNNL_ARG_DIFF_SRC_ITER] = filled(l.state);
    given[DNNL_ARG_DIFF_SRC_ITER_C] = filled(l.state);
    given[DNNL_ARG_DIFF_WEIGHTS_LAYER] = filled(how.diff_weights_layer_desc());
    given[DNNL_ARG_DIFF_WEIGHTS_ITER] = filled(how.diff_weights_iter_desc());
    given[DNNL_ARG_DIFF_BIAS] = filled(l.bias);
    given[DNNL_ARG_DIFF_DST_LAYER] = filled(l.y);
    given[DNNL_ARG_DIFF_DST_ITER] = filled(l.state);
    given[DNNL_ARG_DIFF_DST_ITER_C] = filled(l.state);
    return best_ms(dnnl::lstm_backward(how), given, seconds);
}

} // namespace

const char *bench_peer_name(void) {
    static std::string name;
    const dnnl_version_t *version = dnnl_version();
    name = "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
    return name.c_str();
}

double bench_peer_conv(const bench_peer_conv_shape *shape, double seconds) try {
    omp_set_num_threads(1);
    const convolution c(*shape);
    return shape->pass == 0   ? time_forward(c, seconds)
           : shape->pass == 1 ? time_data_gradient(c, seconds)
                              : time_weight_gradient(c, seconds);
} catch (const dnnl::error &) { return NAN; }

double bench_peer_lstm(const bench_peer_lstm_shape *shape, double seconds) try {
    omp_set_num_threads(1);
    const lstm l(*shape);
    if (shape->backward) return time_lstm_backward(l, seconds);
    const auto how = l.forward();
    return best_ms(dnnl::lstm_forward(how), l.operands(how), seconds);
} catch (const dnnl::error &) { return NAN; }
