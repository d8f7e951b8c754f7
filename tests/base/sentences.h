/* A test is a sentence and a function that can prove it wrong. */
#ifndef KF_TESTS_BASE_SENTENCES_H
#define KF_TESTS_BASE_SENTENCES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SENTENCE(sentence, function)                                                               \
    { sentence, function, NULL, NULL, NULL }

#endif
