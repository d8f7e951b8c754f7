#include "options.h"

#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool outside(const tool_option *option, double value) {
    return (option->low != 0 || option->high != 0) &&
           !(value >= option->low && value <= option->high);
}

static kf_status refuse_range(const tool_option *option, const char *text) {
    if (isinf(option->high))
        return tool_fail(KF_USAGE, "--%s must be at least %g; got '%s'", option->name, option->low,
                         text);
    return tool_fail(KF_USAGE, "--%s must be between %g and %g; got '%s'", option->name,
                     option->low, option->high, text);
}

static kf_status store_flag(const tool_option *option, void *member, const char *text) {
    (void)option, (void)text;
    *(bool *)member = true;
    return KF_OK;
}

static kf_status store_integer(const tool_option *option, void *member, const char *text) {
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return tool_fail(KF_USAGE, "--%s must be a whole number; got '%s'", option->name, text);
    if (outside(option, (double)value)) return refuse_range(option, text);
    *(int64_t *)member = value;
    return KF_OK;
}

static kf_status store_int32(const tool_option *option, void *member, const char *text) {
    int64_t value = 0;
    const kf_status status = store_integer(option, &value, text);
    if (status != KF_OK) return status;
    if (value != (int32_t)value)
        return tool_fail(KF_USAGE, "--%s: %s is too large", option->name, text);
    *(int32_t *)member = (int32_t)value;
    return KF_OK;
}

static kf_status store_seed(const tool_option *option, void *member, const char *text) {
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || strchr(text, '-') != NULL)
        return tool_fail(KF_USAGE, "--%s must be a whole number of at most 64 bits; got '%s'",
                         option->name, text);
    *(uint64_t *)member = value;
    return KF_OK;
}

static kf_status store_real(const tool_option *option, void *member, const char *text) {
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return tool_fail(KF_USAGE, "--%s must be a number; got '%s'", option->name, text);
    if (outside(option, value)) return refuse_range(option, text);
    *(double *)member = value;
    return KF_OK;
}

static kf_status store_text(const tool_option *option, void *member, const char *text) {
    (void)option;
    *(const char **)member = text;
    return KF_OK;
}

static kf_status store_choice(const tool_option *option, void *member, const char *text) {
    const size_t length = strlen(text);
    for (const char *choice = option->choices; choice != NULL;) {
        const char *bar = strchr(choice, '|');
        const size_t size = bar != NULL ? (size_t)(bar - choice) : strlen(choice);
        if (size == length && memcmp(choice, text, size) == 0) {
            *(const char **)member = text;
            return KF_OK;
        }
        choice = bar != NULL ? bar + 1 : NULL;
    }
    return tool_fail(KF_USAGE, "--%s must be one of %s; got '%s'", option->name, option->choices,
                     text);
}

static kf_status store_texts(const tool_option *option, void *member, const char *text) {
    tool_list *list = member;
    if (list->count == TOOL_MAX_LIST)
        return tool_fail(KF_USAGE, "--%s was given more than %d times", option->name,
                         TOOL_MAX_LIST);
    list->items[list->count++] = text;
    return KF_OK;
}

const tool_option_type tool_flag = {0, store_flag}, tool_integer = {1, store_integer},
                       tool_int32 = {1, store_int32}, tool_seed = {1, store_seed},
                       tool_real = {1, store_real}, tool_text = {1, store_text},
                       tool_choice = {1, store_choice}, tool_texts = {1, store_texts};

/* Values that say nothing by themselves are not worth a word. */
static bool says(const char *otherwise) {
    return otherwise != NULL && strcmp(otherwise, "None") != 0 && strcmp(otherwise, "False") != 0;
}

static void print_option(const tool_option *option) {
    char left[80];
    snprintf(left, sizeof left, "--%s %s", option->name,
             option->argument != NULL ? option->argument : "");
    printf("  %-28s", left);
    if (strlen(left) > 28) printf("\n%30s", "");
    const bool has_default = says(option->otherwise);
    printf(" %s%s%s\n", option->help, has_default ? "; default " : "",
           has_default ? option->otherwise : "");
}

void tool_print_help(const tool_command *command) {
    printf("usage: %s %s [options]\n\n%s\n", command->name, command->arguments, command->purpose);
    if (command->notes != NULL) printf("\n%s", command->notes);
    printf("\noptions:\n");
    for (const tool_option *option = command->options; option->name != NULL; option++)
        print_option(option);
    printf("  %-28s %s\n", "--help", "this text");
}

enum { HELP = 1, FIRST = 256 };

/* --- what was probably meant ------------------------------------------------------------------ */

enum { LONGEST_WORD = 40 };

/* How many letters have to be put in, left out, replaced, or swapped with the next (Damerau 1964).
 */
static int distance(const char *a, const char *b) {
    int rows[3]
            [LONGEST_WORD + 1]; /* of the prefix of a, of the one before, of the one before that */
    const int n = (int)strlen(b);
    for (int j = 0; j <= n; j++) rows[0][j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int *const now = rows[i % 3], *const last = rows[(i + 2) % 3],
                   *const older = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int least = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < least) least = last[j] + 1;
            if (now[j - 1] + 1 < least) least = now[j - 1] + 1;
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && older[j - 2] + 1 < least) least = older[j - 2] + 1;
            now[j] = least;
        }
    }
    return rows[strlen(a) % 3][n];
}

const char *tool_nearest(const char *word, const char *const *names, int32_t n) {
    const char *nearest = NULL;
    int least = 1 + (int)strlen(word) / 4;
    for (int32_t i = 0; i < n; i++) {
        if (strlen(word) > LONGEST_WORD || strlen(names[i]) > LONGEST_WORD) continue;
        const int far = distance(word, names[i]);
        if (far > least || (far == least && nearest != NULL)) continue;
        nearest = names[i];
        least = far;
    }
    return nearest;
}

/* --- parsing ---------------------------------------------------------------------------------- */

/* getopt_long's own table; values from FIRST are places in ours. */
static void fill_getopt(const tool_option *options, struct option *table) {
    int n = 0;
    for (; options[n].name != NULL && n < TOOL_MAX_OPTIONS; n++)
        table[n] = (struct option){options[n].name, options[n].type->takes_text, NULL, FIRST + n};
    table[n++] = (struct option){"help", no_argument, NULL, HELP};
    table[n] = (struct option){0};
}

static kf_status refuse_unknown(const tool_command *command, const char *word) {
    const char *names[TOOL_MAX_OPTIONS];
    char bare[LONGEST_WORD + 1];
    int32_t n = 0;
    for (; command->options[n].name != NULL && n < TOOL_MAX_OPTIONS; n++)
        names[n] = command->options[n].name;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *meant = tool_nearest(bare, names, n);
    if (meant == NULL)
        return tool_fail(KF_USAGE, "unknown option '%s'; see '%s --help'", word, command->name);
    return tool_fail(KF_USAGE, "unknown option '%s'; did you mean --%s? see '%s --help'", word,
                     meant, command->name);
}

static kf_status refuse_option(const tool_command *command, int found, char **argv) {
    const char *word = argv[optind - 1];
    if (found == ':')
        return tool_fail(KF_USAGE, "option '%s' needs a value; see '%s --help'", word,
                         command->name);
    if (optopt == 0) return refuse_unknown(command, word);
    if (optopt == HELP || optopt >= FIRST)
        return tool_fail(KF_USAGE, "option '%s' takes no value", word);
    return tool_fail(KF_USAGE, "unknown option '-%c'; see '%s --help'", optopt, command->name);
}

kf_status tool_parse(const tool_command *command, int argc, char **argv, void *to, int *first,
                     bool *helped) {
    struct option table[TOOL_MAX_OPTIONS + 2];
    fill_getopt(command->options, table);
    *helped = false;
    optind = 0; /* GNU: a scan from the start, also after an earlier one */
    for (int found; (found = getopt_long(argc, argv, ":h", table, NULL)) != -1;) {
        if (found == '?' || found == ':') return refuse_option(command, found, argv);
        if (found == HELP || found == 'h') {
            tool_print_help(command);
            *helped = true;
            return KF_OK;
        }
        const tool_option *option = &command->options[found - FIRST];
        const kf_status status = option->type->store(option, (char *)to + option->offset, optarg);
        if (status != KF_OK) return status;
    }
    *first = optind;
    if (argc - optind < command->least || argc - optind > command->most)
        return tool_fail(KF_USAGE, "expected %s %s; got %d argument%s; see '%s --help'",
                         command->name, command->arguments, argc - optind,
                         argc - optind == 1 ? "" : "s", command->name);
    return KF_OK;
}

/* The first `wanted` outside of brackets, or the end of the text. */
static const char *find_outside(const char *text, char wanted) {
    int depth = 0;
    for (; *text != '\0'; text++) {
        if (*text == '(' || *text == '[') depth++;
        if (*text == ')' || *text == ']') depth--;
        if (*text == wanted && depth <= 0) break;
    }
    return text;
}

kf_status tool_split(const char *text,
                     kf_status (*item)(void *context, const char *key, const char *value),
                     void *context) {
    for (;;) {
        const char *end = find_outside(text, ',');
        char piece[256];
        if ((size_t)(end - text) >= sizeof piece)
            return tool_fail(KF_USAGE, "'%.40s…' is too long", text);
        memcpy(piece, text, (size_t)(end - text));
        piece[end - text] = '\0';
        char *equals = (char *)find_outside(piece, '=');
        const bool named = *equals == '=';
        if (named) *equals = '\0';
        const kf_status status =
            named ? item(context, piece, equals + 1) : item(context, NULL, piece);
        if (status != KF_OK || *end == '\0') return status;
        text = end + 1;
    }
}
