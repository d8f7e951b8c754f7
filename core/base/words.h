/* The words of object texts, and numbers with a point whatever the caller's locale says: for
 * object_parse.c and object_print.c. */
#ifndef KFI_BASE_WORDS_H
#define KFI_BASE_WORDS_H

#include <ctype.h>
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns the caller's locale, to be put back by uselocale. */
static inline locale_t kfi_enter_c_locale(void) {
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)); /* "C" is static: never freed */
}

static inline bool kfi_begins_word(char c) { return isalpha((unsigned char)c) || c == '_'; }

static inline size_t kfi_word_length(const char *text) {
    size_t length = 0;
    if (!kfi_begins_word(text[0])) return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_') length++;
    return length;
}

static inline bool kfi_is_word(const char *text) {
    const size_t length = kfi_word_length(text);
    return length > 0 && !text[length];
}

#endif
