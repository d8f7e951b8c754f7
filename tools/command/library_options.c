#include "library_options.h"

#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- rows of a table -------------------------------------------------------------------------- */

static const struct {
    const char *holds;
    const tool_option_type *type;
    const char *argument;
} members[] = {
    {"int64_t", &tool_integer, "N"}, {"int32_t", &tool_int32, "N"},
    {"uint64_t", &tool_seed, "N"},   {"double", &tool_real, "NUMBER"},
    {"bool", &tool_flag, NULL},      {"const char *", &tool_text, "TEXT"},
};
enum { N_MEMBERS = sizeof members / sizeof *members, MOST = 32, LONGEST = 32 };

/* The tables of a command point here. */
static char names[MOST][LONGEST];
static int32_t n_names;

static const char *dashed(const char *name) {
    char *copy = names[n_names++];
    snprintf(copy, LONGEST, "%s", name);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '_') *at = '-';
    return copy;
}

static tool_option row_of(const kf_option *option, size_t offset, int member) {
    const bool choice = option->choices != NULL;
    return (tool_option){.name = dashed(option->name),
                         .argument = choice ? option->choices : members[member].argument,
                         .type = choice ? &tool_choice : members[member].type,
                         .offset = offset + option->offset,
                         .low = option->low,
                         .high = option->high < option->low ? (double)INFINITY : option->high,
                         .choices = option->choices,
                         .otherwise = option->otherwise,
                         .help = option->help};
}

kf_status tool_add_library_options(const char *kind, size_t offset, tool_option *rows,
                                   int32_t room) {
    int32_t n = 0;
    while (rows[n].name != NULL) n++;
    for (int32_t i = 0; i < kf_options(kind, kind); i++) {
        kf_option option;
        const kf_status status = tool_fail_kf(kf_option_at(kind, kind, i, &option));
        if (status != KF_OK) return status;
        for (int member = 0; member < N_MEMBERS && option.holds != NULL; member++) {
            if (strcmp(members[member].holds, option.holds) != 0) continue;
            if (n + 1 >= room || n_names == MOST)
                return tool_fail(KF_USAGE, "%s has more options than there is room for", kind);
            rows[n++] = row_of(&option, offset, member);
        }
    }
    rows[n] = (tool_option)TOOL_OPTIONS_END;
    return KF_OK;
}

/* --- help ------------------------------------------------------------------------------------- */

static const struct {
    const char *topic, *kind, *what;
} topics[] = {
    {"optimizers", "optimizer", "for --optimizer: adam(lr=0.01)"},
    {"losses", "loss", "for --loss"},
    {"metrics", "metric", "for --metrics, beside \"accuracy\" and every loss"},
    {"callbacks", "callback", "for --callback: early_stopping(patience=3)"},
    {"preparations", "preparation", "for --prepare FIELD=…: image=augment(flip=True)"},
};
enum { N_TOPICS = sizeof topics / sizeof *topics };

void tool_print_topics(void) {
    for (int i = 0; i < N_TOPICS; i++) printf("  %-12s %s\n", topics[i].topic, topics[i].what);
}

static void print_option(const kf_option *option) {
    printf("  %-22s %s", option->name, option->choices != NULL ? option->choices : option->type);
    if (option->otherwise == NULL)
        printf(", required");
    else if (strcmp(option->otherwise, "None") != 0)
        printf(", default %s", option->otherwise);
    if (option->help != NULL) printf(": %s", option->help);
    printf("\n");
}

static void print_owner(const char *kind, const char *name) {
    printf("%s\n", name);
    const int32_t n = kf_options(kind, name);
    for (int32_t i = 0; i < n; i++) {
        kf_option option;
        if (kf_option_at(kind, name, i, &option) == KF_OK) print_option(&option);
    }
}

static void print_kind(int topic) {
    printf("%s, %s:\n", topics[topic].topic, topics[topic].what);
    const char *name;
    for (int32_t i = 0; (name = kf_option_owner(topics[topic].kind, i)) != NULL; i++)
        print_owner(topics[topic].kind, name);
}

void tool_print_topic(const char *topic, bool *known) {
    *known = false;
    for (int i = 0; i < N_TOPICS; i++) {
        if (strcmp(topics[i].topic, topic) == 0 || strcmp(topics[i].kind, topic) == 0) {
            print_kind(i);
            *known = true;
        } else if (kf_options(topics[i].kind, topic) >= 0) {
            print_owner(topics[i].kind, topic);
            *known = true;
        }
    }
}
