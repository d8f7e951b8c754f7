/* kfrun trains, evaluates and runs Keras models on HDF5 data from the command line. */
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
    {"check", kfrun_check, "whether a model or data file can be used"},
    {"data", kfrun_data, "make and inspect data files"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void) {
    printf("usage: kfrun COMMAND … [options]\n\ncommands:\n");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].purpose);
    printf("\n'kfrun COMMAND --help' says more. A MODEL is a Keras .h5 file or the JSON of\n"
           "to_json(); DATA is an HDF5 file, or FILE:group for one group of it.\n"
           "Exit codes: 0 done, 2 wrong usage, 3 wrong model or data, 4 input/output,\n"
           "5 out of memory, 6 diverged, 7 stopped, 128 + N stopped by signal N.\n");
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
    if (asks && argc > 2) { /* kfrun help train */
        for (int i = 0; i < N_COMMANDS; i++)
            if (strcmp(argv[2], commands[i].name) == 0)
                return commands[i].run(2, (char *[]){argv[2], (char[]){"--help"}, NULL});
        return tool_fail(KF_USAGE, "unknown command '%s'; see 'kfrun help'", argv[2]);
    }
    if (!asks && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
        return tool_fail(KF_USAGE, "unknown command '%s'; see 'kfrun help'", argv[1]);
    print_help();
    return KF_OK;
}

int main(int argc, char **argv) {
    tool_start();
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
