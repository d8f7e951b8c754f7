/* Command lines as data: a table says name, type, place, range and help of each option; parsing,
 * --help and the messages about wrong values are all read from it. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include "kf.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct tool_option tool_option;

/* A type of option: how its text becomes a member of the options struct. Texts are not copied:
 * they live in argv. `text` is NULL for flags. */
typedef struct tool_option_type {
    int takes_text;
    kf_status (*store)(const tool_option *option, void *member, const char *text);
} tool_option_type;

enum { TOOL_MAX_LIST = 64 };

/* Texts of an option that may be given several times, in order, ended by NULL. */
typedef struct tool_list {
    const char *items[TOOL_MAX_LIST + 1];
    int32_t count;
} tool_list;

/* In C: bool, int64_t, int32_t, uint64_t, double, const char *, const char * out of `choices`,
 * tool_list. */
extern const tool_option_type tool_flag, tool_integer, tool_int32, tool_seed, tool_real, tool_text,
    tool_choice, tool_texts;

struct tool_option {
    const char *name;     /* "batch-size"; NULL ends the table */
    const char *argument; /* how --help calls its value: "N"   */
    const tool_option_type *type;
    size_t offset;
    double low, high;    /* of numbers, inclusive; both 0: any */
    const char *choices; /* "true|batch|false"                 */
    const char *help;
    const char *otherwise; /* the default, for --help; NULL: help says it, or there is none */
};

#define TOOL_OPTION(struct_type, member, option_name, option_type, ...)                            \
    {                                                                                              \
        .name = (option_name), .type = &(option_type), .offset = offsetof(struct_type, member),    \
        __VA_ARGS__                                                                                \
    }
#define TOOL_OPTIONS_END                                                                           \
    { .name = NULL }

typedef struct tool_command {
    const char *name;      /* "kfrun train"    */
    const char *arguments; /* "MODEL DATA"     */
    int32_t least, most;   /* how many of them */
    const char *purpose;   /* one line         */
    const char *notes;     /* the rest of --help; may be NULL */
    const tool_option *options;
} tool_command;

enum { TOOL_MAX_OPTIONS = 80 };

void tool_print_help(const tool_command *command);

/* The one of `names` that was probably meant; NULL: none is like it. */
const char *tool_nearest(const char *word, const char *const *names, int32_t n);

/* Fills `to` from argv[1 …]; the positional arguments are left in argv[*first …]. *helped: --help
 * was asked for and printed, there is nothing more to do. */
kf_status tool_parse(const tool_command *command, int argc, char **argv, void *to, int *first,
                     bool *helped);

/* Splits "a=1,b(c=2,d),e" at the commas outside of brackets: calls `item` for each piece with the
 * part before its first '=' (NULL if it has none) and the part after it. Stops at the first
 * failure. */
kf_status tool_split(const char *text,
                     kf_status (*item)(void *context, const char *key, const char *value),
                     void *context);

#endif
