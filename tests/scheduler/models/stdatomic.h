/* C11's atomics, said to relacy: with this folder in front of the system's, the scheduler's sources
 * compile as C++ and every atomic access becomes a step that relacy orders. Here alone. */
#ifndef KFI_TESTS_MODELS_STDATOMIC_H
#define KFI_TESTS_MODELS_STDATOMIC_H

#include <relacy/relacy.hpp>

#define _Atomic(type) rl::atomic<type>
#define _Alignas(bytes)
#define _Static_assert(...) static_assert(true, "sizes are those of the C build")

using rl::memory_order;
#undef memory_order_relaxed /* relacy has its own, of another shape */
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#define memory_order_relaxed rl::mo_relaxed
#define memory_order_acquire rl::mo_acquire
#define memory_order_release rl::mo_release
#define memory_order_acq_rel rl::mo_acq_rel
#define memory_order_seq_cst rl::mo_seq_cst

#define atomic_init(object, value)                      (*(object))(RL_INFO).store(value, rl::mo_relaxed)
#define atomic_store(object, value)                     (*(object))(RL_INFO).store(value, rl::mo_seq_cst)
#define atomic_load_explicit(object, order)             (*(object))(RL_INFO).load(order)
#define atomic_store_explicit(object, value, order)     (*(object))(RL_INFO).store(value, order)
#define atomic_fetch_add_explicit(object, value, order) (*(object))(RL_INFO).fetch_add(value, order)
#define atomic_fetch_sub_explicit(object, value, order) (*(object))(RL_INFO).fetch_sub(value, order)
#define atomic_fetch_or_explicit(object, value, order)  (*(object))(RL_INFO).fetch_or(value, order)
#define atomic_fetch_and_explicit(object, value, order) (*(object))(RL_INFO).fetch_and(value, order)

#endif
