#include "ops/kernels/denormals.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
enum { FLUSH = 0x8000 | 0x0040 }; /* flush to zero, denormals are zero */
static uint64_t get_control(void) { return _mm_getcsr(); }
static void set_control(uint64_t control) { _mm_setcsr((unsigned)control); }
#elif defined(__aarch64__)
enum { FLUSH = 1 << 24 }; /* FZ */
static uint64_t get_control(void) {
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
}
static void set_control(uint64_t control) { __asm__ volatile("msr fpcr, %0" : : "r"(control)); }
#else
enum { FLUSH = 0 };
static uint64_t get_control(void) { return 0; }
static void set_control(uint64_t control) { (void)control; }
#endif

static _Thread_local int depth;
static _Thread_local uint64_t saved;

void kfi_denormals_enter(void) {
    if (depth++ > 0) return;
    saved = get_control();
    set_control(saved | FLUSH);
}

void kfi_denormals_leave(void) {
    if (--depth == 0) set_control(saved);
}
