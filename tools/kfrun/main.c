/* kfrun trains, evaluates and runs Keras models on HDF5 data from the command line. */
#include "../command/library_options.h"
#include "../command/report.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    kf_status (*run)(int argc, char **argv);
    const char *purpose;
} commands[] = {
    {"train", kfrun_train, "train a model on a data file"},
    {"evaluate", kfrun_evaluate, "loss and metrics of a model on a data file"},
    {"predict", kfrun_predict, "write a model's outputs for a data file"},
    {"summary", kfrun_summary, "the layers, shapes and parameters of a model"},
    {"convert", kfrun_convert, "a model file into another dialect, weights or JSON"},
    {"check", kfrun_check, "look over a model, weights or data file"},
    {"data", kfrun_data, "make and inspect data files"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void) {
    printf("usage: kfrun COMMAND … [options]\n\ncommands:\n");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].purpose);
    printf("\nwhat there is, with all options, by 'kfrun help NAME':\n");
    tool_print_topics();
    printf("\n'kfrun COMMAND --help' says more. A MODEL is a Keras .h5 file or the JSON of\n"
           "to_json(); DATA is an HDF5 file, or FILE:group for one group of it.\n"
           "Exit codes: 0 done, 2 wrong usage, 3 wrong model or data, 4 input/output,\n"
           "5 out of memory, 6 diverged, 130 or 143 stopped by SIGINT or SIGTERM.\n");
}

/* Commands answer for themselves; the rest is what the library tells of. */
static kf_status help_on(int argc, char **argv) {
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[0], commands[i].name) != 0) continue;
        char *asked[] = {argv[0], argc > 1 ? argv[1] : (char[]){"--help"}, (char[]){"--help"},
                         NULL};
        return commands[i].run(argc > 1 ? 3 : 2, asked);
    }
    bool known;
    tool_print_topic(argv[0], &known);
    return known ? KF_OK : tool_fail(KF_USAGE, "nothing is called '%s'; see 'kfrun help'", argv[0]);
}

static kf_status refuse(const char *command) {
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++) names[i] = commands[i].name;
    const char *meant = tool_nearest(command, names, N_COMMANDS);
    if (meant == NULL)
        return tool_fail(KF_USAGE, "unknown command '%s'; see 'kfrun help'", command);
    return tool_fail(KF_USAGE, "unknown command '%s'; did you mean %s? see 'kfrun help'", command,
                     meant);
}

static kf_status run(int argc, char **argv) {
    if (argc < 2) return tool_fail(KF_USAGE, "which command? see 'kfrun help'");
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0) {
        printf("kfrun %s\n%s\n", KF_VERSION, kf_about());
        return KF_OK;
    }
    const int asks = strcmp(argv[1], "help") == 0;
    if (asks && argc > 2) return help_on(argc - 2, argv + 2);
    if (!asks && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
        return refuse(argv[1]);
    print_help();
    return KF_OK;
}

int main(int argc, char **argv) {
    tool_start();
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
